package cli_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/internal/runner/webhook"
	"github.com/attune-automation/sensors/internal/sensor"
	"github.com/attune-automation/sensors/internal/store"
)

// hookPack has a webhook.
var hookPack = sensor.Pack{
	Ref: "web", Label: "Web", Digest: strings.Repeat("a", 64), Archive: []byte("files"),
	Triggers: []sensor.Trigger{{Ref: "web.push", PackRef: "web", Label: "Push", Enabled: true}},
	Sensors: []sensor.Sensor{{
		Ref: "web.hook", PackRef: "web", Label: "Hook", Enabled: true, Runtime: sensor.RuntimeWebhook, TriggerRef: "web.push",
		Config: json.RawMessage(`{"auth": "none"}`),
	}},
}

// pollHook polls the webhook, and refuses the payloads at these places.
func (b *bench) pollHook(bad ...int) {
	b.t.Helper()
	turn, err := b.store.Turn(b.ctx, "web.hook")
	require.NoError(b.t, err)
	r, err := webhook.NewRunner(webhook.RunnerConfig{Deliveries: b.store, Secrets: noSecrets{}, Catalog: b.store, Metrics: noSecrets{}})
	require.NoError(b.t, err)
	var heads []sensor.BatchHead
	_, err = r.Poll(b.ctx, sensor.PollRequest{Sensor: turn.Sensor, Take: func(ctx context.Context, part sensor.Part) error {
		appended, err := b.store.Append(ctx, turn, part)
		heads = appended.Batches
		return err
	}})
	require.NoError(b.t, err)
	for _, head := range heads {
		var good []int
		for i := range head.Count - len(bad) {
			good = append(good, i)
		}
		b.process(head.ID, good, bad...)
	}
}

type noSecrets struct{}

func (noSecrets) Lookup(name string) (string, error) { return "", fmt.Errorf("no secret %s", name) }
func (noSecrets) DeliveryWaited(time.Duration)       {}

func TestDeliveries(t *testing.T) {
	t.Parallel()
	b := newBench(t).withDatabase()
	_, err := b.store.ApplyPack(b.ctx, hookPack, store.ApplyOptions{})
	require.NoError(t, err)
	ids := make([]string, 3)
	for i := range ids {
		ids[i] = uuid.Must(uuid.NewV7()).String()
		receipts, err := b.store.InsertDeliveries(b.ctx, []sensor.Delivery{{
			ID: ids[i], SensorRef: "web.hook", Key: fmt.Sprint("key ", i), Payload: fmt.Appendf(nil, `{"delivery_id": %q}`, ids[i]),
			ReceivedAt: time.Now().UTC(),
		}})
		require.NoError(t, err)
		require.NoError(t, receipts[0].Err)
	}
	require.Equal(t, []any{"pending", "pending", "pending"}, b.column("status", "deliveries", "web.hook"))
	b.pollHook(2)

	require.Equal(t, []any{ids[2], ids[1], ids[0]}, b.column("id", "deliveries", "web.hook"))
	require.Equal(t, []any{"rejected", "event", "event"}, b.column("status", "deliveries", "web.hook"))
	require.Equal(t, []any{ids[2]}, b.column("id", "deliveries", "web.hook", "--status", "rejected"))
	require.Equal(t, []any{ids[0]}, b.column("id", "deliveries", "web.hook", "--before", ids[1]))
	require.Regexp(t, `^ID +RECEIVED +STATUS +EVENT +KEY +REASON\n`+ids[2]+` +20\S+Z +rejected +key 2 +no JSON\n`, b.ok("deliveries", "web.hook", "--limit", "1"))

	again := decode[map[string]any](t, b.ok("deliveries", "redeliver", ids[0], "-o", "json"))
	require.Equal(t, ids[0], again["redelivered_from"])
	b.pollHook()
	require.Equal(t, []any{ids[0], nil, nil, nil}, b.column("redelivered_from", "deliveries", "web.hook"))
	require.Equal(t, []any{again["id"]}, b.column("id", "deliveries", "web.hook", "--limit", "1"))
	events := decode[[]map[string]any](t, b.ok("events", "--sensor", "web.hook", "-o", "json"))
	require.Len(t, events, 3)
	require.Equal(t, map[string]any{"delivery_id": again["id"], "redelivered_from": ids[0]}, events[0]["payload"])

	require.Contains(t, b.fails(2, "deliveries", "redeliver", "7"), "is no ID of a delivery")
	require.Contains(t, b.fails(2, "deliveries", "redeliver", uuid.NewString()), "there is no delivery")
	require.Contains(t, b.fails(2, "deliveries", "web.hok"), "did you mean web.hook?")
	require.Contains(t, b.fails(2, "deliveries", "web.hook", "--before", "7"), "is no ID of a delivery")
	require.Contains(t, b.fails(2, "deliveries", "web.hook", "--status", "gone"), "pending or stored or event or rejected")
	gone := hookPack
	gone.Sensors = nil
	_, err = b.store.ApplyPack(b.ctx, gone, store.ApplyOptions{Prune: true})
	require.NoError(t, err)
	require.Contains(t, b.fails(2, "deliveries", "redeliver", ids[0]), "apply its pack first")
	require.Len(t, b.column("id", "deliveries", "web.hook"), 4, "what is gone has left them")
}
