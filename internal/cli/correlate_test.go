package cli_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/internal/sensor"
)

// pair is a rule of the shop that correlates two orders of a customer.
const pair = `
ref: shop.pair
trigger: shop.order
conditions: [{field: total, operator: equals, value: 1}]
correlate:
  within: 1h
  group_by: [payload.by]
  then:
    - {name: second, trigger: shop.order, conditions: [{field: total, operator: equals, value: 2}]}
action: {ref: core.echo, params: {n: "{{ group.count }}"}}
`

// nothing renders no parameters.
func nothing(*sensor.Rule) sensor.GroupRender {
	return func(context.Context, *sensor.Event, json.RawMessage) (json.RawMessage, string, error) {
		return nil, "", nil
	}
}

func TestCorrelatedRules(t *testing.T) {
	t.Parallel()
	b := newBench(t).withDatabase().withTemporal()
	shop := filepath.Join(t.TempDir(), "shop")
	require.NoError(t, os.CopyFS(shop, os.DirFS(folder(t, "shop"))))
	file := filepath.Join(shop, "rules/pair.yaml")
	require.NoError(t, os.WriteFile(file, []byte(pair), 0o600))
	require.Contains(t, b.ok("apply", shop), "create rule shop.pair/second\n")
	for _, payload := range []string{`{"total": 2, "by": "x"}`, `{"total": 1, "by": "x"}`, `{"total": 1, "by": "y"}`, `{"total": 2, "by": "y"}`} {
		id, err := b.store.StoreSystemEvent(b.ctx, sensor.SystemEvent{TriggerRef: "shop.order", Payload: []byte(payload)})
		require.NoError(t, err)
		b.process(id, []int{0})
	}

	why := b.ok("event", "1", "--why")
	require.Regexp(t, `shop.pair/second, version 1, matched; early: no first within 1h before it, group {"payload.by": "x"}`, why)
	require.Contains(t, why, `shop.pair, version 1, did not match (0 of 1; total was 2, expected 1)`, "near misses are of each part")
	require.Regexp(t, `shop.pair, version 1, matched; collected in group \d+: 1 of 2 parts: no second yet, due in (1h|59m\d+s), group`, b.ok("event", "2", "--why"))
	require.Regexp(t, `collected in group \d+: all parts came, and it is about to be closed`, b.ok("rule", "explain", "shop.pair/second", "--event", "4"))

	groups := b.ok("groups", "shop.pair")
	require.Regexp(t, `shop.pair +correlation +{"payload.by": "x"} +open +1 .*1 of 2 parts: no second yet`, groups)
	require.Regexp(t, `shop.pair +correlation +{"payload.by": "y"} +completed +2 `, groups)
	require.Equal(t, []any{"core.echo", "core.echo"}, b.column("action_ref", "rules")[2:])
	rules := b.ok("rules")
	require.Regexp(t, `shop.pair/second .* part of shop.pair `, rules)
	require.Equal(t, []any{2.0, 2.0}, b.column("matches", "rules")[2:])
	require.Contains(t, b.ok("rule", "versions", "shop.pair/second"), "correlate first,")

	completed := b.column("id", "groups", "shop.pair")[1].(float64)
	_, err := b.store.CloseGroup(b.ctx, sensor.GroupHead{ID: int64(completed), Rule: "shop.pair"}, nothing)
	require.NoError(t, err)
	require.Regexp(t, `matched; collected for enforcement \d+, group {"payload.by": "y"}`, b.ok("event", "4", "--why"))
	require.Regexp(t, `answers +2 collected: events 3, 4\n`, b.ok("enforcement", fmt.Sprint(b.column("id", "enforcements", "--rule", "shop.pair")[0])))
	require.Equal(t, []any{2.0, 2.0}, b.column("matches", "rules")[2:], "the enforcement is no match of its own")

	for _, subject := range []string{file, "shop.pair", "shop.pair/second", "shop.pair@1"} {
		require.Regexp(t, `^shop.pair would have matched 4 of 4 events of shop.order .*\nby its throttle or correlation, that would have made 1 enforcement\n`,
			b.ok("rule", "backtest", subject, "--since", "1h"))
	}
	require.Contains(t, b.ok("rule", "backtest", file, "--since", "1h", "--compare"), "0 more, 0 fewer, 4 the same\nby its throttle or correlation, that one would have made 1 enforcement\n")
	require.Contains(t, b.fails(2, "rule", "backtest", file, "--since", "1h", "--trigger", "shop.quiet"), "--trigger shop.quiet: a correlation looks at events of the triggers of all its parts, shop.order: leave")
	require.Contains(t, b.fails(2, "replay", "--since", "1h", "--rules", "shop.pair"), "rule shop.pair is part of a correlation")

	require.NoError(t, os.WriteFile(file, []byte("ref: shop.pair\ntrigger: shop.order\naction: {ref: core.echo}\n"), 0o600))
	require.Regexp(t, `version 1, in force: 0 more, 0 fewer, 4 the same\n.* made 1 enforcement\n`, b.ok("rule", "backtest", file, "--since", "1h", "--compare"))
	require.Contains(t, b.ok("apply", shop), "delete rule shop.pair/second\n")
	require.Regexp(t, `version 2, in force: .*\n.* made 4 enforcements\n`, b.ok("rule", "backtest", "shop.pair@1", "--since", "1h", "--compare"))
	open := int64(b.column("id", "groups", "shop.pair", "--open")[0].(float64))
	closed, err := b.store.CloseGroup(b.ctx, sensor.GroupHead{ID: open, Rule: "shop.pair"}, nothing)
	require.NoError(t, err)
	require.Greater(t, closed.Wait, 50*time.Minute)
}

// A match of a part fires nothing by itself, and the trial of a sensor says what it is part of.
func TestSensorTestSaysWhatCorrelates(t *testing.T) {
	t.Parallel()
	b := newBench(t).withCode()
	out := b.ok("sensor", "test", examples, "--sensor", "http_probe", "--match", "--cursor", `"up"`, "--config", `{"url": "http://127.0.0.1:2/"}`)
	require.Contains(t, out, "  rule examples.commit_breaks_site/down matches: it is down of first, then down, within 5m\n")
	require.Contains(t, out, "  rule examples.site_stays_down matches: it is first of first, then no up, within 3s\n")
	require.Contains(t, out, "  rule examples.site_down fires: ")
}
