package integration

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/test/stack"
)

// terminate ends the sensor's workflow as an operator of Temporal can, and has the manager start it again.
func terminate(t *testing.T, s *stack.Stack, ref string) {
	t.Helper()
	require.NoError(t, s.Fleet.Terminate(t.Context(), ref, "the test wants to see what happens"))
	require.NoError(t, s.Fleet.Poke(t.Context()))
}

// Between any two steps the workflow may be terminated: the next one goes on from what the database holds.
func TestAWorkflowTerminatedBetweenStepsIsResumed(t *testing.T) {
	t.Parallel()
	s := stack.New(t, nil)
	messages := s.Watch()
	g := newGate(t)
	g.close()
	g.apply(s)
	s.StartWorker()

	g.await(s, 1) // in the middle of a poll: now two processes poll the sensor
	terminate(t, s, "t.gated")
	g.await(s, 2)
	unlock := lock(t, s, "attune.event")
	g.open()
	awaitBlocked(t, s, "attune.event") // a batch is stored, and not generated
	terminate(t, s, "t.gated")
	unlock()
	awaitEvents(t, s, "t.gated", 3)

	unlock = lock(t, s, "attune.enforcement")
	awaitBlocked(t, s, "attune.enforcement") // a batch is generated, and not matched
	terminate(t, s, "t.gated")
	unlock()
	awaitEvents(t, s, "t.gated", 9)
	stopped(t, s, "t.gated")
	unbroken(t, s, messages, "t.gated", 9)
}

// A workflow is terminated again and again, each time as soon as a poll is stored.
func TestAWorkflowTerminatedManyTimesLosesNothing(t *testing.T) {
	t.Parallel()
	s := stack.New(t, nil)
	messages := s.Watch()
	newGate(t).apply(s)
	s.StartWorker()
	for i := range 6 {
		awaitBatches(t, s, i+1)
		terminate(t, s, "t.gated")
	}
	stopped(t, s, "t.gated")
	s.StartWorker()
	require.NoError(t, s.Store.SetStopped(t.Context(), "t.gated", false))
	require.NoError(t, s.Fleet.Poke(t.Context()))
	awaitBatches(t, s, 8)
	stopped(t, s, "t.gated")
	unbroken(t, s, messages, "t.gated", 21)
}

// Temporal loses all its data, while a worker that has not noticed goes on with a poll.
func TestTheLossOfTemporalsDataIsNoLoss(t *testing.T) {
	t.Parallel()
	before := stack.New(t, nil)
	messages := before.Watch()
	g := newGate(t)
	g.apply(before)
	before.StartWorker()
	awaitEvents(t, before, "t.gated", 6)
	g.close()
	known := g.polls()
	g.await(before, known+1)

	after := before.Wiped()
	after.StartWorker()
	g.await(after, known+2) // both poll
	g.open()
	awaitEvents(t, after, "t.gated", 21) // and go on side by side
	for _, s := range []*stack.Stack{before, after} {
		stopped(t, s, "t.gated")
	}
	unbroken(t, after, messages, "t.gated", 21)
}

// awaitBatches waits until so many polls have brought something.
func awaitBatches(t *testing.T, s *stack.Stack, n int) {
	t.Helper()
	conn := connect(t, s)
	s.Eventually(func(ctx context.Context) error {
		var stored int
		if err := conn.QueryRow(ctx, "select count(*) from attune.poll_batch").Scan(&stored); err != nil {
			return err
		}
		return expect(stored >= n, "%d of %d batches are stored", stored, n)
	})
}
