package store_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/internal/sensor"
	"github.com/attune-automation/sensors/internal/store"
)

func TestAppendStoresOneBatch(t *testing.T) {
	t.Parallel()
	b := setup(t)
	turn, err := b.Turn(b.ctx, sensorRef)
	require.NoError(t, err)

	appended := b.append(t, turn, newPart(`{"last":2}`, `{"a":1}`, `{"a": "\u0000"}`, `not JSON`))

	stored := appended.Batches
	require.Len(t, stored, 1)
	require.EqualValues(t, 1, appended.Seq)
	require.Equal(t, 3, stored[0].Count)
	batch := b.batch(t, stored[0].ID)
	snapshot, err := sensor.TakeSnapshot(turn.Trigger, &turn.Sensor)
	require.NoError(t, err)
	require.JSONEq(t, string(snapshot), string(batch.Config))
	batch.Config = nil
	require.Equal(t, sensor.Batch{
		ID: stored[0].ID, SensorID: &turn.Sensor.ID, SensorRef: sensorRef, TriggerRef: triggerRef, Seq: 1,
		Status: sensor.BatchStored, Count: 3,
		Payloads: [][]byte{[]byte(`{"a":1}`), []byte(`{"a": "\u0000"}`), []byte(`not JSON`)},
	}, batch)
	cursor, seq, err := b.Cursor(b.ctx, sensorRef)
	require.NoError(t, err)
	require.Nil(t, cursor, "a cursor moves with its events")
	require.Zero(t, seq)
}

func TestAppendSplitsALargePart(t *testing.T) {
	t.Parallel()
	const mib = 1 << 20
	payload := func(size int) string { return strings.Repeat("x", size) }
	for name, test := range map[string]struct {
		payloads []string
		counts   []int
	}{
		"at the limit":           {numbered(sensor.MaxBatch), []int{1000}},
		"one beyond the limit":   {numbered(sensor.MaxBatch + 1), []int{1000, 1}},
		"twice and a half":       {numbered(2500), []int{1000, 1000, 500}},
		"8 MiB":                  {[]string{payload(4 * mib), payload(4 * mib)}, []int{2}},
		"more than 8 MiB":        {[]string{payload(4 * mib), payload(4*mib + 1), `{}`}, []int{1, 2}},
		"a huge one in between":  {[]string{`{}`, payload(9 * mib), `{}`}, []int{1, 1, 1}},
		"a huge one on its own":  {[]string{payload(9 * mib)}, []int{1}},
		"a huge one that begins": {[]string{payload(9 * mib), `{}`, `{}`}, []int{1, 2}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			stored := b.poll(t, `"end"`, test.payloads...)

			var counts []int
			var payloads []string
			for i, head := range stored {
				counts = append(counts, head.Count)
				batch := b.batch(t, head.ID)
				require.EqualValues(t, i+1, batch.Seq)
				for _, p := range batch.Payloads {
					payloads = append(payloads, string(p))
				}
			}
			require.Equal(t, test.counts, counts)
			require.True(t, strings.Join(test.payloads, "\n") == strings.Join(payloads, "\n"), "payloads in order")
			turn, err := b.Turn(b.ctx, sensorRef)
			require.NoError(t, err)
			require.Equal(t, stored, turn.Pending)
		})
	}
}

func TestCursorMovesWithTheLastPartOfALargePoll(t *testing.T) {
	t.Parallel()
	b := setup(t)
	stored := b.poll(t, `"end"`, numbered(1001)...)

	b.process(t, stored[0].ID)
	cursor, seq, err := b.Cursor(b.ctx, sensorRef)
	require.NoError(t, err)
	require.Nil(t, cursor)
	require.EqualValues(t, 1, seq)

	b.process(t, stored[1].ID)
	cursor, seq, err = b.Cursor(b.ctx, sensorRef)
	require.NoError(t, err)
	require.Equal(t, json.RawMessage(`"end"`), cursor)
	require.EqualValues(t, 2, seq)
}

func TestAppendWithoutItems(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		before, cursor string
		wantCursor     string
		wantSeq        int64
	}{
		"no cursor at all":             {"", "", "", 0},
		"cursor left alone":            {`{"a": 1, "b": [1, 2]}`, "", `{"a": 1, "b": [1, 2]}`, 1},
		"same cursor":                  {`{"a": 1, "b": [1, 2]}`, `{"b":[1,2],"a":1}`, `{"a": 1, "b": [1, 2]}`, 1},
		"first cursor":                 {"", `1`, `1`, 1},
		"null is a cursor of its own":  {"", `null`, `null`, 1},
		"cursor moved":                 {`1`, `2`, `2`, 2},
		"numbers that differ far away": {`9007199254740993`, `9007199254740992`, `9007199254740992`, 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			if test.before != "" {
				require.NoError(t, b.SetCursor(b.ctx, sensorRef, json.RawMessage(test.before)))
			}
			states := b.count(t, "sensor_state")

			require.Empty(t, b.poll(t, test.cursor))

			cursor, seq, err := b.Cursor(b.ctx, sensorRef)
			require.NoError(t, err)
			require.Equal(t, test.wantCursor, string(cursor))
			require.Equal(t, test.wantSeq, seq)
			require.Zero(t, b.count(t, "poll_batch"))
			if test.wantSeq == 0 {
				require.Equal(t, states, b.count(t, "sensor_state"), "nothing to write")
			}
		})
	}
}

func TestAppendLosesToWhatCameFirst(t *testing.T) {
	t.Parallel()
	for name, first := range map[string]func(t *testing.T, b *bundle){
		"another poll":               func(t *testing.T, b *bundle) { b.poll(t, `1`, `{}`) },
		"another poll, generated":    func(t *testing.T, b *bundle) { b.generate(t, b.poll(t, `1`, `{}`)[0].ID) },
		"another poll, done":         func(t *testing.T, b *bundle) { b.process(t, b.poll(t, `1`, `{}`)[0].ID) },
		"a poll of the cursor alone": func(t *testing.T, b *bundle) { b.poll(t, `1`) },
		"an edit of the cursor": func(t *testing.T, b *bundle) {
			require.NoError(t, b.SetCursor(b.ctx, sensorRef, json.RawMessage(`1`)))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			turn, err := b.Turn(b.ctx, sensorRef)
			require.NoError(t, err)
			first(t, b)
			batches := b.count(t, "poll_batch")

			_, err = b.Append(b.ctx, turn, newPart(`2`, `{}`))
			require.ErrorIs(t, err, sensor.ErrTurnLost)
			_, err = b.Append(b.ctx, turn, newPart(`2`))
			require.ErrorIs(t, err, sensor.ErrTurnLost)

			require.Equal(t, batches, b.count(t, "poll_batch"))
		})
	}
}

// TestPartsOfOnePoll proves that each part is kept by itself, behind the one before.
func TestPartsOfOnePoll(t *testing.T) {
	t.Parallel()
	b := setup(t)
	turn := b.turn(t)
	var ids []int64
	for i, part := range []sensor.Part{newPart(`1`, `{"n": 0}`), newPart("", `{"n": 1}`), newPart(`3`, `{"n": 2}`, `{"n": 3}`)} {
		appended := b.append(t, turn, part)
		require.Len(t, appended.Batches, 1)
		require.EqualValues(t, i+1, appended.Seq)
		turn.TailSeq = appended.Seq
		ids = append(ids, appended.Batches[0].ID)
		require.Equal(t, []string{`1`, `1`, `3`}[i], string(b.turn(t).Cursor), "the cursor at the tail")
		require.EqualValues(t, i+1, b.turn(t).TailSeq)
		require.Len(t, b.turn(t).Pending, i+1)
	}
	cursor, seq, err := b.Cursor(b.ctx, sensorRef)
	require.NoError(t, err)
	require.Nil(t, cursor, "no event is there yet")
	require.Zero(t, seq)
	for i, id := range ids {
		b.process(t, id)
		require.Equal(t, `3`, string(b.turn(t).Cursor))
		cursor, _, err := b.Cursor(b.ctx, sensorRef)
		require.NoError(t, err)
		require.Equal(t, []string{`1`, `1`, `3`}[i], string(cursor))
	}
	require.EqualValues(t, 3, b.turn(t).TailSeq)
}

// TestACursorWaitsForTheEventsBeforeIt proves that a cursor without events does not overtake those that wait.
func TestACursorWaitsForTheEventsBeforeIt(t *testing.T) {
	t.Parallel()
	b := setup(t)
	turn := b.turn(t)
	first := b.append(t, turn, newPart(`1`, `{}`))
	turn.TailSeq = first.Seq
	second := b.append(t, turn, newPart(`2`))
	require.Equal(t, []sensor.BatchHead{{ID: second.Batches[0].ID}}, second.Batches, "a batch of no payload")
	require.Equal(t, `2`, string(b.turn(t).Cursor))

	_, err := b.CommitEvents(b.ctx, b.batch(t, second.Batches[0].ID), nil, nil)
	require.ErrorIs(t, err, sensor.ErrTurnLost)
	b.generate(t, first.Batches[0].ID)
	require.Empty(t, b.generate(t, second.Batches[0].ID))
	b.finish(t, second.Batches[0].ID)
	cursor, seq, err := b.Cursor(b.ctx, sensorRef)
	require.NoError(t, err)
	require.Equal(t, `2`, string(cursor))
	require.EqualValues(t, 2, seq)

	turn = b.turn(t)
	require.Len(t, turn.Pending, 1, "the first is not done")
	third := b.append(t, turn, newPart(`3`))
	require.Equal(t, sensor.Appended{Seq: 3}, third, "all events before it are there: it moves at once")
	require.Equal(t, `3`, string(b.turn(t).Cursor), "and not back to that of a batch that is not done")
	b.match(t, first.Batches[0].ID)
	b.finish(t, first.Batches[0].ID)
	require.Equal(t, `3`, string(b.turn(t).Cursor))
}

// TestZombiesOfAStream proves that of two that append for ever, each of them loses when the other was faster, whatever
// has become of the batches by then.
func TestZombiesOfAStream(t *testing.T) {
	t.Parallel()
	b := setup(t)
	const workers, parts = 4, 15
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for n := 0; n < parts; {
				turn, err := b.Turn(b.ctx, sensorRef)
				for n < parts && err == nil {
					var at int
					if turn.Cursor != nil {
						err = json.Unmarshal(turn.Cursor, &at)
					}
					part := newPart(fmt.Sprint(at+1), fmt.Sprintf(`{"n": %d}`, at))
					if at%3 == 2 {
						part.Items = nil
					}
					var appended sensor.Appended
					if err == nil {
						appended, err = b.Append(b.ctx, turn, part)
					}
					if err == nil {
						turn.TailSeq, turn.Cursor = appended.Seq, part.Cursor
						n++
					}
				}
				if !errors.Is(err, sensor.ErrTurnLost) && err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Go(func() {
		for b.ctx.Err() == nil {
			turn, err := b.Turn(b.ctx, sensorRef)
			if err != nil {
				t.Error(err)
				return
			}
			for _, head := range turn.Pending {
				b.process(t, head.ID)
			}
			if string(turn.Cursor) == fmt.Sprint(workers*parts) && len(turn.Pending) == 0 {
				return
			}
		}
		t.Error("never through")
	})
	wg.Wait()
	events, err := b.Events(b.ctx, store.EventFilter{Limit: 1000})
	require.NoError(t, err)
	var want, got []string
	for n := range workers * parts {
		if n%3 != 2 {
			want = append(want, fmt.Sprintf(`{"n": %d}`, n))
		}
	}
	for _, e := range slices.Backward(events) {
		got = append(got, string(e.Payload))
	}
	require.Equal(t, want, got)
}

func TestOnlyOneOfManyPollsWins(t *testing.T) {
	t.Parallel()
	b := setup(t)
	turn, err := b.Turn(b.ctx, sensorRef)
	require.NoError(t, err)

	var wg sync.WaitGroup
	errs := make([]error, 20)
	for i := range errs {
		wg.Go(func() { _, errs[i] = b.Append(b.ctx, turn, newPart(`1`, `{"a": 1}`, `{"a": 2}`)) })
	}
	wg.Wait()

	won := 0
	for _, err := range errs {
		if err == nil {
			won++
			continue
		}
		require.ErrorIs(t, err, sensor.ErrTurnLost)
	}
	require.Equal(t, 1, won)
	require.Equal(t, 1, b.count(t, "poll_batch"))
}

func TestCursorEditsRacePolls(t *testing.T) {
	t.Parallel()
	b := setup(t)
	turn, err := b.Turn(b.ctx, sensorRef)
	require.NoError(t, err)

	var wg sync.WaitGroup
	var polls, edits [10]error
	for i := range polls {
		wg.Go(func() { _, polls[i] = b.Append(b.ctx, turn, newPart(`1`, `{}`)) })
		wg.Go(func() { edits[i] = b.SetCursor(b.ctx, sensorRef, json.RawMessage(`2`)) })
	}
	wg.Wait()

	edited, won := 0, 0
	for i := range polls {
		if edits[i] == nil {
			edited++
		} else {
			require.ErrorIs(t, edits[i], sensor.ErrBatchInHand)
		}
		if polls[i] == nil {
			won++
		} else {
			require.ErrorIs(t, polls[i], sensor.ErrTurnLost)
		}
	}
	_, seq, err := b.Cursor(b.ctx, sensorRef)
	require.NoError(t, err)
	require.EqualValues(t, edited, seq)
	require.Equal(t, won, b.count(t, "poll_batch"))
	require.Equal(t, 1, won+min(edited, 1), "either a poll came first and no edit was possible, or the reverse")
}
