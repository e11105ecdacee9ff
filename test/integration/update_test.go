package integration

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/test/stack"
	"github.com/attune-automation/sensors/workflows"
)

// seldom is a poll interval at which a test sees no poll but those that it asks for.
var seldom = map[string]string{"SENSOR__POLL_INTERVAL": "1h"}

// rarely applies the gated sensor with the worker's own poll interval.
func (g gate) rarely(s *stack.Stack, set ...string) {
	g.t.Helper()
	g.applyText(s, strings.Replace(gated, "poll_interval: 1s\n", "", 1), set...)
}

func TestAPausedSensorPollsOnlyWhenTold(t *testing.T) {
	t.Parallel()
	s := stack.New(t, nil)
	messages := s.Watch()
	g := newGate(t)
	g.close()
	g.apply(s)
	s.StartWorker()
	g.await(s, 1)

	// The pause waits for the poll that is going on.
	type answer struct {
		status workflows.Status
		err    error
	}
	paused := make(chan answer, 1)
	go func() {
		status, err := s.Fleet.Pause(context.WithoutCancel(t.Context()), "t.gated")
		paused <- answer{status, err}
	}()
	await(t, s, "t.gated", func(status workflows.Status) bool { return status.State == workflows.StatePaused })
	require.Empty(t, paused)
	g.open()
	got := <-paused
	require.NoError(t, got.err)
	require.Equal(t, workflows.StatePaused, got.status.State)
	require.True(t, got.status.Running)
	require.False(t, got.status.Polling)
	require.EqualValues(t, 3, got.status.Events)
	require.Zero(t, got.status.NextPoll)

	// Only a poll on demand brings more. Each of three reconciliations is longer than the poll interval.
	polls := g.polls()
	reconciled(t, s, 3)
	require.Equal(t, polls, g.polls(), "a paused sensor does not poll")
	report, err := s.Fleet.PollNow(t.Context(), "t.gated")
	require.NoError(t, err)
	require.Equal(t, workflows.PollReport{Batches: 1, Events: 3, Enforcements: 5}, report, "4 to 6, of which 5 and 6 match both rules")
	require.Equal(t, polls+1, g.polls())
	status, err := s.Fleet.Status(t.Context(), "t.gated")
	require.NoError(t, err)
	require.Equal(t, workflows.StatePaused, status.State)

	status, err = s.Fleet.Resume(t.Context(), "t.gated")
	require.NoError(t, err)
	require.Equal(t, workflows.StateRunning, status.State)
	awaitEvents(t, s, "t.gated", 12)
	stopped(t, s, "t.gated")
	unbroken(t, s, messages, "t.gated", 12)
}

func TestPollNowReturnsWhatThePollBrought(t *testing.T) {
	t.Parallel()
	s := stack.New(t, seldom)
	messages := s.Watch()
	g := newGate(t)
	g.rarely(s, "t.gated.batch=2500")
	s.StartWorker()
	await(t, s, "t.gated", func(status workflows.Status) bool { return status.Batches == 3 && !status.Polling })
	report, err := s.Fleet.PollNow(t.Context(), "t.gated")
	require.NoError(t, err)
	require.Equal(t, workflows.PollReport{Batches: 3, Events: 2500, Enforcements: 5000}, report, "one poll of three batches")
	require.Len(t, numbers(t, s, "t.gated"), 5000, "all of it is there when the answer comes")
	require.Equal(t, 2, g.polls())
	status, err := s.Fleet.Status(t.Context(), "t.gated")
	require.NoError(t, err)
	require.EqualValues(t, 2, status.Polls)
	require.EqualValues(t, 6, status.Batches)
	require.Equal(t, "1h0m0s", status.PollInterval)
	require.WithinDuration(t, time.Now(), status.NextPoll, time.Hour)
	unbroken(t, s, messages, "t.gated", 5000)
}

func TestAnEditedCursorIsWhereTheNextPollStarts(t *testing.T) {
	t.Parallel()
	s := stack.New(t, seldom)
	g := newGate(t)
	g.rarely(s)
	s.StartWorker()
	awaitEvents(t, s, "t.gated", 3)
	require.NoError(t, s.Fleet.SetCursor(t.Context(), "t.gated", json.RawMessage(`1000`)))
	cursor, _, err := s.Store.Cursor(t.Context(), "t.gated")
	require.NoError(t, err)
	require.JSONEq(t, `1000`, string(cursor))
	_, err = s.Fleet.PollNow(t.Context(), "t.gated")
	require.NoError(t, err)
	require.Equal(t, []int{1, 2, 3, 1001, 1002, 1003}, numbers(t, s, "t.gated"))

	// The edit waits for a poll that is going on, with all that it brings.
	g.close()
	polled := make(chan error, 1)
	go func() {
		_, err := s.Fleet.PollNow(context.WithoutCancel(t.Context()), "t.gated")
		polled <- err
	}()
	g.await(s, 3)
	edited := make(chan error, 1)
	go func() {
		edited <- s.Fleet.SetCursor(context.WithoutCancel(t.Context()), "t.gated", json.RawMessage(`null`))
	}()
	g.open()
	require.NoError(t, <-polled)
	require.NoError(t, <-edited)
	_, err = s.Fleet.PollNow(t.Context(), "t.gated")
	require.NoError(t, err)
	require.Equal(t, []int{1, 2, 3, 1001, 1002, 1003, 1004, 1005, 1006, 1, 2, 3}, numbers(t, s, "t.gated"))
	s.Sound(nil)
}

func TestAStoppedSensorFinishesWhatItHasInHand(t *testing.T) {
	t.Parallel()
	s := stack.New(t, nil)
	messages := s.Watch()
	g := newGate(t)
	g.apply(s, "t.gated.batch=2500")
	unlock := lock(t, s, "attune.enforcement")
	s.StartWorker()
	awaitBlocked(t, s, "attune.enforcement")
	require.NoError(t, s.Store.SetStopped(t.Context(), "t.gated", true))
	require.NoError(t, s.Fleet.Stop(t.Context(), "t.gated", "enough"))
	await(t, s, "t.gated", func(status workflows.Status) bool { return status.Running })
	unlock()
	stopped(t, s, "t.gated")
	require.Equal(t, 1, g.polls())
	require.Equal(t, upTo(2500), numbers(t, s, "t.gated"))
	report := s.Sound(messages)
	require.EqualValues(t, 3, report.Batches)
	status, err := s.Fleet.Status(t.Context(), "t.gated")
	require.NoError(t, err)
	require.Equal(t, workflows.StateStopped, status.State)
	require.False(t, status.Running)
	require.False(t, status.Failed)
	var result workflows.SensorResult
	require.NoError(t, s.Client.GetWorkflow(t.Context(), workflows.SensorID("t.gated"), "").Get(t.Context(), &result))
	require.NotEmpty(t, result.Stopped)
}

// A stop ends a poll that hangs, whose process is killed; updates that come meanwhile are refused.
func TestAStopEndsAPollThatHangs(t *testing.T) {
	t.Parallel()
	s := stack.New(t, nil)
	g := newGate(t)
	g.close()
	g.apply(s)
	s.StartWorker()
	g.await(s, 1)
	begin := time.Now()
	require.NoError(t, s.Store.SetStopped(t.Context(), "t.gated", true))
	require.NoError(t, s.Fleet.Stop(t.Context(), "t.gated", "it hangs"))
	ctx := t.Context()
	for name, update := range map[string]func() error{
		"pause":      func() error { _, err := s.Fleet.Pause(ctx, "t.gated"); return err },
		"resume":     func() error { _, err := s.Fleet.Resume(ctx, "t.gated"); return err },
		"poll-now":   func() error { _, err := s.Fleet.PollNow(ctx, "t.gated"); return err },
		"set-cursor": func() error { return s.Fleet.SetCursor(ctx, "t.gated", json.RawMessage(`7`)) },
	} {
		require.EqualError(t, update(), `sensor "t.gated": it is stopping`, name)
	}
	stopped(t, s, "t.gated")
	require.Less(t, time.Since(begin), 20*time.Second)
	g.deserted(s, g.pids())
	require.Empty(t, numbers(t, s, "t.gated"))
	_, err := s.Fleet.Pause(t.Context(), "t.gated")
	require.ErrorContains(t, err, "not running")
	g.open()
	require.NoError(t, s.Store.SetStopped(t.Context(), "t.gated", false))
	require.NoError(t, s.Fleet.Poke(t.Context()))
	awaitEvents(t, s, "t.gated", 3)
	stopped(t, s, "t.gated")
	unbroken(t, s, nil, "t.gated", 3)
}
