package service

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestThoseThatRestTakeNoPlace(t *testing.T) {
	t.Parallel()
	p := newLocalPlaces(1)
	require.NotNil(t, p.TryReserveSlot(nil))
	require.Nil(t, p.TryReserveSlot(nil))
	done := p.Rest()
	require.NotNil(t, p.TryReserveSlot(nil))
	done() // now there are two that have a place
	p.ReleaseSlot(nil)
	require.Nil(t, p.TryReserveSlot(nil))
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	reserved := make(chan error, 1)
	go func() {
		_, err := p.ReserveSlot(ctx, nil)
		reserved <- err
	}()
	p.ReleaseSlot(nil)
	require.NoError(t, <-reserved)
}
