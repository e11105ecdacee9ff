package typo

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestDistance(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		a, b string
		want int
	}{
		{"", "", 0}, {"abc", "abc", 0}, {"", "abc", 3}, {"abc", "", 3},
		{"equal", "equals", 1}, {"kitten", "sitting", 3}, {"flaw", "lawn", 2},
	} {
		require.Equal(t, c.want, Distance(c.a, c.b), "%s to %s", c.a, c.b)
		require.Equal(t, c.want, Distance(c.b, c.a), "%s to %s", c.b, c.a)
	}
}
