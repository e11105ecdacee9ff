package store_test

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/internal/sensor"
	"github.com/attune-automation/sensors/internal/store"
)

func TestBatchDeliveries(t *testing.T) {
	t.Parallel()
	b := setupWebhook(t)
	deliveries := b.deliverN(t, 3)
	b.exec(t, `insert into attune.sensor_state (sensor_ref, stopped) values ($1, true)`, sensorRef)
	for _, want := range []int{3, 0} {
		taken, err := b.BatchDeliveries(b.ctx, sensorRef)
		require.NoError(t, err)
		require.Equal(t, want, taken)
	}
	heads, err := b.Pending(b.ctx, sensorRef)
	require.NoError(t, err)
	require.Len(t, heads, 1)
	b.process(t, heads[0].ID)
	b.requireEvents(t, deliveries)
	taken, err := b.BatchDeliveries(b.ctx, "shop.unknown")
	require.NoError(t, err)
	require.Zero(t, taken)
}

func TestRedeliver(t *testing.T) {
	t.Parallel()
	b := setupWebhook(t)
	first := newDelivery(t, "key")
	b.deliver(t, first)
	again := newDelivery(t, "")
	require.NoError(t, b.Redeliver(b.ctx, first.ID, again))
	_, err := b.pollDeliveries(b.ctx)
	require.NoError(t, err)
	heads, err := b.Pending(b.ctx, sensorRef)
	require.NoError(t, err)
	b.process(t, heads[0].ID)
	b.requireEvents(t, []sensor.Delivery{first, again})
	record, err := b.Delivery(b.ctx, again.ID)
	require.NoError(t, err)
	require.Equal(t, first.ID, record.RedeliveredFrom)
	require.Empty(t, record.Key)
	require.Equal(t, store.DeliveryEvent, record.Status)

	require.ErrorIs(t, b.Redeliver(b.ctx, uuid.NewString(), newDelivery(t, "")), sensor.ErrNotFound)
	_, err = b.Delivery(b.ctx, "nothing like an ID")
	require.ErrorIs(t, err, sensor.ErrNotFound)
	b.exec(t, `delete from attune.sensor`)
	require.ErrorIs(t, b.Redeliver(b.ctx, first.ID, newDelivery(t, "")), sensor.ErrNotFound)
}

func TestListDeliveries(t *testing.T) {
	t.Parallel()
	b := setupWebhook(t)
	deliveries := b.deliverN(t, 2)
	bad := newDelivery(t, "bad one")
	b.deliver(t, bad)
	_, err := b.pollDeliveries(b.ctx)
	require.NoError(t, err)
	statuses := func(filter store.DeliveryFilter) (ids []string) {
		filter.SensorRef = sensorRef
		records, err := b.Deliveries(b.ctx, filter)
		require.NoError(t, err)
		for _, r := range records {
			require.True(t, filter.Status == "" || r.Status == filter.Status)
			ids = append(ids, r.ID)
		}
		return ids
	}
	require.Len(t, statuses(store.DeliveryFilter{Status: store.DeliveryStored}), 3)
	heads, err := b.Pending(b.ctx, sensorRef)
	require.NoError(t, err)
	batch := b.batch(t, heads[0].ID)
	events, err := b.CommitEvents(b.ctx, batch, newEvents(batch)[:2], []sensor.Rejection{{Position: 2, Raw: bad.Payload, Reason: "bad"}})
	require.NoError(t, err)
	waiting := b.deliverN(t, 1)

	require.Equal(t, []string{waiting[0].ID}, statuses(store.DeliveryFilter{Status: store.DeliveryPending}))
	require.Equal(t, []string{deliveries[1].ID, deliveries[0].ID}, statuses(store.DeliveryFilter{Status: store.DeliveryEvent}))
	require.Equal(t, []string{bad.ID}, statuses(store.DeliveryFilter{Status: store.DeliveryRejected}))
	require.Equal(t, []string{deliveries[0].ID}, statuses(store.DeliveryFilter{BeforeID: deliveries[1].ID}))
	require.Len(t, statuses(store.DeliveryFilter{}), 4)
	require.Len(t, statuses(store.DeliveryFilter{Limit: 2}), 2)
	require.Empty(t, statuses(store.DeliveryFilter{Since: time.Now().Add(time.Hour)}))
	record, err := b.Delivery(b.ctx, bad.ID)
	require.NoError(t, err)
	require.Equal(t, store.DeliveryRecord{
		ID: bad.ID, SensorRef: sensorRef, Key: "bad one", Payload: bad.Payload, ReceivedAt: bad.ReceivedAt,
		Status: store.DeliveryRejected, BatchID: &batch.ID, Reason: "bad",
	}, record)
	record, err = b.Delivery(b.ctx, deliveries[1].ID)
	require.NoError(t, err)
	require.Equal(t, events[1].ID, *record.EventID)
	counts, err := b.PendingCounts(b.ctx)
	require.NoError(t, err)
	require.Equal(t, map[string]int64{sensorRef: 1}, counts)
}

func TestSweepDeliveries(t *testing.T) {
	t.Parallel()
	b := setupWebhook(t)
	old := func() sensor.Delivery {
		d := newDelivery(t, "")
		d.ID = store.FirstID(time.Now().Add(-time.Hour).Add(time.Duration(b.count(t, "webhook_delivery")) * time.Second))
		return d
	}
	for range 3 {
		b.deliver(t, old())
	}
	b.deliverN(t, 1)
	_, err := b.pollDeliveries(b.ctx)
	require.NoError(t, err)
	b.deliver(t, old()) // still pending
	sweep := func(limit int) int {
		n, err := b.SweepDeliveries(b.ctx, 30*time.Minute, limit)
		require.NoError(t, err)
		return n
	}
	require.Zero(t, sweep(10), "the batch is not done")
	heads, err := b.Pending(b.ctx, sensorRef)
	require.NoError(t, err)
	b.process(t, heads[0].ID)
	require.Equal(t, 2, sweep(2))
	require.Equal(t, 1, sweep(2))
	require.Zero(t, sweep(2))
	for age, want := range map[time.Duration][]string{30 * time.Minute: {sensorRef}, 2 * time.Hour: {}} {
		waiting, err := b.WaitingWebhooks(b.ctx, age, 10)
		require.NoError(t, err)
		require.Equal(t, want, waiting)
	}
	require.Equal(t, 2, b.count(t, "webhook_delivery"), "what waits, and what is young")
}
