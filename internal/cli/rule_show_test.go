package cli_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestRuleErrors finds the rule that has no result for an event, and why, where operators look.
func TestRuleErrors(t *testing.T) {
	t.Parallel()
	b := newBench(t).withDatabase()
	b.seed() // totals of 5, 250 and 7
	shop := folder(t, "shop")
	require.NoError(t, os.WriteFile(filepath.Join(shop, "rules/share.yaml"), []byte(
		"ref: shop.share\nlabel: Share\ntrigger: shop.order\ncel: 100.0 / double(payload.total) > 10.0 || payload.gift\naction: {ref: mail.send}\n"), 0o600))
	b.ok("apply", shop)
	require.Contains(t, b.fails(2, "rule", "show", "shop.none"), `there is no rule "shop.none"`)
	out := b.ok("rule", "show", "shop.share")
	require.Regexp(t, `evaluation errors +0`, out)
	require.NotContains(t, out, "last error")
	require.Contains(t, b.ok("rule", "show", "shop.share", "-o", "json"), `"last_error": null`)

	b.emit(`{"total": 5}`)
	b.emit(`{"total": 50}`)
	b.emit(`{"total": 60}`)
	require.Regexp(t, `(?m)^shop\.share +on .* 2$`, b.ok("rules"))
	out = b.ok("rule", "show", "shop.share")
	require.Regexp(t, `(?m)^matches +1, of which 0 are held back$`, out)
	require.Regexp(t, `(?m)^failed enforcements +0$`, out)
	require.Regexp(t, `(?m)^evaluation errors +2$`, out)
	require.Regexp(t, `(?m)^last match +20\S+Z, event 4$`, out)
	require.Regexp(t, `(?m)^last error +20\S+Z, version 1 on event 6: payload\.gift: gift is missing$`, out)
	require.Regexp(t, `(?m)^to see why +starter event 6 --why$`, out)
	shown := decode[map[string]any](t, b.ok("rule", "show", "shop.share", "-o", "json"))
	require.Equal(t, []any{2.0, 0.0, 2.0}, []any{shown["errors"], shown["failed_enforcements"], shown["evaluation_errors"]})
	last := shown["last_error"].(map[string]any)
	require.Equal(t, []any{6.0, 1.0}, []any{last["event_id"], last["rule_version"]})
	require.Contains(t, b.ok("event", "6", "--why"), "gift is missing")

	out = b.ok("rule", "backtest", "shop.share", "--since", "1h")
	require.Contains(t, out, "its expression has no result for 3 events, which do not match, the last one event 6: payload.gift: gift is missing")

	tripped, err := b.store.TripRule(t.Context(), "shop.share", 1, "5 evaluations cost too much")
	require.NoError(t, err)
	require.True(t, tripped)
	out = b.ok("rule", "show", "shop.share")
	require.Regexp(t, `(?m)^because +5 evaluations cost too much$`, out)
	require.Contains(t, out, "starter rule reset shop.share")
}
