package cli

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestShortenBoth(t *testing.T) {
	t.Parallel()
	long := `{"then": [{"name": "paid", "trigger": "shop.order_paid", "group_by": ["payload.order_id"], "absent": true}], `
	for _, c := range []struct{ a, b, wantA, wantB string }{
		{"a", "b", "a", "b"},
		{"", "new", "", "new"},
		{long + `"within": "10m"}`, long + `"within": "5m"}`, `… "within": "10m"}`, `… "within": "5m"}`},
		{"x" + long, "y" + long, "x" + long[:cellWidth-2] + "…", "y" + long[:cellWidth-2] + "…"},
	} {
		a, b := shortenBoth(c.a, c.b)
		require.Equal(t, c.wantA, a)
		require.Equal(t, c.wantB, b)
	}
	a, b := shortenBoth(long+strings.Repeat("a", 200), long+strings.Repeat("b", 200))
	require.Len(t, []rune(a), cellWidth)
	require.Len(t, []rune(b), cellWidth)
}
