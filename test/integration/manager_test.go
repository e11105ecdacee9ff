package integration

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/internal/store"
	"github.com/attune-automation/sensors/test/stack"
	"github.com/attune-automation/sensors/workflows"
)

// crowd is a pack of sensors that each yield one event when they are first polled.
func crowd(names ...string) string {
	var text strings.Builder
	text.WriteString(`
-- pack.yaml --
ref: t
-- triggers/hello.yaml --
ref: t.hello
-- bin/hello --
#!/bin/sh
echo '{"hello": true}'
`)
	for _, name := range names {
		fmt.Fprintf(&text, `
-- sensors/%[1]s.yaml --
ref: t.%[1]s
runtime: core.exec
entrypoint: bin/hello
trigger: t.hello
`, name)
	}
	return text.String()
}

// awaitRunning waits until exactly these sensors run, and the manager has found it so.
func awaitRunning(t *testing.T, s *stack.Stack, want ...string) {
	t.Helper()
	s.Eventually(func(ctx context.Context) error {
		running, err := s.Fleet.Running(ctx)
		if err != nil {
			return err
		}
		var got []string
		for ref := range running {
			got = append(got, ref)
		}
		slices.Sort(got)
		return expect(slices.Equal(got, want), "running are %v, not %v", got, want)
	})
}

func TestTheManagerRunsTheRightSensors(t *testing.T) {
	t.Parallel()
	s := stack.New(t, map[string]string{"SENSOR__POLL_INTERVAL": "1h", "SENSOR__MAX_CONCURRENT_SENSORS": "2"})
	s.Apply(crowd("a", "b", "c"))
	s.StartWorker()
	s.StartWorker() // which doubles nothing
	awaitRunning(t, s, "t.a", "t.b")
	reconciled(t, s, 2)
	manager, err := s.Fleet.Manager(t.Context())
	require.NoError(t, err)
	require.Equal(t, 3, manager.Report.Enabled)
	require.Equal(t, 2, manager.Report.Running)
	require.Equal(t, 1, manager.Report.Waiting, "there is no place for the third")
	awaitRunning(t, s, "t.a", "t.b")

	// An operator stops one: it stays so, whatever is applied, and the one that waited takes its place.
	stopped(t, s, "t.a")
	awaitRunning(t, s, "t.b", "t.c")
	s.Apply(crowd("a", "b", "c", "d"))
	reconciled(t, s, 2)
	awaitRunning(t, s, "t.b", "t.c")

	// What is disabled or removed stops.
	disabled := strings.Replace(crowd("a", "b", "d"), "ref: t.b\n", "ref: t.b\nenabled: false\n", 1)
	s.Apply(disabled)
	awaitRunning(t, s, "t.d")
	require.NoError(t, s.Store.SetStopped(t.Context(), "t.a", false))
	require.NoError(t, s.Fleet.Poke(t.Context()))
	awaitRunning(t, s, "t.a", "t.d")

	for ref, events := range map[string]int{"t.a": 2, "t.b": 1, "t.c": 1, "t.d": 1} { // one at each start
		s.Eventually(func(ctx context.Context) error {
			got, err := s.Store.Events(ctx, store.EventFilter{SensorRef: ref})
			if err != nil {
				return err
			}
			return expect(len(got) == events, "%s has %d events", ref, len(got))
		})
	}
	require.Equal(t, 1, runCount(t, s, "t.d"))
	s.Sound(nil)
}

func TestAnOperatorsStopOutlivesWorkers(t *testing.T) {
	t.Parallel()
	s := stack.New(t, nil)
	s.Apply(crowd("a", "b"))
	first := s.StartWorker()
	awaitRunning(t, s, "t.a", "t.b")
	stopped(t, s, "t.a")
	require.NoError(t, first.Stop())
	s.StartWorker()
	reconciled(t, s, 2)
	awaitRunning(t, s, "t.b")
}

// A changed definition takes effect at once, without a restart of the sensor.
func TestAChangedDefinitionTakesEffect(t *testing.T) {
	t.Parallel()
	s := stack.New(t, nil)
	messages := s.Watch()
	slow := strings.Replace(counter, "poll_interval: 1s", "poll_interval: 1h", 1)
	s.Apply(slow)
	s.StartWorker()
	first := await(t, s, "t.counter", func(status workflows.Status) bool { return status.Polls == 1 && !status.Polling })
	require.Equal(t, "1h0m0s", first.PollInterval)

	s.Apply(slow, "t.counter.batch=2") // another config: a poll at once
	second := await(t, s, "t.counter", func(status workflows.Status) bool { return status.Polls == 2 && !status.Polling })
	require.Greater(t, second.Version, first.Version)
	require.Equal(t, upTo(5), numbers(t, s, "t.counter"))

	s.Apply(counter, "t.counter.batch=2") // another interval
	third := await(t, s, "t.counter", func(status workflows.Status) bool { return status.Events == 9 })
	require.Equal(t, "1s", third.PollInterval)
	require.Equal(t, 1, runCount(t, s, "t.counter"))
	require.Equal(t, first.StartedAt, third.StartedAt)
	unbroken(t, s, messages, "t.counter", 9)
}

// The limit on failures is the engine's retry policy, which only a new run can change.
func TestAChangedRestartPolicyTakesEffect(t *testing.T) {
	t.Parallel()
	s := stack.New(t, seldom)
	s.Apply(crowd("a"))
	s.StartWorker()
	await(t, s, "t.a", func(status workflows.Status) bool { return status.Events == 1 && status.MaxAttempts == 3 })
	s.Apply(strings.Replace(crowd("a"), "ref: t.a\n", "ref: t.a\nmax_restart_attempts: 5\n", 1))
	await(t, s, "t.a", func(status workflows.Status) bool { return status.MaxAttempts == 5 })
	s.Eventually(func(ctx context.Context) error {
		found, err := s.Client.DescribeWorkflowExecution(ctx, workflows.SensorID("t.a"), "")
		if err != nil {
			return err
		}
		history := s.Client.GetWorkflowHistory(ctx, workflows.SensorID("t.a"), found.WorkflowExecutionInfo.Execution.RunId, false, 0)
		started, err := history.Next()
		if err != nil {
			return err
		}
		attempts := started.GetWorkflowExecutionStartedEventAttributes().GetRetryPolicy().GetMaximumAttempts()
		return expect(attempts == 5, "the policy in force allows %d attempts", attempts)
	})
}
