package store_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/internal/sensor"
	"github.com/attune-automation/sensors/internal/store"
)

// setupWebhook is setup with a sensor that is a webhook.
func setupWebhook(t testing.TB) *bundle {
	t.Helper()
	b := setup(t)
	b.exec(t, `update attune.sensor set runtime_ref = 'core.webhook', entrypoint = '', poll_interval = null`)
	return b
}

// newDelivery returns a delivery that has a payload of its own.
func newDelivery(t testing.TB, key string) sensor.Delivery {
	t.Helper()
	id, err := uuid.NewV7()
	require.NoError(t, err)
	return sensor.Delivery{
		ID: id.String(), SensorRef: sensorRef, Key: key, Payload: fmt.Appendf(nil, `{"delivery_id": %q}`, id),
		ReceivedAt: time.Now().UTC().Truncate(time.Microsecond),
	}
}

func (b *bundle) deliver(t testing.TB, deliveries ...sensor.Delivery) []sensor.Receipt {
	t.Helper()
	receipts, err := b.InsertDeliveries(b.ctx, deliveries)
	require.NoError(t, err)
	require.Len(t, receipts, len(deliveries))
	return receipts
}

// deliverN stores n deliveries and returns them.
func (b *bundle) deliverN(t testing.TB, n int) []sensor.Delivery {
	t.Helper()
	deliveries := make([]sensor.Delivery, n)
	for i := range deliveries {
		deliveries[i] = newDelivery(t, "")
	}
	for _, r := range b.deliver(t, deliveries...) {
		require.NoError(t, r.Err)
	}
	return deliveries
}

// pollDeliveries does what a poll of a webhook does.
func (b *bundle) pollDeliveries(ctx context.Context) (sensor.Appended, error) {
	turn, err := b.Turn(ctx, sensorRef)
	if err != nil {
		return sensor.Appended{}, err
	}
	pending, _, err := b.PendingDeliveries(ctx, sensorRef)
	if err != nil {
		return sensor.Appended{}, err
	}
	return b.Append(ctx, turn, deliveriesPart(pending))
}

func deliveriesPart(pending []sensor.Delivery) (part sensor.Part) {
	for _, d := range pending {
		part.Items = append(part.Items, sensor.Item{Payload: d.Payload})
		part.Deliveries = append(part.Deliveries, d.ID)
	}
	return part
}

func (b *bundle) pending(t testing.TB) []sensor.Delivery {
	t.Helper()
	pending, _, err := b.PendingDeliveries(b.ctx, sensorRef)
	require.NoError(t, err)
	return pending
}

// requireEvents requires that each delivery is one event, in this order.
func (b *bundle) requireEvents(t testing.TB, deliveries []sensor.Delivery) {
	t.Helper()
	events, err := b.Events(b.ctx, store.EventFilter{Limit: 100_000})
	require.NoError(t, err)
	require.Len(t, events, len(deliveries))
	for i, d := range deliveries {
		require.JSONEq(t, string(d.Payload), string(events[len(events)-1-i].Payload))
	}
}

func TestInsertDeliveries(t *testing.T) {
	t.Parallel()
	b := setupWebhook(t)
	first := newDelivery(t, "k1")
	require.Equal(t, []sensor.Receipt{{ID: first.ID}}, b.deliver(t, first))

	again, other, none := newDelivery(t, "k1"), newDelivery(t, "k2"), newDelivery(t, "")
	twin, elsewhere := newDelivery(t, "k2"), newDelivery(t, "k1")
	elsewhere.SensorRef = "shop.gone"
	long, nul, unnamed := newDelivery(t, strings.Repeat("x", sensor.MaxKey+1)), newDelivery(t, "a\x00"), newDelivery(t, "")
	unnamed.ID = "7"
	binary := newDelivery(t, "")
	binary.Payload = []byte("\x00\xff not JSON")
	receipts := b.deliver(t, again, other, none, twin, elsewhere, long, nul, unnamed, binary)
	require.Equal(t, []sensor.Receipt{
		{ID: first.ID, Duplicate: true}, {ID: other.ID}, {ID: none.ID}, {ID: other.ID, Duplicate: true},
	}, receipts[:4])
	require.ErrorIs(t, receipts[4].Err, sensor.ErrNotFound)
	for _, r := range receipts[5:8] {
		require.ErrorIs(t, r.Err, sensor.ErrRejectedPayload)
	}
	require.Equal(t, sensor.Receipt{ID: binary.ID}, receipts[8])
	pending := b.pending(t)
	require.Len(t, pending, 4)
	for i, want := range []sensor.Delivery{first, other, none, binary} {
		want.Key = ""
		require.Equal(t, want, pending[i])
	}
}

// Two commits with the same keys, in whatever order, do not wait for each other: PostgreSQL would fail one of them.
func TestTheSameKeysInAnyOrder(t *testing.T) {
	t.Parallel()
	b := setupWebhook(t)
	const rounds, n = 20, 200
	for round := range rounds {
		var storing sync.WaitGroup
		for _, backwards := range []bool{false, true} {
			deliveries := make([]sensor.Delivery, n)
			for i := range deliveries {
				deliveries[i] = newDelivery(t, fmt.Sprintf("%d/%d", round, i))
			}
			if backwards {
				slices.Reverse(deliveries)
			}
			storing.Go(func() {
				if _, err := b.InsertDeliveries(b.ctx, deliveries); err != nil {
					t.Error(err)
				}
			})
		}
		storing.Wait()
	}
	pending, _, err := b.PendingDeliveries(b.ctx, sensorRef)
	require.NoError(t, err)
	require.Len(t, pending, sensor.MaxBatch)
}

func TestPendingDeliveriesAreABatchAtMost(t *testing.T) {
	t.Parallel()
	b := setupWebhook(t)
	large := make([]sensor.Delivery, 3)
	for i := range large {
		large[i] = newDelivery(t, "")
		large[i].Payload = make([]byte, 4<<20)
	}
	b.deliver(t, large...)
	pending, more, err := b.PendingDeliveries(b.ctx, sensorRef)
	require.NoError(t, err)
	require.True(t, more)
	require.Len(t, pending, 2)
	_, err = b.pollDeliveries(b.ctx)
	require.NoError(t, err)
	small := b.deliverN(t, sensor.MaxBatch)
	pending, more, err = b.PendingDeliveries(b.ctx, sensorRef)
	require.NoError(t, err)
	require.True(t, more)
	require.Equal(t, large[2].ID, pending[0].ID)
	require.Equal(t, small[0].ID, pending[1].ID)
}

// Many senders at once, with keys that they share, while many pollers believe that they own the sensor: each key is one
// event, in some order that is that of the batches, and nobody is told otherwise.
func TestDeliveriesBecomeEventsOnce(t *testing.T) {
	t.Parallel()
	b := setupWebhook(t)
	const senders, each, pollers = 4, 60, 4
	type answer struct{ key, id string }
	answers := make(chan answer, senders*each)
	var sending, polling sync.WaitGroup
	over := make(chan struct{})
	for range senders {
		sending.Go(func() {
			for i := range each {
				key := fmt.Sprint("key ", i)
				receipts, err := b.InsertDeliveries(b.ctx, []sensor.Delivery{newDelivery(t, key)})
				if err != nil || receipts[0].Err != nil {
					t.Errorf("not stored: %v, %v", err, receipts)
					return
				}
				answers <- answer{key, receipts[0].ID}
			}
		})
	}
	for range pollers {
		polling.Go(func() {
			for last := false; ; {
				appended, err := b.pollDeliveries(b.ctx)
				switch {
				case errors.Is(err, sensor.ErrTurnLost):
				case err != nil:
					t.Error(err)
					return
				case len(appended.Batches) == 0 && last:
					return
				}
				select {
				case <-over:
					last = true
				default:
				}
			}
		})
	}
	sending.Wait()
	close(over)
	polling.Wait()
	close(answers)
	ids := map[string]string{}
	for a := range answers {
		if ids[a.key] == "" {
			ids[a.key] = a.id
		}
		require.Equal(t, ids[a.key], a.id, a.key)
	}
	heads, err := b.Pending(b.ctx, sensorRef)
	require.NoError(t, err)
	for _, head := range heads {
		b.process(t, head.ID)
	}
	events, err := b.Events(b.ctx, store.EventFilter{Limit: 1000})
	require.NoError(t, err)
	require.Len(t, events, each)
	seen := map[string]bool{}
	for _, e := range events {
		seen[string(e.Payload)] = true
	}
	for _, id := range ids {
		require.True(t, seen[fmt.Sprintf(`{"delivery_id": %q}`, id)])
	}
	records, err := b.Deliveries(b.ctx, store.DeliveryFilter{SensorRef: sensorRef, Status: store.DeliveryEvent, Limit: 1000})
	require.NoError(t, err)
	require.Len(t, records, each)
}

func TestAZombieTakesNoDeliveries(t *testing.T) {
	t.Parallel()
	b := setupWebhook(t)
	deliveries := b.deliverN(t, 3)
	zombie, pending := b.turn(t), b.pending(t)
	_, err := b.pollDeliveries(b.ctx)
	require.NoError(t, err)
	_, err = b.Append(b.ctx, zombie, deliveriesPart(pending))
	require.ErrorIs(t, err, sensor.ErrTurnLost)
	_, err = b.Append(b.ctx, b.turn(t), deliveriesPart(pending))
	require.ErrorIs(t, err, sensor.ErrTurnLost, "another batch has them, whatever the turn")
	require.Equal(t, 1, b.count(t, "poll_batch"))
	_, err = b.Append(b.ctx, b.turn(t), sensor.Part{Deliveries: []string{deliveries[0].ID}})
	require.ErrorContains(t, err, "one item for each")
}

func TestDeliveriesOfASensorThatGoes(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(p *sensor.Pack)
		prune  bool
	}{
		"removed":    {func(p *sensor.Pack) { p.Sensors = nil }, true},
		"no webhook": {func(p *sensor.Pack) { p.Sensors[0].Runtime, p.Sensors[0].Entrypoint = sensor.RuntimeExec, "x" }, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setupWebhook(t)
			pack := b.storedPack(t)
			deliveries := b.deliverN(t, sensor.MaxBatch+1)
			c.change(&pack)
			_, err := b.ApplyPack(b.ctx, pack, store.ApplyOptions{Prune: c.prune})
			require.NoError(t, err)
			require.Empty(t, b.pending(t))
			require.ErrorIs(t, b.deliver(t, newDelivery(t, ""))[0].Err, sensor.ErrNotFound)
			heads, err := b.Pending(b.ctx, sensorRef)
			require.NoError(t, err)
			require.Len(t, heads, 2)
			for _, head := range heads {
				b.process(t, head.ID)
			}
			b.requireEvents(t, deliveries)
		})
	}
}

// storedPack is the pack as it is stored.
func (b *bundle) storedPack(t testing.TB) sensor.Pack {
	t.Helper()
	def, err := b.Sensor(b.ctx, sensorRef)
	require.NoError(t, err)
	trigger, err := b.Trigger(b.ctx, triggerRef)
	require.NoError(t, err)
	set, err := b.Ruleset(b.ctx, triggerRef)
	require.NoError(t, err)
	return sensor.Pack{
		Ref: "shop", Label: "Shop", Digest: digest, Archive: []byte("files"), Triggers: []sensor.Trigger{trigger},
		Sensors: []sensor.Sensor{def}, Rules: set.Rules,
	}
}

// A sender that is in the middle of a delivery when the sensor is removed is either in time, or told so.
func TestDeliveriesRaceTheRemoval(t *testing.T) {
	t.Parallel()
	for range 5 {
		b := setupWebhook(t)
		pack := b.storedPack(t)
		var mu sync.Mutex
		accepted := 0
		var sending sync.WaitGroup
		for range 4 {
			sending.Go(func() {
				for {
					receipts, err := b.InsertDeliveries(b.ctx, []sensor.Delivery{newDelivery(t, "")})
					if err != nil {
						t.Error(err)
						return
					}
					if errors.Is(receipts[0].Err, sensor.ErrNotFound) {
						return
					}
					mu.Lock()
					accepted++
					mu.Unlock()
				}
			})
		}
		require.Eventually(t, func() bool { mu.Lock(); defer mu.Unlock(); return accepted > 20 }, time.Minute, time.Millisecond)
		pack.Sensors = nil
		_, err := b.ApplyPack(b.ctx, pack, store.ApplyOptions{Prune: true})
		require.NoError(t, err)
		sending.Wait()
		require.Empty(t, b.pending(t))
		require.Equal(t, accepted, b.count(t, "webhook_delivery where batch is not null"))
	}
}
