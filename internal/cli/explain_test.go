package cli_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestWhy(t *testing.T) {
	t.Parallel()
	b := newBench(t).withDatabase()
	b.seed()

	const missed = `shop.big, version 1, did not match (0 of 1; payload.total was 5, expected greater_than 100)
    no  payload.total greater_than 100  5  value is not greater
`
	require.Equal(t, missed+"shop.every, version 1, matched: enforcement 1 (no conditions)\n", b.ok("event", "1", "--why"))
	r := b.run("rule", "explain", "shop.big", "--event", "1")
	require.Equal(t, 1, r.code)
	require.Equal(t, missed, r.stdout)
	require.Contains(t, b.ok("rule", "explain", "shop.big", "--event", "2"), "matched: enforcement 2 (1 of 1)\n")

	shop := filepath.Join(t.TempDir(), "shop")
	require.NoError(t, os.CopyFS(shop, os.DirFS(folder(t, "shop"))))
	big := filepath.Join(shop, "rules/big.yaml")
	text, err := os.ReadFile(big)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(big, []byte(strings.ReplaceAll(string(text), "100", "4")), 0o600))
	b.ok("apply", shop)
	why := b.ok("event", "1", "--why")
	require.Contains(t, why, missed)
	require.Contains(t, why, "shop.big, version 2, now matches (1 of 1)\n")
	versions := b.ok("rule", "versions", "shop.big")
	require.Regexp(t, `(?m)^2 .*greater_than`, versions)
	require.Regexp(t, `(?m)^1 +\S+Z +\S+Z `, versions)

	for args, want := range map[string]string{
		"rule explain shop.none --event 1": `there is no rule "shop.none"`,
		"rule explain shop.big --event 99": "there is no event 99",
		"rule explain shop.big":            `"event" not set`,
		"rule versions shop.none":          `there is no rule "shop.none"`,
	} {
		r := b.run(strings.Fields(args)...)
		require.Equal(t, 2, r.code, args)
		require.Contains(t, r.stderr, want, args)
	}
}
