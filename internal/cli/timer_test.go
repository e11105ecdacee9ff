package cli_test

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTimerNext(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	berlin := []string{"timer", "next", "--cron", "30 2 * * *", "--timezone", "Europe/Berlin", "--count", "2"}
	spring := append(berlin, "--from", "2026-03-28T12:00:00+01:00")
	require.Equal(t, `DUE                            UTC                   AFTER
Sun 2026-03-29T03:00:00+02:00  2026-03-29T01:00:00Z  14h0m0s
Mon 2026-03-30T02:30:00+02:00  2026-03-30T00:30:00Z  37h30m0s
`, b.ok(spring...))
	require.JSONEq(t, `["2026-03-29T03:00:00+02:00", "2026-03-30T02:30:00+02:00"]`, b.ok(append(spring, "-o", "json")...))
	require.JSONEq(t, `["2026-03-30T02:30:00+02:00", "2026-03-31T02:30:00+02:00"]`,
		b.ok(append(spring, "--dst-gap", "skip", "-o", "json")...))
	autumn := append(berlin, "--from", "2026-10-24T22:00:00Z", "-o", "json")
	require.JSONEq(t, `["2026-10-25T02:30:00+02:00", "2026-10-26T02:30:00+01:00"]`, b.ok(autumn...))
	require.JSONEq(t, `["2026-10-25T02:30:00+02:00", "2026-10-25T02:30:00+01:00"]`, b.ok(append(autumn, "--dst-repeat", "both")...))
	require.JSONEq(t, `["2026-10-25T02:30:00+01:00", "2026-10-26T02:30:00+01:00"]`, b.ok(append(autumn, "--dst-repeat", "second")...))
}

func TestTimerNextRefuses(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for _, test := range []struct {
		args []string
		says string
	}{
		{[]string{}, "cron"},
		{[]string{"--cron", "0 0 30 2 *"}, `--cron "0 0 30 2 *": never due: no month of those has such a day`},
		{[]string{"--cron", "* * *"}, "3 fields: write five"},
		{[]string{"--cron", "@daily", "--timezone", "Europe/Berln"}, `--timezone: unknown time zone "Europe/Berln": write an IANA name`},
		{[]string{"--cron", "@daily", "--from", "2026-01-01"}, "write a time with its offset"},
		{[]string{"--cron", "@daily", "--count", "0"}, "write a whole number of at least 1"},
		{[]string{"--cron", "@daily", "--count", "10001"}, "--count: 10001 is too many: write at most 10000"},
		{[]string{"--cron", "@daily", "--dst-gap", "maybe"}, "write run_after or skip"},
		{[]string{"--cron", "@daily", "--dst-repeat", "never"}, "write first or second or both"},
	} {
		require.Contains(t, b.fails(2, append([]string{"timer", "next"}, test.args...)...), test.says)
	}
}
