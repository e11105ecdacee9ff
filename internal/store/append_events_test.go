package store_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/internal/sensor"
)

// mixed is a part whose items have keys, times and triggers, or not.
func mixed() sensor.Part {
	at := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	return sensor.Part{Cursor: json.RawMessage(`{"last": 3}`), Items: []sensor.Item{
		{Payload: []byte(`{"b": 1, "a": 1.50}`), Key: "one"},
		{Payload: []byte(`{"a": 2}`), TriggerRef: "shop.refund", OccurredAt: at},
		{Payload: []byte(`{"a": 3}`), Key: "three", OccurredAt: at},
	}}
}

// twoTriggers is setup with a second trigger of the sensor.
func twoTriggers(t *testing.T) *bundle {
	t.Helper()
	b := setup(t)
	b.exec(t, `
		insert into attune.trigger (ref, pack, label) select 'shop.refund', id, 'Refund' from attune.pack;
		update attune.sensor set other_trigger_refs = array['shop.refund']`)
	return b
}

// What becomes events at once is as if it had been a batch before.
func TestAppendEventsComesToTheSame(t *testing.T) {
	t.Parallel()
	slow, fast := twoTriggers(t), twoTriggers(t)
	appended, err := fast.AppendEvents(fast.ctx, ttlTurn(fast.turn(t)), mixed())
	require.NoError(t, err)
	require.Len(t, appended.Events, 3)
	require.EqualValues(t, 1, appended.Seq)
	id := slow.append(t, ttlTurn(slow.turn(t)), mixed()).Batches[0].ID
	want := slow.generate(t, id)

	stored, err := fast.EventsOfBatch(fast.ctx, appended.Batches[0].ID)
	require.NoError(t, err)
	require.Equal(t, stored, appended.Events)
	for i := range want {
		want[i].Created = appended.Events[i].Created
	}
	require.Equal(t, want, appended.Events)
	require.Equal(t, []sensor.BatchHead{{ID: id, Count: 3}}, appended.Batches)
	for _, b := range []*bundle{slow, fast} {
		cursor, seq, err := b.Cursor(b.ctx, sensorRef)
		require.NoError(t, err)
		require.JSONEq(t, `{"last": 3}`, string(cursor))
		require.EqualValues(t, 1, seq)
		require.Equal(t, 1, b.count(t, `poll_batch where status = 'generated' and generated is not null`))
		require.Equal(t, 2, b.count(t, `event_key where batch = 1 and expires between now() + '59 minutes' and now() + '1 hour'`))
	}
	require.Zero(t, fast.count(t, `poll_batch where payloads is not null`))
	again, err := fast.CommitEvents(fast.ctx, fast.batch(t, id), nil, nil)
	require.NoError(t, err, "who does it again finds it done")
	require.Equal(t, stored, again)
	fast.match(t, id)
	fast.finish(t, id)
	require.Empty(t, fast.turn(t).Pending)
}

func ttlTurn(turn sensor.Turn) sensor.Turn {
	turn.Sensor.DedupeTTL = time.Hour
	return turn
}

func TestAppendEventsOfALargePart(t *testing.T) {
	t.Parallel()
	b := setup(t)
	appended, err := b.AppendEvents(b.ctx, b.turn(t), newPart(`1`, numbered(sensor.MaxBatch)...))
	require.NoError(t, err)
	require.Len(t, appended.Events, sensor.MaxBatch)
	for i, e := range appended.Events {
		require.Equal(t, i, e.Position)
		require.JSONEq(t, fmt.Sprintf(`{"n": %d}`, i), string(e.Payload))
	}
}

func TestAppendEventsTakesDeliveries(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.exec(t, `update attune.sensor set runtime_ref = 'core.webhook'`)
	deliveries := b.deliverN(t, 3)
	pending := b.pending(t)
	turn := b.turn(t)
	appended, err := b.AppendEvents(b.ctx, turn, deliveriesPart(pending))
	require.NoError(t, err)
	require.Len(t, appended.Events, len(deliveries))
	require.Equal(t, 3, b.count(t, fmt.Sprintf(`webhook_delivery d join attune.event e using (batch, position) where batch = %d`, appended.Batches[0].ID)))
	_, err = b.AppendEvents(b.ctx, turn, deliveriesPart(pending))
	require.ErrorIs(t, err, sensor.ErrTurnLost)
	_, err = b.AppendEvents(b.ctx, b.turn(t), deliveriesPart(pending))
	require.ErrorIs(t, err, sensor.ErrTurnLost, "they are in another batch by now")
}

// What cannot become events at once is what Append makes of it.
func TestAppendEventsLeavesWhatIsNotSimple(t *testing.T) {
	t.Parallel()
	keyed := func(keys ...string) sensor.Part {
		part := newPart(`2`)
		for _, key := range keys {
			part.Items = append(part.Items, sensor.Item{Payload: []byte(`{}`), Key: key})
		}
		return part
	}
	entries := newPart(`2`, `{}`)
	entries.Entries = []sensor.Entry{{Key: "k", Value: json.RawMessage(`1`)}}
	for name, test := range map[string]struct {
		before func(t *testing.T, b *bundle)
		part   sensor.Part
		counts []int // of the batches
		fault  bool
	}{
		"nothing":                {part: sensor.Part{}},
		"a cursor alone":         {part: newPart(`2`)},
		"more than a batch":      {part: newPart(`2`, numbered(sensor.MaxBatch+1)...), counts: []int{1000, 1}},
		"entries":                {part: entries, counts: []int{1}},
		"the same key twice":     {part: keyed("a", "a"), counts: []int{1}},
		"a payload refused":      {part: newPart(`2`, `{}`, `{"a": "\u0000"}`), counts: []int{2}},
		"a cursor refused":       {part: newPart(`"\u0000"`, `{}`), fault: true},
		"another sensor's event": {part: sensor.Part{Items: []sensor.Item{{Payload: []byte(`{}`), TriggerRef: "x.y"}}}, fault: true},
		"payloads that wait": {
			before: func(t *testing.T, b *bundle) { b.poll(t, `1`, `{}`) },
			part:   newPart(`2`, `{}`), counts: []int{1},
		},
		"a key that is taken": {
			before: func(t *testing.T, b *bundle) { b.append(t, ttlTurn(b.turn(t)), keyed("a")); b.process(t, 1) },
			part:   keyed("a", "b"), counts: []int{1},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			if test.before != nil {
				test.before(t, b)
			}
			events := b.count(t, "event")
			appended, err := b.AppendEvents(b.ctx, ttlTurn(b.turn(t)), test.part)
			if test.fault {
				var fault *sensor.Fault
				require.ErrorAs(t, err, &fault)
			} else {
				require.NoError(t, err)
			}
			require.Nil(t, appended.Events)
			require.Len(t, appended.Batches, len(test.counts))
			for i, head := range appended.Batches {
				require.Equal(t, test.counts[i], head.Count)
				require.Equal(t, sensor.BatchStored, b.batch(t, head.ID).Status)
			}
			require.Equal(t, events, b.count(t, "event"))
		})
	}
}

// crowd adds n sensors like the one there is, and returns a turn of each.
func (b *bundle) crowd(t *testing.T, n int) []sensor.Turn {
	t.Helper()
	b.exec(t, `
		insert into attune.sensor (ref, pack, label, entrypoint, runtime_ref, trigger, trigger_ref, config)
		select 'shop.s' || n, pack, label, entrypoint, runtime_ref, trigger, trigger_ref, config
		from attune.sensor, generate_series(1, $1::int) n`, n)
	turns := make([]sensor.Turn, n)
	for i := range turns {
		turn, err := b.Turn(b.ctx, fmt.Sprintf("shop.s%d", i+1))
		require.NoError(t, err)
		turns[i] = ttlTurn(turn)
	}
	return turns
}

// together appends a part of each turn at the same time: that of the first one waits for a lock until the others have come.
// What becomes of them is there after wait.
func (b *bundle) together(t *testing.T, turns []sensor.Turn, part func(i int) sensor.Part) (all []sensor.Appended, errs []error, wait func()) {
	t.Helper()
	all, errs = make([]sensor.Appended, len(turns)), make([]error, len(turns))
	lock, err := b.db.Begin(b.ctx)
	require.NoError(t, err)
	_, err = lock.Exec(b.ctx, `lock table attune.event in share mode`)
	require.NoError(t, err)
	appending := &sync.WaitGroup{}
	for i, turn := range turns {
		appending.Go(func() { all[i], errs[i] = b.AppendEvents(b.ctx, turn, part(i)) })
		if i == 0 {
			require.Eventually(t, func() bool { return b.waits(t) }, time.Minute, 10*time.Millisecond)
		}
	}
	require.Eventually(t, func() bool { return b.Gathered() == len(turns)-1 }, time.Minute, 10*time.Millisecond)
	require.NoError(t, lock.Rollback(b.ctx))
	return all, errs, appending.Wait
}

// Sensors that bring something at the same time share a transaction, and nothing else.
func TestPartsThatComeTogetherShareATransaction(t *testing.T) {
	t.Parallel()
	b := setup(t)
	turns := b.crowd(t, 40)
	lost, held := 20, 30
	b.append(t, turns[lost], newPart(`"rival"`))
	turns = append(turns, turns[5]) // a second poll of the same sensor
	holder, err := b.db.Begin(b.ctx)
	require.NoError(t, err)
	b.exec(t, `insert into attune.sensor_state (sensor_ref) values ('shop.s31')`)
	_, err = holder.Exec(b.ctx, `select from attune.sensor_state where sensor_ref = 'shop.s31' for update`)
	require.NoError(t, err)
	all, errs, wait := b.together(t, turns, func(i int) sensor.Part {
		return sensor.Part{Cursor: fmt.Append(nil, i), Items: []sensor.Item{{Payload: fmt.Appendf(nil, `{"n": %d}`, i), Key: "k"}}}
	})
	require.Eventually(t, func() bool { return b.count(t, "poll_batch") == 38 }, time.Minute, 10*time.Millisecond)
	require.NoError(t, holder.Rollback(b.ctx))
	wait()

	for i, turn := range turns[:40] {
		switch i {
		case lost:
			require.ErrorIs(t, errs[i], sensor.ErrTurnLost)
		case held:
			require.NoError(t, errs[i])
			require.Nil(t, all[i].Events, "it went alone")
		case 5:
		default:
			require.NoError(t, errs[i])
			require.Len(t, all[i].Events, 1, turn.Sensor.Ref)
			require.Equal(t, turn.Sensor.Ref, all[i].Events[0].SensorRef)
			require.JSONEq(t, fmt.Sprintf(`{"n": %d}`, i), string(all[i].Events[0].Payload))
			require.Contains(t, string(all[i].Events[0].Config), fmt.Sprintf("%q", turn.Sensor.Ref))
			cursor, seq, err := b.Cursor(b.ctx, turn.Sensor.Ref)
			require.NoError(t, err)
			require.Equal(t, fmt.Sprint(i), string(cursor))
			require.EqualValues(t, 1, seq)
		}
	}
	first, second := errs[5], errs[40]
	require.True(t, (first == nil) != (second == nil), "one of two polls of a sensor: %v, %v", first, second)
	require.ErrorIs(t, errors.Join(first, second), sensor.ErrTurnLost)
	require.Equal(t, 38, b.count(t, "event"))
	var transactions int
	require.NoError(t, b.db.QueryRow(b.ctx, `select count(distinct xmin::text) from attune.event`).Scan(&transactions))
	require.Equal(t, 2, transactions, "that of the first, and that of all others")
}

// One that PostgreSQL refuses fails the transaction for all, and nobody but itself in the end.
func TestOneThatIsRefusedFailsNoOther(t *testing.T) {
	t.Parallel()
	b := setup(t)
	all, errs, wait := b.together(t, b.crowd(t, 33), func(i int) sensor.Part {
		if i == 4 {
			return newPart(`{"a": "\u0000"}`, `{}`)
		}
		return newPart(`1`, `{}`)
	})
	wait()
	for i, err := range errs {
		if i == 4 {
			var fault *sensor.Fault
			require.ErrorAs(t, err, &fault)
			continue
		}
		require.NoError(t, err)
		require.Len(t, all[i].Batches, 1)
	}
	require.Equal(t, 32, b.count(t, "poll_batch"))
	var transactions int
	require.NoError(t, b.db.QueryRow(b.ctx, `select count(distinct xmin::text) from attune.poll_batch`).Scan(&transactions))
	require.Equal(t, 6, transactions, "that of the first, and halves of halves")
}

// Any number of polls of a few sensors, at once: no change of a cursor is lost, and none is made twice.
func TestManyPollsOfAFewSensors(t *testing.T) {
	t.Parallel()
	b := setup(t)
	const sensors, each = 3, 20
	b.crowd(t, sensors)
	var polling sync.WaitGroup
	for n := range 4 * sensors {
		ref := fmt.Sprintf("shop.s%d", n%sensors+1)
		polling.Go(func() {
			for {
				turn, err := b.Turn(b.ctx, ref)
				if err != nil || turn.TailSeq == each {
					if err != nil {
						t.Error(err)
					}
					return
				}
				part := newPart(fmt.Sprint(turn.TailSeq+1), fmt.Sprintf(`{"n": %d}`, turn.TailSeq+1))
				if _, err := b.AppendEvents(b.ctx, turn, part); err != nil && !errors.Is(err, sensor.ErrTurnLost) {
					t.Error(err)
					return
				}
				for _, head := range turn.Pending { // of a poll that had to go alone
					batch, err := b.Batch(b.ctx, head.ID)
					if err == nil && batch.Status == sensor.BatchStored {
						_, err = b.CommitEvents(b.ctx, batch, newEvents(batch), nil)
					}
					if err != nil && !errors.Is(err, sensor.ErrTurnLost) {
						t.Error(err)
						return
					}
				}
			}
		})
	}
	polling.Wait()
	for n := range sensors {
		ref := fmt.Sprintf("shop.s%d", n+1)
		turn, err := b.Turn(b.ctx, ref)
		require.NoError(t, err)
		for _, head := range turn.Pending {
			if batch := b.batch(t, head.ID); batch.Status == sensor.BatchStored {
				b.generate(t, head.ID)
			}
		}
		rows, err := b.db.Query(b.ctx, `select (payload ->> 'n')::int from attune.event where source_ref = $1 order by id`, ref)
		require.NoError(t, err)
		numbers, err := pgx.CollectRows(rows, pgx.RowTo[int])
		require.NoError(t, err)
		require.Len(t, numbers, each)
		for i, number := range numbers {
			require.Equal(t, i+1, number)
		}
	}
}

// A transaction that is cut off leaves nothing; what its connection alone was lost for is stored by another.
func TestAppendEventsCutOff(t *testing.T) {
	t.Parallel()
	b := setup(t)
	lock, err := b.db.Begin(b.ctx)
	require.NoError(t, err)
	_, err = lock.Exec(b.ctx, `lock table attune.event in share mode`)
	require.NoError(t, err)
	turn := b.turn(t)
	appendEvents := func(ctx context.Context) (appended sensor.Appended, done chan error) {
		done = make(chan error, 1)
		go func() {
			var err error
			appended, err = b.AppendEvents(ctx, turn, newPart(`1`, `{}`))
			done <- err
		}()
		require.Eventually(t, func() bool { return b.waits(t) }, time.Minute, 10*time.Millisecond)
		return appended, done
	}
	ctx, cancel := context.WithCancel(b.ctx)
	_, done := appendEvents(ctx)
	cancel()
	require.ErrorIs(t, <-done, context.Canceled)
	require.Eventually(t, func() bool { return !b.waits(t) }, time.Minute, 10*time.Millisecond)
	require.Zero(t, b.count(t, "poll_batch"))

	_, done = appendEvents(b.ctx)
	b.exec(t, `select pg_terminate_backend(pid) from pg_stat_activity where `+waiting)
	require.NoError(t, <-done)
	require.Equal(t, 1, b.count(t, `poll_batch where status = 'stored'`))
	require.NoError(t, lock.Rollback(b.ctx))
	require.Zero(t, b.count(t, "event"))
	b.process(t, b.turn(t).Pending[0].ID)
	require.Empty(t, b.turn(t).Pending)
}
