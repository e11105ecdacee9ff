package messaging

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestBackoff(t *testing.T) {
	t.Parallel()
	var b backoff
	for _, want := range []time.Duration{100, 200, 400, 800, 1600, 3200, 5000, 5000} {
		low := b
		require.Equal(t, want*time.Millisecond/2, low.next(0, 0), "jitter takes away half at most")
		got := b.next(time.Second, 0.999999)
		require.InDelta(t, want*time.Millisecond, got, float64(time.Millisecond))
	}
	require.Equal(t, 50*time.Millisecond, b.next(time.Minute, 0), "a connection that lasted starts it anew")
}
