package store_test

import (
	"encoding/json"
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/internal/sensor"
	"github.com/attune-automation/sensors/internal/store"
)

func TestCommitEvents(t *testing.T) {
	t.Parallel()
	b := setup(t)
	turn, err := b.Turn(b.ctx, sensorRef)
	require.NoError(t, err)
	id := b.poll(t, `{"last": 2}`, `{"b":1,"a":1e2,"a":2}`, `wrong`, `[1]`)[0].ID
	batch := b.batch(t, id)

	events, err := b.CommitEvents(b.ctx, batch,
		[]sensor.NewEvent{{Position: 2, Payload: batch.Payloads[2]}, {Position: 0, Payload: batch.Payloads[0]}},
		[]sensor.Rejection{{Position: 1, Raw: batch.Payloads[1], Reason: "not JSON: \x00\xff"}})
	require.NoError(t, err)

	require.Len(t, events, 2)
	require.Less(t, events[0].ID, events[1].ID)
	require.NotZero(t, events[0].Created)
	want := sensor.Event{
		ID: events[0].ID, BatchID: id, Position: 0, TriggerID: &turn.Trigger.ID, TriggerRef: triggerRef,
		SensorID: &turn.Sensor.ID, SensorRef: sensorRef, Config: batch.Config,
		Payload: json.RawMessage(`{"a": 2, "b": 1}`), Created: events[0].Created,
	}
	require.Equal(t, want, events[0])
	want.ID, want.Position, want.Payload = events[1].ID, 2, json.RawMessage(`[1]`)
	require.Equal(t, want, events[1])

	read, err := b.EventsOfBatch(b.ctx, id)
	require.NoError(t, err)
	require.Equal(t, events, read)
	event, err := b.Event(b.ctx, events[1].ID)
	require.NoError(t, err)
	require.Equal(t, events[1], event)

	rejected, err := b.Rejected(b.ctx, store.RejectedFilter{})
	require.NoError(t, err)
	require.Len(t, rejected, 1)
	require.Equal(t, store.RejectedEvent{
		ID: rejected[0].ID, BatchID: id, Position: 1, TriggerRef: triggerRef, SensorRef: sensorRef, Raw: []byte("wrong"),
		Reason: "not JSON: \\u0000\uFFFD", Created: rejected[0].Created,
	}, rejected[0])

	cursor, seq, err := b.Cursor(b.ctx, sensorRef)
	require.NoError(t, err)
	require.JSONEq(t, `{"last": 2}`, string(cursor))
	require.EqualValues(t, 1, seq)
	require.Equal(t, sensor.BatchGenerated, b.batch(t, id).Status)
}

func TestCommitEventsAgainReturnsTheSameRows(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.poll(t, `1`, numbered(5)...)[0].ID
	stored := b.batch(t, id)
	events := b.generate(t, id)

	again := func() {
		t.Helper()
		for _, batch := range []sensor.Batch{stored, b.batch(t, id)} {
			repeated, err := b.CommitEvents(b.ctx, batch, newEvents(batch), nil)
			require.NoError(t, err)
			require.Equal(t, events, repeated)
		}
		_, seq, err := b.Cursor(b.ctx, sensorRef)
		require.NoError(t, err)
		require.EqualValues(t, 1, seq)
	}
	again()
	b.match(t, id)
	again()
	b.finish(t, id)
	again()
	require.Equal(t, 5, b.count(t, "event"))
}

func TestManyAtOnceCommitEvents(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.poll(t, `1`, numbered(50)...)[0].ID
	batch := b.batch(t, id)

	var wg sync.WaitGroup
	var events [10][]sensor.Event
	var errs [10]error
	for i := range events {
		wg.Go(func() { events[i], errs[i] = b.CommitEvents(b.ctx, batch, newEvents(batch), nil) })
	}
	wg.Wait()

	for i := range events {
		require.NoError(t, errs[i])
		require.Equal(t, events[0], events[i])
	}
	require.Equal(t, 50, b.count(t, "event"))
}

func TestCommitEventsThatFailsLeavesNothing(t *testing.T) {
	t.Parallel()
	b := setupAlterable(t)
	id := b.poll(t, `1`, `{"a": "\u0000"}`, `{}`, `{}`)[0].ID
	batch := b.batch(t, id)
	for _, test := range []struct{ breakIt, want string }{ // from the commit back to the first statement
		{`create constraint trigger at_commit after insert on attune.event deferrable initially deferred
			for each row execute function suppress_redundant_updates_trigger()`, "must be called on update"},
		{`alter table attune.poll_batch add constraint at_batch check (status <> 'generated')`, "at_batch"},
		{`alter table attune.sensor_state add constraint at_state check (committed_seq < 1)`, "at_state"},
		{`alter table attune.rejected_event add constraint at_rejected check (reason <> 'bad')`, "at_rejected"},
	} {
		b.exec(t, test.breakIt)

		_, err := b.CommitEvents(b.ctx, batch, newEvents(batch)[:2],
			[]sensor.Rejection{{Position: 2, Raw: []byte(`{}`), Reason: "bad"}})

		require.ErrorContains(t, err, fmt.Sprint("batch ", id))
		require.ErrorContains(t, err, test.want)
		require.Zero(t, b.count(t, "event"))
		require.Zero(t, b.count(t, "rejected_event"))
		cursor, seq, err := b.Cursor(b.ctx, sensorRef)
		require.NoError(t, err)
		require.Nil(t, cursor)
		require.Zero(t, seq)
		require.Equal(t, sensor.BatchStored, b.batch(t, id).Status)
	}
}

func TestCommitEventsIsolatesWhatPostgreSQLRefuses(t *testing.T) {
	t.Parallel()
	b := setup(t)
	payloads := numbered(200)
	wrong := map[int]string{}
	for i, payload := range mapValues(refusedPayloads()) {
		at := i * 31 // some in the same half, some not; 0 among them
		payloads[at], wrong[at] = payload, payload
	}
	payloads[199], wrong[199] = `{"a": "\u0000"}`, `{"a": "\u0000"}`
	id := b.poll(t, `1`, payloads...)[0].ID

	events := b.generate(t, id)

	require.Len(t, events, 200-len(wrong))
	for i, e := range events {
		require.NotContains(t, wrong, e.Position)
		require.JSONEq(t, payloads[e.Position], string(e.Payload))
		if i > 0 {
			require.Less(t, events[i-1].Position, e.Position)
			require.Less(t, events[i-1].ID, e.ID)
		}
	}
	rejected, err := b.Rejected(b.ctx, store.RejectedFilter{})
	require.NoError(t, err)
	require.Len(t, rejected, len(wrong))
	for _, r := range rejected {
		require.Equal(t, wrong[r.Position], string(r.Raw))
		require.NotEmpty(t, r.Reason)
	}
	require.Equal(t, events, b.generate(t, id))
}

func TestCommitEventsOfNothingButRefusals(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.poll(t, `1`, `{"a": "\u0000"}`, `{"a": "\ud800"}`)[0].ID

	require.Empty(t, b.generate(t, id))

	require.Equal(t, 2, b.count(t, "rejected_event"))
	require.Empty(t, b.match(t, id))
	b.finish(t, id)
}

func TestCommitEventsAccountsForEveryPosition(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.poll(t, `1`, `{}`, `{}`)[0].ID
	batch := b.batch(t, id)
	event := func(position int) sensor.NewEvent {
		return sensor.NewEvent{Position: position, Payload: json.RawMessage(`{}`)}
	}
	for name, test := range map[string]struct {
		events   []sensor.NewEvent
		rejected []sensor.Rejection
		want     string
	}{
		"none":         {nil, nil, "position 0 is neither"},
		"one missing":  {[]sensor.NewEvent{event(0)}, nil, "position 1 is neither"},
		"twice":        {[]sensor.NewEvent{event(0), event(0)}, nil, "position 0 is there twice"},
		"in both":      {[]sensor.NewEvent{event(0), event(1)}, []sensor.Rejection{{Position: 1}}, "position 1 is there twice"},
		"beyond count": {[]sensor.NewEvent{event(0), event(1), event(2)}, nil, "position 2"},
		"negative":     {[]sensor.NewEvent{event(-1), event(0), event(1)}, nil, "position -1"},
	} {
		_, err := b.CommitEvents(b.ctx, batch, test.events, test.rejected)
		require.ErrorContains(t, err, test.want, name)
	}
	require.Zero(t, b.count(t, "event"))
}

func TestCommitEventsKeepsTheOrderOfBatches(t *testing.T) {
	t.Parallel()
	b := setup(t)
	stored := b.poll(t, `1`, numbered(1001)...)
	second := b.batch(t, stored[1].ID)

	_, err := b.CommitEvents(b.ctx, second, newEvents(second), nil)
	require.ErrorIs(t, err, sensor.ErrTurnLost)

	first := b.generate(t, stored[0].ID)
	last := b.generate(t, stored[1].ID)
	require.Less(t, first[999].ID, last[0].ID)
	for i, e := range first {
		require.Equal(t, i, e.Position)
		require.JSONEq(t, fmt.Sprintf(`{"n": %d}`, i), string(e.Payload))
	}
}

func TestCommitEventsAfterTheTriggerIsGone(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.poll(t, `1`, `{}`)[0].ID
	b.exec(t, `delete from attune.pack`)

	events := b.generate(t, id)

	require.Len(t, events, 1)
	require.Nil(t, events[0].TriggerID)
	require.Equal(t, triggerRef, events[0].TriggerRef)
	require.Equal(t, sensorRef, events[0].SensorRef)
}

func TestCommitEventsOfUnknownBatch(t *testing.T) {
	t.Parallel()
	b := setup(t)
	_, err := b.CommitEvents(b.ctx, sensor.Batch{ID: -1}, nil, nil)
	require.ErrorIs(t, err, sensor.ErrNotFound)
}
