package cli_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestReplayRefusals(t *testing.T) {
	t.Parallel()
	b := newBench(t).withDatabase().withTemporal()
	b.seed()
	for args, want := range map[string]string{
		"replay":                                                  "at least one of the flags",
		"replay --trigger shop.order":                             "at least one of the flags",
		"replay --since 1h --event 1":                             "none of the others can be",
		"replay --attach 1 --since 1h":                            "none of the others can be",
		"replay --since 1h --rate 0":                              "--rate 0: write at least 1",
		"replay --since 1h --rules shop.x":                        `there is no rule "shop.x"`,
		"replay --since 1h --trigger shop.orders":                 `trigger "shop.orders"`,
		"replay --since 1h --trigger shop.quiet --rules shop.big": "rule shop.big looks at events of shop.order, not of shop.quiet",
		"replay --attach 9":                                       "there is no replay 9",
	} {
		r := b.run(strings.Fields(args)...)
		require.Equal(t, 2, r.code, args)
		require.Contains(t, r.stderr, want, args)
	}
	for args, want := range map[string]string{
		"replay --event 99": "there is no such event",
		"replay --stop 9":   "replay 9 does not run",
	} {
		r := b.run(strings.Fields(args)...)
		require.Equal(t, 1, r.code, args)
		require.Contains(t, r.stderr, want, args)
	}
	require.Contains(t, b.ok("replay", "--since", "1h", "--detach"), "replay 1 of 3 events: `starter replay --attach 1` shows it")
}
