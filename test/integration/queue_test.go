package integration

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/activities"
	"github.com/attune-automation/sensors/internal/config"
	"github.com/attune-automation/sensors/test/stack"
	"github.com/attune-automation/sensors/workflows"
)

// takes makes a worker listen on these queues of polls only.
func takes(queues ...string) func(*config.Config) {
	return func(c *config.Config) { c.Worker.Queues = queues }
}

// A sensor whose queue nobody listens on says so within a minute, fails by no means, and is polled at once when a worker
// comes.
func TestASensorWithoutAWorkerForItsQueueSaysSo(t *testing.T) {
	t.Parallel()
	s := stack.New(t, nil)
	messages := s.Watch()
	s.Apply(strings.Replace(counter, "poll_interval: 1s\n", "poll_interval: 1s\nqueue: gpu\n", 1))
	s.StartWorker()
	await(t, s, "t.counter", func(status workflows.Status) bool { return status.Polling })
	begin := time.Now()
	status := await(t, s, "t.counter", func(status workflows.Status) bool { return status.State == workflows.StateWaiting })
	require.Less(t, time.Since(begin), time.Minute)
	require.Contains(t, status.Waiting, "start one with --queues gpu")
	require.Equal(t, "gpu", status.Queue)
	require.Zero(t, status.Polls)
	reconciled(t, s, 2)
	manager, err := s.Fleet.Manager(t.Context())
	require.NoError(t, err)
	require.Equal(t, []activities.Unserved{{Queue: "gpu", Sensors: 1}}, manager.Report.Unserved)
	s.Eventually(func(ctx context.Context) error {
		counts, err := s.Fleet.Counts(ctx, []string{"t.counter"})
		if err != nil {
			return err
		}
		return expect(counts["waiting"] == 1, "counts are %v", counts)
	})

	gpu := s.StartWorker(takes("gpu"))
	awaitEvents(t, s, "t.counter", 9)
	status = await(t, s, "t.counter", func(status workflows.Status) bool { return status.State == workflows.StateRunning })
	require.Empty(t, status.Waiting)
	require.Zero(t, status.FailureCount+int(status.Recoveries))
	listeners, err := s.Fleet.Listeners(t.Context(), "gpu")
	require.NoError(t, err)
	require.Len(t, listeners, 1)
	stopped(t, s, "t.counter")
	unbroken(t, s, messages, "t.counter", 9)

	// A worker counts as long as it lives, though it may ask for work once a minute only.
	s.Eventually(func(ctx context.Context) error {
		listeners, err := s.Fleet.Listeners(ctx, "gpu")
		if err != nil {
			return err
		}
		require.Len(t, listeners, 1)
		return expect(time.Since(listeners[0].Asked) > 25*time.Second, "it asked at %s", listeners[0].Asked)
	})
	require.NoError(t, gpu.Stop())
	gone := time.Now()
	s.Eventually(func(ctx context.Context) error {
		listens, err := s.Fleet.Listens(ctx, "gpu")
		if err != nil {
			return err
		}
		return expect(!listens, "a worker listens still")
	})
	require.Less(t, time.Since(gone), time.Minute)
}

// Polls go where their queue is listened on, whichever worker has the workflows.
func TestQueuesPlacePolls(t *testing.T) {
	t.Parallel()
	s := stack.New(t, nil)
	messages := s.Watch()
	g := newGate(t)
	g.apply(s)
	s.StartWorker(takes("exec"))
	s.StartWorker(takes("nodejs", "python3"))
	s.StartWorker(takes("exec", "gpu"))
	awaitEvents(t, s, "t.gated", 9)
	stopped(t, s, "t.gated")
	unbroken(t, s, messages, "t.gated", 9)
}

// However few places there are, every queue gets one now and then.
func TestNoQueueStarves(t *testing.T) {
	t.Parallel()
	s := stack.New(t, nil)
	text := crowd()
	for name, queue := range map[string]string{"a": "exec", "b": "other", "c": "third", "d": "exec"} {
		text += fmt.Sprintf(`
-- sensors/%[1]s.yaml --
ref: t.%[1]s
runtime: core.exec
entrypoint: bin/hello
trigger: t.hello
poll_interval: 1s
queue: %[2]s
`, name, queue)
	}
	s.Apply(text)
	s.StartWorker(takes("exec", "other", "third"), func(c *config.Config) { c.Worker.MaxConcurrentPolls = 1 })
	for _, ref := range []string{"t.a", "t.b", "t.c", "t.d"} {
		await(t, s, ref, func(status workflows.Status) bool { return status.Polls >= 3 })
	}
}

// What a pack's dependencies are waited for, or why they cannot be had, is said, and counts as no failure.
func TestDependenciesAreWaitedFor(t *testing.T) {
	t.Parallel()
	s := stack.New(t, nil)
	s.Apply(counter + `
-- requirements.txt --
./nowhere
`)
	s.StartWorker()
	await(t, s, "t.counter", func(status workflows.Status) bool { return strings.Contains(status.Waiting, "installing") })
	status := await(t, s, "t.counter", func(status workflows.Status) bool { return strings.Contains(status.Waiting, "failed") })
	require.Equal(t, workflows.StateWaiting, status.State)
	require.Zero(t, status.FailureCount)
	require.Zero(t, status.Polls)
	s.Apply(counter)
	await(t, s, "t.counter", func(status workflows.Status) bool {
		return status.Events == 9 && status.State == workflows.StateRunning && status.Waiting == ""
	})
	require.Equal(t, 1, runCount(t, s, "t.counter"))
}
