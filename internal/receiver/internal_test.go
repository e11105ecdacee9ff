package receiver

import (
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// However many addresses ask, few are remembered; those that ask all the time are never forgotten.
func TestAddressesAreForgotten(t *testing.T) {
	t.Parallel()
	now := time.Now()
	l := newAddressLimits(1)
	regular := netip.MustParseAddr("192.0.2.1")
	_, ok := l.allow(regular, now)
	require.True(t, ok)
	address := netip.MustParseAddr("10.0.0.0")
	for i := range 5 * maxAddresses {
		address = address.Next()
		_, ok := l.allow(address, now)
		require.True(t, ok)
		if i%1000 == 0 {
			wait, ok := l.allow(regular, now)
			require.False(t, ok)
			require.Equal(t, time.Second, wait)
		}
	}
	require.LessOrEqual(t, len(l.current)+len(l.previous), 2*maxAddresses)
	_, ok = l.allow(regular, now.Add(time.Second))
	require.True(t, ok)
}
