package cli_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/internal/sensor"
)

// bring stores payloads with these keys as a poll of shop.orders.
func (b *bench) bring(keys ...string) sensor.Appended {
	b.t.Helper()
	turn, err := b.store.Turn(b.ctx, "shop.orders")
	require.NoError(b.t, err)
	turn.Sensor.DedupeTTL = time.Hour
	var part sensor.Part
	for _, key := range keys {
		part.Items = append(part.Items, sensor.Item{Payload: []byte(`{"total": 1}`), Key: key})
	}
	appended, err := b.store.Append(b.ctx, turn, part)
	require.NoError(b.t, err)
	return appended
}

func TestDedupe(t *testing.T) {
	t.Parallel()
	b := newBench(t).withDatabase()
	b.ok("apply", folder(t, "shop"))
	b.process(b.bring("order 1", "order 2", "order 1").Batches[0].ID, []int{0, 1})
	b.bring("order 3", "order 1")

	require.Equal(t, []any{"order 3", "order 2", "order 1"}, b.column("key", "dedupe", "list", "shop.orders"))
	require.Equal(t, []any{nil, 2.0, 1.0}, b.column("event_id", "dedupe", "list", "shop.orders"))
	require.Equal(t, []any{0.0, 0.0, 2.0}, b.column("suppressed", "dedupe", "list", "shop.orders"))
	require.Equal(t, []any{"order 3"}, b.column("key", "dedupe", "list", "shop.orders", "--limit", "1"))
	table := strings.Split(b.ok("dedupe", "list", "shop.orders"), "\n")
	require.Regexp(t, `^KEY +EVENT +CREATED +EXPIRES +SUPPRESSED +LAST$`, table[0])
	require.Regexp(t, `^order 1 +1 +20\S+Z +20\S+Z +2 +20\S+Z$`, table[3])

	require.Equal(t, "forgot 1 of 2 keys of sensor shop.orders\n", b.ok("dedupe", "clear", "shop.orders", "order 1", "order 9"))
	require.Equal(t, 0, b.bring("order 1").Suppressed)
	require.Equal(t, map[string]any{"ref": "shop.orders", "cleared": 3.0},
		decode[map[string]any](t, b.ok("dedupe", "clear", "shop.orders", "--all", "-o", "json")))
	require.Equal(t, "forgot 0 keys of sensor shop.orders\n", b.ok("dedupe", "clear", "shop.orders", "--all"))

	require.Contains(t, b.fails(1, "dedupe", "clear", "shop.orders", "order 1"), "has none of these keys")
	require.Contains(t, b.fails(2, "dedupe", "clear", "shop.orders"), "which keys?")
	require.Contains(t, b.fails(2, "dedupe", "clear", "shop.orders", "x", "--all"), "not both")
	require.Contains(t, b.fails(2, "dedupe", "clear", "shop.order", "x"), "did you mean shop.orders?")
	require.Contains(t, b.fails(2, "dedupe", "list", "shop.order"), "did you mean shop.orders?")
}
