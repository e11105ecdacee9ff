package cli_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/internal/sensor"
)

// throttled are rules that hold back matches, beside those of the shop.
var throttled = map[string]string{
	"once.yaml":   "ref: shop.once\ntrigger: shop.order\nthrottle: {once_within: 1h, group_by: [payload.shop]}\naction: {ref: core.echo}\n",
	"pair.yaml":   "ref: shop.pair\ntrigger: shop.order\nthrottle: {at_least: 2, within: 1h}\naction: {ref: core.echo}\n",
	"gather.yaml": "ref: shop.gather\ntrigger: shop.order\nthrottle: {once_after: 1h}\naction: {ref: core.echo}\n",
}

func TestThrottledRules(t *testing.T) {
	t.Parallel()
	b := newBench(t).withDatabase().withTemporal()
	shop := filepath.Join(t.TempDir(), "shop")
	require.NoError(t, os.CopyFS(shop, os.DirFS(folder(t, "shop"))))
	for name, text := range throttled {
		require.NoError(t, os.WriteFile(filepath.Join(shop, "rules", name), []byte(text), 0o600))
	}
	b.ok("apply", shop)
	for range 3 {
		id, err := b.store.StoreSystemEvent(b.ctx, sensor.SystemEvent{TriggerRef: "shop.order", Payload: []byte(`{"total": 5, "shop": "a"}`)})
		require.NoError(t, err)
		b.process(id, []int{0})
	}

	require.Equal(t, []any{"shop.big", "shop.every", "shop.gather", "shop.once", "shop.pair"}, b.column("ref", "rules"))
	require.Equal(t, []any{0.0, 0.0, 3.0, 2.0, 2.0}, b.column("held", "rules"))
	require.Equal(t, []any{0.0, 3.0, 3.0, 3.0, 3.0}, b.column("matches", "rules"))
	require.Equal(t, []any{3.0, 3.0, 3.0, 3.0, 3.0}[1:], b.column("last_event", "rules")[1:])
	require.Contains(t, b.ok("rule", "versions", "shop.once"), `throttle {"group_by": ["payload.shop"], "once_within": "1h"}`)

	why := b.ok("event", "2", "--why")
	require.Regexp(t, `shop.once, version 1, matched; suppressed: once_within 1h of enforcement \d+ \(\d+s before\), group {"payload.shop": "a"} \(no conditions\)`, why)
	require.Regexp(t, `shop.pair, version 1, matched: enforcement \d+ `, why)
	require.Regexp(t, `shop.gather, version 1, matched; collected in group \d+, due in (1h|59m\d+s)`, why)
	why = b.ok("event", "1", "--why")
	require.Regexp(t, `shop.pair, version 1, matched; counted for enforcement \d+`, why)
	require.Contains(t, b.ok("event", "3", "--why"), "shop.pair, version 1, matched; counted: 1 so far, at_least 2 within 1h")

	require.ElementsMatch(t, []any{"once_within", "at_least", "once_after"}, b.column("kind", "groups"))
	require.Equal(t, []any{2.0}, b.column("matches", "groups", "shop.once", "--open"))
	require.Regexp(t, `shop.gather +once_after +{} +open +3 `, b.ok("groups", "shop.gather"))
	r := b.run("groups", "shop.none")
	require.Equal(t, 2, r.code)
	require.Contains(t, r.stderr, `there is no rule "shop.none"`)

	pair := decode[[]struct{ ID int64 }](t, b.ok("enforcements", "--rule", "shop.pair", "-o", "json"))
	require.Len(t, pair, 1)
	require.Regexp(t, `answers +1 counted: events 1\n`, b.ok("enforcement", fmt.Sprint(pair[0].ID)))
	once := decode[[]struct{ ID int64 }](t, b.ok("enforcements", "--rule", "shop.once", "-o", "json"))
	require.Regexp(t, `answers +2 suppressed: events 2, 3\n`, b.ok("enforcement", fmt.Sprint(once[0].ID)))
	require.Contains(t, b.fails(2, "replay", "--since", "1h", "--rules", "shop.once"), "rule shop.once has a throttle, which a replay would go against")
	require.Contains(t, b.ok("replay", "--since", "1h", "--detach"), "left out, since they order by groups of events: shop.gather, shop.once, shop.pair\n")
}

// Once its time has come, a group's enforcement tells of all, and a match says which one lists it.
func TestCollectedMatches(t *testing.T) {
	t.Parallel()
	b := newBench(t).withDatabase()
	shop := filepath.Join(t.TempDir(), "shop")
	require.NoError(t, os.CopyFS(shop, os.DirFS(folder(t, "shop"))))
	require.NoError(t, os.WriteFile(filepath.Join(shop, "rules/gather.yaml"), []byte(strings.Replace(throttled["gather.yaml"], "1h", "1s", 1)), 0o600))
	b.ok("apply", shop)
	for range 2 {
		id, err := b.store.StoreSystemEvent(b.ctx, sensor.SystemEvent{TriggerRef: "shop.order", Payload: []byte(`{"total": 5}`)})
		require.NoError(t, err)
		b.process(id, []int{0})
	}
	require.NoError(t, os.Remove(filepath.Join(shop, "rules/gather.yaml")))
	b.ok("apply", shop, "--prune")
	require.Eventually(t, func() bool {
		closed, err := b.store.CloseGroup(b.ctx, sensor.GroupHead{ID: 1, Rule: "shop.gather"}, nil)
		return err == nil && closed.Status != sensor.GroupOpen
	}, time.Minute, 100*time.Millisecond)
	require.Contains(t, b.ok("event", "1", "--why"), "collected in group 1, which is dropped: the rule has been deleted")
	require.Regexp(t, `dropped +2 .* the rule has been deleted`, b.ok("groups"))
}
