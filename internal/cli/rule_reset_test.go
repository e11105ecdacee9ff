package cli_test

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// TestRuleReset sees a tripped rule where operators look, and has it evaluated again.
func TestRuleReset(t *testing.T) {
	t.Parallel()
	b := newBench(t).withDatabase().withTemporal()
	b.seed()
	require.Contains(t, b.fails(1, "rule", "reset", "shop.every"), "rule shop.every is not tripped")
	require.Contains(t, b.fails(2, "rule", "reset", "shop.none"), `there is no rule "shop.none"`)

	tripped, err := b.store.TripRule(t.Context(), "shop.every", 1, "5 evaluations took long")
	require.NoError(t, err)
	require.True(t, tripped)
	require.Regexp(t, `shop\.every +tripped +2 `, b.ok("rules"))
	require.Contains(t, b.ok("rules", "-o", "yaml"), "trip_reason: 5 evaluations took long")
	require.Regexp(t, `(?m)^2 .* tripped `, b.ok("rule", "versions", "shop.every"))
	r := b.run("rule", "explain", "shop.every", "--event", "1")
	require.Equal(t, 0, r.code, "it matched then")
	require.Regexp(t, `shop\.every, version 2, now does not match \(no conditions; it was tripped at 20\S+Z: 5 evaluations took long\)`, r.stdout)
	require.Contains(t, b.fails(2, "replay", "--since", "1h", "--rules", "shop.every"), "starter rule reset shop.every")

	require.Regexp(t, `shop\.every is evaluated again.*starter replay --since 20\S+Z --rules shop\.every`, b.ok("rule", "reset", "shop.every"))
	require.Regexp(t, `shop\.every +on +3 `, b.ok("rules"))
}
