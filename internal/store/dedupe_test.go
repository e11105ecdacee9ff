package store_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/internal/sensor"
	"github.com/attune-automation/sensors/internal/store"
)

// keyed is a part of items with these keys; "": none.
func keyed(cursor string, keys ...string) sensor.Part {
	part := newPart(cursor)
	for i, key := range keys {
		part.Items = append(part.Items, sensor.Item{Payload: fmt.Appendf(nil, `{"n": %d, "key": %q}`, i, key), Key: key})
	}
	return part
}

// bring appends a part in a turn of its own.
func (b *bundle) bring(t testing.TB, part sensor.Part) sensor.Appended {
	t.Helper()
	turn := b.turn(t)
	turn.Sensor.DedupeTTL = time.Hour
	return b.append(t, turn, part)
}

func (b *bundle) keys(t testing.TB) []store.EventKey {
	t.Helper()
	keys, err := b.Keys(b.ctx, store.KeyFilter{SensorRef: sensorRef})
	require.NoError(t, err)
	return keys
}

func TestKeysSuppressRepetitions(t *testing.T) {
	t.Parallel()
	b := setup(t)
	first := b.bring(t, keyed(`1`, "a", "", "b", "a", "", "a"))
	require.Equal(t, 2, first.Suppressed)
	require.Equal(t, 4, first.Batches[0].Count)
	second := b.bring(t, keyed(`2`, "b", "c", "b"))
	require.Equal(t, 2, second.Suppressed)
	require.Equal(t, 1, second.Batches[0].Count)
	b.process(t, first.Batches[0].ID)

	keys := b.keys(t)
	require.Len(t, keys, 3)
	events, err := b.EventsOfBatch(b.ctx, first.Batches[0].ID)
	require.NoError(t, err)
	for i, want := range []store.EventKey{
		{Key: "c", BatchID: second.Batches[0].ID},
		{Key: "b", BatchID: first.Batches[0].ID, Position: 2, EventID: &events[2].ID, Suppressed: 2},
		{Key: "a", BatchID: first.Batches[0].ID, Position: 0, EventID: &events[0].ID, Suppressed: 2},
	} {
		require.Equal(t, keys[i].Created.Add(time.Hour), keys[i].Expires)
		require.Equal(t, want.Suppressed > 0, keys[i].LastSuppressed != nil)
		want.Created, want.Expires, want.LastSuppressed = keys[i].Created, keys[i].Expires, keys[i].LastSuppressed
		require.Equal(t, want, keys[i])
	}
	require.JSONEq(t, `{"n": 2, "key": "b"}`, string(events[2].Payload))
	limited, err := b.Keys(b.ctx, store.KeyFilter{SensorRef: sensorRef, Limit: 1})
	require.NoError(t, err)
	require.Equal(t, keys[:1], limited)
}

func TestWhereEverythingIsSuppressedOnlyTheCursorMoves(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.process(t, b.bring(t, keyed(`1`, "a")).Batches[0].ID)
	require.Equal(t, sensor.Appended{Seq: 2, Suppressed: 1}, b.bring(t, keyed(`2`, "a")))
	require.Equal(t, `2`, string(b.turn(t).Cursor))
	require.Equal(t, sensor.Appended{Seq: 2, Suppressed: 2}, b.bring(t, keyed(`2`, "a", "a")), "not even that")
	require.Equal(t, sensor.Appended{Seq: 2, Suppressed: 1}, b.bring(t, keyed("", "a")))
	require.EqualValues(t, 4, b.keys(t)[0].Suppressed)
	require.Equal(t, 1, b.count(t, "poll_batch"))
}

// TestKeysKnowTheirPlace looks at items that become several batches, of which some are suppressed.
func TestKeysKnowTheirPlace(t *testing.T) {
	t.Parallel()
	b := setup(t)
	var keys []string
	for i := range 2100 {
		keys = append(keys, fmt.Sprint("key ", i-i%21/20)) // each 21st repeats the one before
	}
	heads := b.bring(t, keyed(`1`, keys...)).Batches
	require.Equal(t, []int{1000, 1000}, []int{heads[0].Count, heads[1].Count})
	for _, head := range heads {
		b.process(t, head.ID)
	}
	var matching int
	require.NoError(t, b.db.QueryRow(b.ctx, `
		select count(*) from attune.event_key k join attune.event e on e.batch = k.batch and e.position = k.position
		where e.payload ->> 'key' = k.key`).Scan(&matching))
	require.Equal(t, 2000, matching)
	require.Equal(t, 100, b.count(t, "event_key where suppressed = 1"))
}

func TestExpiredKeysSuppressNothing(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.bring(t, keyed(`1`, "a", "b"))
	b.bring(t, keyed(`1`, "a", "b"))
	b.exec(t, `update attune.event_key set expires = now() - interval '1 second' where key = 'a'`)
	require.Len(t, b.keys(t), 1)
	appended := b.bring(t, keyed(`2`, "a", "b"))
	require.Equal(t, 1, appended.Suppressed)
	keys := b.keys(t)
	require.Len(t, keys, 2)
	require.Equal(t, "a", keys[0].Key)
	require.Equal(t, appended.Batches[0].ID, keys[0].BatchID, "taken over")
	require.Zero(t, keys[0].Suppressed)
	require.Nil(t, keys[0].LastSuppressed)
	require.EqualValues(t, 2, keys[1].Suppressed)
}

func TestSweepKeys(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.bring(t, keyed(`1`, "a", "b", "c", "d"))
	b.exec(t, `update attune.event_key set expires = now() - interval '1 second' where key <> 'd'`)
	for _, want := range []int{2, 1, 0} {
		n, err := b.SweepKeys(b.ctx, 2)
		require.NoError(t, err)
		require.Equal(t, want, n)
	}
	require.Equal(t, "d", b.keys(t)[0].Key)
}

func TestClearKeys(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.exec(t, `
		insert into attune.sensor_state (sensor_ref) values ('shop.other');
		insert into attune.event_key (sensor_ref, key, batch, position, expires)
		values ('shop.other', 'a', 1, 0, now() + interval '1 hour')`)
	b.bring(t, keyed(`1`, "a", "b", "c"))
	clear := func(want int, keys ...string) {
		t.Helper()
		n, err := b.ClearKeys(b.ctx, sensorRef, keys)
		require.NoError(t, err)
		require.Equal(t, want, n)
	}
	clear(1, "a", "unknown")
	require.Equal(t, 1, b.bring(t, keyed(`2`, "a", "b")).Batches[0].Count)
	clear(3)
	clear(0)
	require.Equal(t, 1, b.count(t, "event_key"), "that of the other sensor")
	_, err := b.ClearKeys(b.ctx, "shop.unknown", nil)
	require.ErrorIs(t, err, sensor.ErrNotFound)
	_, err = b.Keys(b.ctx, store.KeyFilter{SensorRef: "shop.unknown"})
	require.ErrorIs(t, err, sensor.ErrNotFound)
	_, err = b.ClearKeys(b.ctx, sensorRef, []string{"a\x00"})
	require.ErrorIs(t, err, sensor.ErrRejectedPayload)
}

// TestARefusedPayloadFreesItsKey proves that what never became an event suppresses nothing, by whomever it was refused.
func TestARefusedPayloadFreesItsKey(t *testing.T) {
	t.Parallel()
	b := setup(t)
	part := keyed(`1`, "good", "refused", "by PostgreSQL", "")
	part.Items[2].Payload = []byte(`{"a": "\u0000"}`)
	id := b.bring(t, part).Batches[0].ID
	require.Len(t, b.keys(t), 3)
	batch := b.batch(t, id)
	events := newEvents(batch)
	_, err := b.CommitEvents(b.ctx, batch, []sensor.NewEvent{events[0], events[2], events[3]},
		[]sensor.Rejection{{Position: 1, Raw: batch.Payloads[1], Reason: "bad"}})
	require.NoError(t, err)
	keys := b.keys(t)
	require.Len(t, keys, 1)
	require.Equal(t, "good", keys[0].Key)
	require.Equal(t, 2, b.bring(t, keyed(`2`, "good", "refused", "by PostgreSQL")).Batches[0].Count)
}

// TestAFreedKeyIsThatOfItsOwnBatch proves that a payload that is refused late frees no key that another has by then.
func TestAFreedKeyIsThatOfItsOwnBatch(t *testing.T) {
	t.Parallel()
	b := setup(t)
	first := b.bring(t, keyed(`1`, "a"))
	_, err := b.ClearKeys(b.ctx, sensorRef, nil)
	require.NoError(t, err)
	second := b.bring(t, keyed(`2`, "a"))
	batch := b.batch(t, first.Batches[0].ID)
	_, err = b.CommitEvents(b.ctx, batch, nil, []sensor.Rejection{{Position: 0, Raw: batch.Payloads[0], Reason: "bad"}})
	require.NoError(t, err)
	require.Equal(t, second.Batches[0].ID, b.keys(t)[0].BatchID)
}

func TestAppendNeedsATTLForKeys(t *testing.T) {
	t.Parallel()
	b := setup(t)
	_, err := b.Append(b.ctx, b.turn(t), keyed(`1`, "a"))
	require.ErrorContains(t, err, "no dedupe TTL")
	require.Zero(t, b.count(t, "poll_batch"))
}

// TestManyBringTheSameKeys has several sensors, each polled by several at once, bring the same keys in all orders while
// keys expire, are swept and cleared: nobody waits for nobody for ever, and a key that was not cleared and did not expire
// is there once.
func TestManyBringTheSameKeys(t *testing.T) {
	t.Parallel()
	b := setup(t)
	refs := []string{sensorRef, "shop.b", "shop.c"}
	b.exec(t, `
		insert into attune.sensor (ref, pack, label, runtime_ref, trigger, trigger_ref)
		select v.ref, t.pack, 'X', 'core.exec', t.id, t.ref from attune.trigger t, (values ('shop.b'), ('shop.c')) v (ref)`)
	var pollers, others sync.WaitGroup
	done := make(chan struct{})
	background := func(f func() error) {
		others.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				if err := f(); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	background(func() error { _, err := b.SweepKeys(b.ctx, 7); return err })
	background(func() error { _, err := b.ClearKeys(b.ctx, "shop.b", []string{"k3", "k5", "k4"}); return err })
	for _, key := range []string{"k1", "k2"} { // each by itself: nothing orders the locks of one statement
		background(func() error {
			_, err := b.db.Exec(b.ctx, `update attune.event_key set expires = now() where sensor_ref = 'shop.c' and key = $1`, key)
			return err
		})
	}
	for _, ref := range refs {
		for worker := range 3 {
			pollers.Go(func() {
				for n := range 20 {
					turn, err := b.Turn(b.ctx, ref)
					if err != nil {
						t.Error(err)
						return
					}
					var keys []string
					for k := range 10 {
						keys = append(keys, fmt.Sprint("k", (k*[]int{1, 3, 7}[worker]+n)%10))
					}
					turn.Sensor.DedupeTTL = time.Hour
					_, err = b.Append(b.ctx, turn, keyed(fmt.Sprint(worker*100+n), keys...))
					if err != nil && !errors.Is(err, sensor.ErrTurnLost) {
						t.Error(err)
					}
				}
			})
		}
	}
	pollers.Wait()
	close(done)
	others.Wait()
	var brought map[string]int
	require.NoError(t, b.db.QueryRow(b.ctx, `
		select jsonb_object_agg(sensor_ref || ' ' || key, n) from (
			select sensor_ref, key, count(*) as n from attune.poll_batch, unnest(keys) key group by 1, 2
		) x`).Scan(&brought))
	for k := range 10 {
		key := fmt.Sprint("k", k)
		require.Equal(t, 1, brought[sensorRef+" "+key])
		if k < 3 || k > 5 {
			require.Equal(t, 1, brought["shop.b "+key])
		}
		if k != 1 && k != 2 {
			require.Equal(t, 1, brought["shop.c "+key])
		}
	}
}
