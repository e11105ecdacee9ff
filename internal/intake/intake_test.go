package intake_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/internal/intake"
	"github.com/attune-automation/sensors/internal/sensor"
)

// gate is a store whose commits wait until the test lets them go on.
type gate struct {
	begun chan []sensor.Delivery // what a commit stores
	end   chan error             // lets it go on
}

func newGate() *gate { return &gate{begun: make(chan []sensor.Delivery), end: make(chan error)} }

func (g *gate) InsertDeliveries(ctx context.Context, deliveries []sensor.Delivery) ([]sensor.Receipt, error) {
	g.begun <- deliveries
	select {
	case err := <-g.end:
		if err != nil {
			return nil, err
		}
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	receipts := make([]sensor.Receipt, len(deliveries))
	for i, d := range deliveries {
		receipts[i] = sensor.Receipt{ID: d.ID}
		switch d.Key {
		case "again":
			receipts[i] = sensor.Receipt{ID: "first", Duplicate: true}
		case "bad":
			receipts[i].Err = sensor.ErrRejectedPayload
		}
	}
	return receipts, nil
}

func open(t *testing.T, cfg intake.Config) *intake.Intake {
	t.Helper()
	in, err := intake.New(cfg)
	require.NoError(t, err)
	t.Cleanup(in.Close)
	return in
}

type outcome struct {
	id        string
	duplicate bool
	err       error
}

// accept accepts in the background.
func accept(ctx context.Context, in *intake.Intake, d sensor.Delivery) <-chan outcome {
	done := make(chan outcome, 1)
	go func() {
		id, duplicate, err := in.Accept(ctx, d)
		done <- outcome{id, duplicate, err}
	}()
	return done
}

func TestWhatComesTogetherIsCommittedTogether(t *testing.T) {
	t.Parallel()
	g := newGate()
	in := open(t, intake.Config{Store: g, Commits: 1, MaxBatch: 3, Queue: 10})
	first := accept(t.Context(), in, sensor.Delivery{ID: "1"})
	require.Len(t, <-g.begun, 1, "nobody waits for company")
	var rest []<-chan outcome
	keys := map[string]string{"3": "again", "4": "bad"}
	for i := 2; i <= 5; i++ {
		id := fmt.Sprint(i)
		rest = append(rest, accept(t.Context(), in, sensor.Delivery{ID: id, Key: keys[id]}))
		require.Eventually(t, func() bool { return in.Waiting() == i-1 }, time.Minute, time.Millisecond)
	}
	g.end <- nil
	require.Equal(t, outcome{id: "1"}, <-first)
	require.Len(t, <-g.begun, 3, "as many as fit")
	g.end <- nil
	require.Equal(t, outcome{id: "2"}, <-rest[0])
	require.Equal(t, outcome{id: "first", duplicate: true}, <-rest[1])
	require.ErrorIs(t, (<-rest[2]).err, sensor.ErrRejectedPayload)
	require.Len(t, <-g.begun, 1)
	g.end <- errors.New("gone")
	failed := <-rest[3]
	require.ErrorIs(t, failed.err, intake.ErrUnavailable)
	require.ErrorContains(t, failed.err, "gone")
}

func TestLargePayloadsAreCommittedInSmallerBatches(t *testing.T) {
	t.Parallel()
	g := newGate()
	in := open(t, intake.Config{Store: g, Commits: 1, MaxBytes: 10})
	accept(t.Context(), in, sensor.Delivery{ID: "1"})
	<-g.begun
	for i := range 4 {
		accept(t.Context(), in, sensor.Delivery{ID: "x", Payload: make([]byte, 6)})
		require.Eventually(t, func() bool { return in.Waiting() == i+1 }, time.Minute, time.Millisecond)
	}
	for range 2 {
		g.end <- nil
		require.Len(t, <-g.begun, 2)
	}
	g.end <- nil
}

func TestWaitingIsBounded(t *testing.T) {
	t.Parallel()
	g := newGate()
	in := open(t, intake.Config{Store: g, Commits: 1, Queue: 1, Timeout: 50 * time.Millisecond})
	stuck := accept(t.Context(), in, sensor.Delivery{ID: "1"})
	<-g.begun
	ctx, cancel := context.WithCancel(t.Context())
	queued := accept(ctx, in, sensor.Delivery{ID: "2"})
	require.Eventually(t, func() bool { return in.Waiting() == 1 }, time.Minute, time.Millisecond)
	cancel()
	require.ErrorIs(t, (<-queued).err, context.Canceled, "its sender is gone")
	require.ErrorIs(t, (<-stuck).err, intake.ErrUnavailable, "the commit takes too long")
}

func TestAFullQueueRefuses(t *testing.T) {
	t.Parallel()
	g := newGate()
	in := open(t, intake.Config{Store: g, Commits: 1, Queue: 1, Timeout: time.Minute})
	accept(t.Context(), in, sensor.Delivery{ID: "1"})
	<-g.begun
	accept(t.Context(), in, sensor.Delivery{ID: "2"})
	require.Eventually(t, func() bool { return in.Waiting() == 1 }, time.Minute, time.Millisecond)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	_, _, err := in.Accept(ctx, sensor.Delivery{ID: "3"})
	require.ErrorIs(t, err, intake.ErrUnavailable)
	g.end <- nil
	require.Equal(t, "2", (<-g.begun)[0].ID)
	g.end <- nil
}

// What is under way when the worker stops gets its answer; what only waits is refused.
func TestClosing(t *testing.T) {
	t.Parallel()
	g := newGate()
	in := open(t, intake.Config{Store: g, Commits: 1})
	underWay := accept(t.Context(), in, sensor.Delivery{ID: "1"})
	<-g.begun
	queued := accept(t.Context(), in, sensor.Delivery{ID: "2"})
	require.Eventually(t, func() bool { return in.Waiting() == 1 }, time.Minute, time.Millisecond)
	var closing sync.WaitGroup
	closing.Go(in.Close)
	g.end <- nil
	select {
	case <-g.begun: // it was faster than the closing
		g.end <- nil
	case r := <-queued:
		require.ErrorIs(t, r.err, intake.ErrUnavailable)
	}
	closing.Wait()
	require.Equal(t, outcome{id: "1"}, <-underWay)
	_, _, err := in.Accept(t.Context(), sensor.Delivery{ID: "3"})
	require.ErrorIs(t, err, intake.ErrUnavailable)
}

func TestConfig(t *testing.T) {
	t.Parallel()
	for name, cfg := range map[string]intake.Config{
		"Store":    {},
		"Commits":  {Store: newGate(), Commits: -1},
		"MaxBatch": {Store: newGate(), MaxBatch: -1},
		"MaxBytes": {Store: newGate(), MaxBytes: -1},
		"Queue":    {Store: newGate(), Queue: -1},
		"Timeout":  {Store: newGate(), Timeout: -1},
	} {
		_, err := intake.New(cfg)
		require.ErrorContains(t, err, name)
	}
}
