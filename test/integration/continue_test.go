package integration

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"github.com/attune-automation/sensors/internal/store"
	"github.com/attune-automation/sensors/test/stack"
	"github.com/attune-automation/sensors/workflows"
)

// However few polls a run makes before it continues as new, what the sensor does is the same, and no order is lost.
func TestContinueAsNewIsInvisible(t *testing.T) {
	t.Parallel()
	for _, limit := range []int{1, 2, 3, 5, 7, 11} {
		t.Run(fmt.Sprintf("every %d polls", limit), func(t *testing.T) {
			t.Parallel()
			s := stack.New(t, seldom)
			messages := s.Watch()
			g := newGate(t)
			g.rarely(s)
			startWithLimit(t, s, limit) // before the manager does
			s.StartWorker()
			scenario(t, s, g)
			runs := runCount(t, s, "t.gated")
			require.GreaterOrEqual(t, runs, 1+10/limit-1)
			status := await(t, s, "t.gated", func(status workflows.Status) bool { return !status.Running })
			require.EqualValues(t, 11, status.Polls)
			require.EqualValues(t, 11, status.Batches)
			require.EqualValues(t, 33, status.Events)
			require.Zero(t, status.Recoveries)
			require.Equal(t, append(upTo(18), upTo(115)[100:]...), numbers(t, s, "t.gated"))
			s.Sound(messages)
		})
	}
}

// pausedSince waits until the lists say that the sensor is paused, and since when.
func pausedSince(t *testing.T, s *stack.Stack) (since time.Time) {
	t.Helper()
	s.Eventually(func(ctx context.Context) error {
		all, err := s.Fleet.Live(ctx)
		since = all["t.gated"].Since
		return errors.Join(err, expect(all["t.gated"].State == workflows.StatePaused, "it is %v", all["t.gated"]))
	})
	return since
}

// scenario gives a sensor orders as fast as it takes them.
func scenario(t *testing.T, s *stack.Stack, g gate) {
	t.Helper()
	ctx := t.Context()
	awaitEvents(t, s, "t.gated", 3)
	pollNow := func(polls int) {
		for range polls {
			report, err := s.Fleet.PollNow(ctx, "t.gated")
			require.NoError(t, err)
			require.Equal(t, 3, report.Events)
			require.NoError(t, s.Fleet.Reload(ctx, "t.gated"))
		}
	}
	pollNow(3)
	paused, err := s.Fleet.Pause(ctx, "t.gated")
	require.NoError(t, err)
	require.Equal(t, workflows.StatePaused, paused.State)
	since := pausedSince(t, s)
	pollNow(2)
	require.NoError(t, s.Fleet.SetCursor(ctx, "t.gated", json.RawMessage(`100`)))
	pollNow(3)
	require.Equal(t, 9, g.polls(), "it is still paused")
	require.Equal(t, since, pausedSince(t, s), "whatever the runs were")
	resumed, err := s.Fleet.Resume(ctx, "t.gated") // and polls
	require.NoError(t, err)
	require.Equal(t, workflows.StateRunning, resumed.State)
	awaitEvents(t, s, "t.gated", 30)
	pollNow(1)
	stopped(t, s, "t.gated")
}

// startWithLimit starts the sensor's workflow with runs of so many polls.
func startWithLimit(t *testing.T, s *stack.Stack, limit int) {
	t.Helper()
	_, err := s.Client.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{
		ID: workflows.SensorID("t.gated"), TaskQueue: s.Config.Temporal.TaskQueue, RetryPolicy: workflows.RetryPolicy(3),
		WorkflowIDConflictPolicy: enumspb.WORKFLOW_ID_CONFLICT_POLICY_FAIL,
		TypedSearchAttributes:    temporal.NewSearchAttributes(workflows.AttributeRef.ValueSet("t.gated")),
	}, workflows.Sensor, workflows.SensorInput{Ref: "t.gated", RunLimit: limit})
	require.NoError(t, err)
}

// A worker that forgets every workflow at once, and so replays its history at every turn, does the same as any other.
func TestAWorkerWithoutMemoryDoesTheSame(t *testing.T) {
	t.Parallel()
	s := stack.New(t, nil)
	messages := s.Watch()
	s.StartForgetful()
	s.Apply(counter)
	await(t, s, "t.counter", func(status workflows.Status) bool { return status.Events == 9 })
	report, err := s.Fleet.PollNow(t.Context(), "t.counter")
	require.NoError(t, err)
	require.Zero(t, report)
	_, err = s.Fleet.Pause(t.Context(), "t.counter")
	require.NoError(t, err)
	require.NoError(t, s.Fleet.SetCursor(t.Context(), "t.counter", json.RawMessage(`8`)))
	report, err = s.Fleet.PollNow(t.Context(), "t.counter")
	require.NoError(t, err)
	require.Equal(t, workflows.PollReport{Batches: 1, Events: 1, Enforcements: 2}, report)
	stopped(t, s, "t.counter")
	require.Equal(t, append(upTo(9), 9), numbers(t, s, "t.counter"))
	s.Sound(messages)
}

// Workflows and activities can be the work of different workers.
func TestRolesCanBeSplit(t *testing.T) {
	t.Parallel()
	s := stack.New(t, nil)
	messages := s.Watch()
	s.StartProcess(map[string]string{"WORKER__ROLES": "workflows"})
	s.Apply(counter)
	s.Eventually(func(ctx context.Context) error { // no one is there who could reconcile
		_, err := s.Fleet.Manager(ctx)
		return err
	})
	events, err := s.Store.Events(t.Context(), store.EventFilter{})
	require.NoError(t, err)
	require.Empty(t, events)
	s.StartProcess(map[string]string{"WORKER__ROLES": "activities"})
	await(t, s, "t.counter", func(status workflows.Status) bool { return status.Events == 9 })
	unbroken(t, s, messages, "t.counter", 9)
}
