package store_test

import (
	"encoding/json"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/internal/sensor"
)

func TestFinishBatch(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.poll(t, `1`, `{}`)[0].ID

	require.ErrorContains(t, b.FinishBatch(b.ctx, id), "status is stored")
	b.generate(t, id)
	require.ErrorContains(t, b.FinishBatch(b.ctx, id), "status is generated")
	b.match(t, id)
	require.NotEmpty(t, b.batch(t, id).Payloads)
	for range 2 {
		require.NoError(t, b.FinishBatch(b.ctx, id))
		batch := b.batch(t, id)
		require.Equal(t, sensor.BatchDone, batch.Status)
		require.Nil(t, batch.Payloads)
		require.Equal(t, 1, batch.Count)
	}
	require.ErrorIs(t, b.FinishBatch(b.ctx, -1), sensor.ErrNotFound)
	_, err := b.Batch(b.ctx, -1)
	require.ErrorIs(t, err, sensor.ErrNotFound)
}

func TestFinishBatchWithoutEvents(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.poll(t, `1`, `{"a": "\u0000"}`)[0].ID
	b.generate(t, id)

	require.NoError(t, b.FinishBatch(b.ctx, id))

	require.Equal(t, sensor.BatchDone, b.batch(t, id).Status)
}

func TestStoreSystemEvent(t *testing.T) {
	t.Parallel()
	b := setup(t)
	trigger, err := b.Trigger(b.ctx, triggerRef)
	require.NoError(t, err)

	id, err := b.StoreSystemEvent(b.ctx, sensor.SystemEvent{TriggerRef: triggerRef, Payload: json.RawMessage(`{"a":1}`)})
	require.NoError(t, err)

	batch := b.batch(t, id)
	snapshot, err := sensor.TakeSnapshot(trigger, nil)
	require.NoError(t, err)
	require.JSONEq(t, string(snapshot), string(batch.Config))
	require.Equal(t, sensor.Batch{
		ID: id, TriggerRef: triggerRef, Status: sensor.BatchStored, Count: 1, Payloads: [][]byte{[]byte(`{"a":1}`)},
		Config: batch.Config,
	}, batch)

	events := b.generate(t, id)
	require.Equal(t, []sensor.Event{{
		ID: events[0].ID, BatchID: id, TriggerID: &trigger.ID, TriggerRef: triggerRef, Config: batch.Config,
		Payload: json.RawMessage(`{"a": 1}`), Created: events[0].Created,
	}}, events)
	require.Equal(t, events, b.generate(t, id))
	require.Len(t, b.match(t, id), 2)
	b.finish(t, id)
	require.Zero(t, b.count(t, "sensor_state"))
}

func TestStoreSystemEventNeedsAnEnabledTrigger(t *testing.T) {
	t.Parallel()
	b := setup(t)

	_, err := b.StoreSystemEvent(b.ctx, sensor.SystemEvent{TriggerRef: "shop.nothing", Payload: json.RawMessage(`{}`)})
	require.ErrorIs(t, err, sensor.ErrNotFound)
	b.exec(t, `update attune.trigger set enabled = false`)
	_, err = b.StoreSystemEvent(b.ctx, sensor.SystemEvent{TriggerRef: triggerRef, Payload: json.RawMessage(`{}`)})
	require.ErrorIs(t, err, sensor.ErrDisabled)
	require.Zero(t, b.count(t, "poll_batch"))
}

func TestStoreSystemEventOncePerDedupeKey(t *testing.T) {
	t.Parallel()
	b := setup(t)
	event := sensor.SystemEvent{TriggerRef: triggerRef, Payload: json.RawMessage(`{}`), DedupeKey: "once"}

	var wg sync.WaitGroup
	var ids [10]int64
	var errs [10]error
	for i := range ids {
		wg.Go(func() { ids[i], errs[i] = b.StoreSystemEvent(b.ctx, event) })
	}
	wg.Wait()
	for i := range ids {
		require.NoError(t, errs[i])
		require.Equal(t, ids[0], ids[i])
	}
	require.Equal(t, 1, b.count(t, "poll_batch"))

	b.process(t, ids[0])
	b.exec(t, `update attune.trigger set enabled = false`)
	again, err := b.StoreSystemEvent(b.ctx, event)
	require.NoError(t, err, "it is stored already")
	require.Equal(t, ids[0], again)
}

func TestStoreSystemEventRefusesAKeyThatCannotBeStored(t *testing.T) {
	t.Parallel()
	b := setup(t)
	incompressible := strings.Builder{}
	for i := range 20_000 {
		incompressible.WriteRune(rune(0x4e00 + i*7919%20_000))
	}
	for name, key := range map[string]string{"NUL": "a\x00", "invalid UTF-8": "\xff", "huge": incompressible.String()} {
		_, err := b.StoreSystemEvent(b.ctx, sensor.SystemEvent{
			TriggerRef: triggerRef, Payload: json.RawMessage(`{}`), DedupeKey: key,
		})
		require.ErrorIs(t, err, sensor.ErrRejectedPayload, name)
	}
}

func TestOrphanSystemBatches(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.poll(t, `1`, `{}`) // of a sensor, whose own workflow sees to it
	var ids []int64
	for range 4 {
		id, err := b.StoreSystemEvent(b.ctx, sensor.SystemEvent{TriggerRef: triggerRef, Payload: json.RawMessage(`{}`)})
		require.NoError(t, err)
		ids = append(ids, id)
	}
	b.process(t, ids[0])
	b.generate(t, ids[1])

	orphans, err := b.OrphanSystemBatches(b.ctx, time.Hour, 10)
	require.NoError(t, err)
	require.Empty(t, orphans)
	b.exec(t, `update attune.poll_batch set created = created - interval '61 minutes'`)
	orphans, err = b.OrphanSystemBatches(b.ctx, time.Hour, 10)
	require.NoError(t, err)
	require.ElementsMatch(t, ids[1:], orphans)
	orphans, err = b.OrphanSystemBatches(b.ctx, time.Hour, 1)
	require.NoError(t, err)
	require.Len(t, orphans, 1)
	require.Subset(t, ids[1:], orphans)
}

func TestUnfinishedSensors(t *testing.T) {
	t.Parallel()
	b := setup(t)
	unfinished := func() []string {
		refs, err := b.UnfinishedSensors(b.ctx, time.Hour, 10)
		require.NoError(t, err)
		return refs
	}
	stored := b.poll(t, `1`, `{}`)
	require.Empty(t, unfinished(), "its time has not come")
	b.exec(t, `update attune.poll_batch set created = created - interval '61 minutes'`)
	require.Equal(t, []string{sensorRef}, unfinished())
	pending, err := b.Pending(b.ctx, sensorRef)
	require.NoError(t, err)
	require.Equal(t, stored, pending)
	b.process(t, stored[0].ID)
	require.Empty(t, unfinished())
}
