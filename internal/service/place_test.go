package service

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/worker"
)

// marked and released are slots of the SDK, as far as their supplier looks at them.
type marked struct {
	worker.SlotMarkUsedInfo
	permit *worker.SlotPermit
}

type released struct {
	worker.SlotReleaseInfo
	permit *worker.SlotPermit
}

func (s marked) Permit() *worker.SlotPermit   { return s.permit }
func (s released) Permit() *worker.SlotPermit { return s.permit }

func TestPlacesHoldForAllWaysThatPollsCome(t *testing.T) {
	t.Parallel()
	p := newPlaces(3, []string{"python3", "exec"})
	python, exec := queuePlaces{p, "python3"}, queuePlaces{p, "exec"}
	_, ok := p.Take("gpu")
	require.False(t, ok, "nobody listens on it here")

	first, second := python.TryReserveSlot(nil), exec.TryReserveSlot(nil)
	require.NotNil(t, first)
	require.NotNil(t, second)
	release, ok := p.Take("exec")
	require.True(t, ok)
	_, ok = p.Take("exec")
	require.False(t, ok, "the others are held")
	require.Nil(t, python.TryReserveSlot(nil), "it holds one already")

	python.MarkSlotUsed(marked{permit: first})
	require.Equal(t, 2, p.running())
	require.NotNil(t, python.TryReserveSlot(nil), "a queue never starves while any place is free")
	exec.MarkSlotUsed(marked{permit: second})
	require.Equal(t, 3, p.running())
	require.Nil(t, exec.TryReserveSlot(nil))
	release()
	exec.ReleaseSlot(released{permit: second})
	python.ReleaseSlot(released{permit: first})
	require.Zero(t, p.running())
}

func TestAReservationWaitsForAPlace(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPlaces(1, []string{"exec"})
		q := queuePlaces{p, "exec"}
		release, ok := p.Take("exec")
		require.True(t, ok)
		var permit *worker.SlotPermit
		var wg sync.WaitGroup
		wg.Go(func() { permit, _ = q.ReserveSlot(t.Context(), nil) })
		synctest.Wait()
		require.Nil(t, permit)
		release()
		wg.Wait()
		require.NotNil(t, permit)

		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := q.ReserveSlot(ctx, nil)
		require.ErrorIs(t, err, context.Canceled)
		q.ReleaseSlot(released{permit: permit})
		require.NotNil(t, q.TryReserveSlot(nil), "a place that was held and not used is free again")
	})
}
