package cli_test

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestRedispatchRefusesWhatHasNotFailed(t *testing.T) {
	t.Parallel()
	b := newBench(t).withDatabase().withTemporal()
	b.seed()
	require.Contains(t, b.fails(2, "redispatch", "1"), "starter enforcements --status failed")
	require.Contains(t, b.fails(2, "redispatch", "one"), `"one" is no ID`)
}
