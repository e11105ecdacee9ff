package cli_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestBacktest(t *testing.T) {
	t.Parallel()
	b := newBench(t).withDatabase()
	b.seed() // totals of 5, 250 and 7
	out := b.ok("rule", "backtest", "shop.big", "--since", "7d")
	require.Contains(t, out, "shop.big would have matched 1 of 3 events of shop.order since ")
	require.Regexp(t, `(?m)^match +2 .*"total": 250`, out)

	big := filepath.Join(folder(t, "shop"), "rules/big.yaml")
	text, err := os.ReadFile(big)
	require.NoError(t, err)
	changed := filepath.Join(t.TempDir(), "big.yaml")
	require.NoError(t, os.WriteFile(changed, []byte(strings.ReplaceAll(string(text), "100", "6")), 0o600))
	out = b.ok("rule", "backtest", changed, "--since", "1h", "--compare")
	require.Contains(t, out, "would have matched 2 of 3 events")
	require.Contains(t, out, "version 1, in force: 1 more, 0 fewer, 1 the same")
	require.Regexp(t, `(?m)^more +3 .*"total": 7`, out)
	require.Contains(t, b.ok("rule", "backtest", "shop.big@1", "--since", "1h", "--compare"), "version 1, in force: 0 more, 0 fewer, 1 the same")
	report := decode[map[string]any](t, b.ok("rule", "backtest", changed, "--since", "1h", "-o", "json"))
	require.InDelta(t, 2, report["matches_per_hour"], 0.1)

	broken := filepath.Join(t.TempDir(), "broken.yaml")
	require.NoError(t, os.WriteFile(broken, []byte("ref: shop.new\ntrigger: shop.odrer\naction: {ref: mail.send}\nconditions:\n  - {field: n, operator: is, value: 1}\n"), 0o600))
	for args, want := range map[string]string{
		"rule backtest shop.none --since 1h":      "shop.none is neither a file nor a rule",
		"rule backtest shop.big@9 --since 1h":     "there is no version 9 of rule shop.big",
		"rule backtest shop.big":                  `"since" not set`,
		"rule backtest shop.big --since 1w":       "such as 15m, 24h or 7d",
		"rule backtest " + broken + " --since 1h": broken + `:2: trigger: unknown trigger "shop.odrer"`,
	} {
		r := b.run(strings.Fields(args)...)
		require.Equal(t, 2, r.code, args)
		require.Contains(t, r.stderr, want, args)
	}
	r := b.run("rule", "backtest", "shop.big", "--since", "1h", "--trigger", "shop.quiet")
	require.Equal(t, 1, r.code)
	require.Contains(t, r.stderr, "there is no event of shop.quiet since ")
}
