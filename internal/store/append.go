package store

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/attune-automation/sensors/internal/sensor"
)

// maxBatchBytes keeps what one batch needs in memory, and one transaction writes, small. A payload that is larger has a
// batch of its own.
const maxBatchBytes = 8 << 20

// Append stores a part of what a poll brought behind everything that the sensor has brought before: as one batch or,
// when it is large, as several, in order, of which only the last carries the cursor. It returns sensor.ErrTurnLost and
// stores nothing if the sensor's tail is no longer that of the turn. The next part of the same poll is appended with the
// turn's TailSeq set to what was returned.
//
// An item whose key is there already, or came earlier in the part, is suppressed: it is counted and not stored. Keys live
// for the turn's Sensor.DedupeTTL, which must be set. A part that brings nothing moves the cursor at once when
// nothing before it waits to become events, and as a batch without payloads when something does; one that does not even
// move the cursor, nor change entries, writes nothing. What PostgreSQL cannot hold, or a trigger that is not the sensor's, is a *sensor.Fault
// of kind output.
func (s *Store) Append(ctx context.Context, turn sensor.Turn, part sensor.Part) (sensor.Appended, error) {
	if err := checkItems(turn.Sensor, part.Items); err != nil {
		return sensor.Appended{}, err
	}
	if err := checkMarks(part); err != nil {
		return sensor.Appended{}, fmt.Errorf("storing what sensor %q brought: %w", turn.Sensor.Ref, err)
	}
	a := appending{turn: turn, part: part, result: sensor.Appended{Seq: turn.TailSeq}}
	if sameJSON(part.Cursor, turn.Cursor) {
		a.part.Cursor = nil
	}
	if len(part.Items) == 0 && !a.changes() {
		return a.result, nil
	}
	err := s.inTx(ctx, func(tx pgx.Tx) error { return a.write(ctx, tx) })
	if reason, ok := refusal(err); ok {
		return sensor.Appended{}, &sensor.Fault{Kind: sensor.FaultOutput, Message: "its cursor, or what else it keeps, cannot be stored: " + reason}
	}
	if err != nil {
		return sensor.Appended{}, fmt.Errorf("storing what sensor %q brought: %w", turn.Sensor.Ref, err)
	}
	return a.result, nil
}

// appending is one Append.
type appending struct {
	turn   sensor.Turn
	part   sensor.Part // without the items that are suppressed, once that is known
	keys   partKeys
	result sensor.Appended
}

func (a *appending) write(ctx context.Context, tx pgx.Tx) error {
	ref := a.turn.Sensor.Ref
	a.keys = newPartKeys(a.part.Items)
	state, err := lockState(ctx, tx, ref, &a.keys)
	if err != nil {
		return err
	}
	if state.tail() != a.turn.TailSeq {
		return sensor.ErrTurnLost
	}
	a.part.Items, a.result.Suppressed = a.keys.suppress(a.part.Items)
	switch {
	case len(a.part.Items) > 0, a.changes() && state.tail() != state.committedSeq:
		err = a.insertBatches(ctx, tx)
	case a.changes():
		a.result.Seq++
		err = moveCursor(ctx, tx, ref, a.cursor())
	}
	if err != nil {
		return err
	}
	if err := writeEntries(ctx, tx, ref, a.part); err != nil {
		return err
	}
	if err := markDeliveries(ctx, tx, ref, a.part.Deliveries, a.result.Batches); err != nil {
		return err
	}
	return a.keys.write(ctx, tx, a.turn.Sensor, a.result.Batches)
}

// changes says whether the part changes what the sensor keeps, apart from its items.
func (a *appending) changes() bool {
	return a.part.Cursor != nil || len(a.part.Entries) > 0 || a.part.ResetEntries || len(a.part.Deliveries) > 0
}

// cursor is where the sensor has got to after the part.
func (a *appending) cursor() json.RawMessage {
	if a.part.Cursor == nil {
		return a.turn.Cursor
	}
	return a.part.Cursor
}

func (a *appending) insertBatches(ctx context.Context, tx pgx.Tx) error {
	config, err := sensor.TakeSnapshot(a.turn.Trigger, &a.turn.Sensor)
	if err != nil {
		return err
	}
	chunks := split(a.part.Items)
	a.result.Batches = make([]sensor.BatchHead, len(chunks))
	batch := &pgx.Batch{}
	for i, items := range chunks {
		head := &a.result.Batches[i]
		head.Count = len(items)
		a.result.Seq++
		var cursor json.RawMessage
		if i == len(chunks)-1 {
			cursor = a.part.Cursor
		}
		c := columnsOf(items, a.turn.Sensor.TriggerRef)
		batch.Queue(`
			insert into attune.poll_batch (
				sensor, sensor_ref, trigger_ref, seq, count, payloads, triggers, occurred, keys, config, cursor)
			values (
				@sensor, @sensor_ref, @trigger_ref, @seq, @count, @payloads, @triggers, @occurred, @keys, @config, @cursor)
			returning id`,
			pgx.NamedArgs{
				"sensor": a.turn.Sensor.ID, "sensor_ref": a.turn.Sensor.Ref, "trigger_ref": a.turn.Sensor.TriggerRef,
				"seq": a.result.Seq, "count": len(items), "payloads": c.payloads, "triggers": c.triggers,
				"occurred": c.occurred, "keys": c.keys, "config": config, "cursor": cursor,
			},
		).QueryRow(func(row pgx.Row) error { return row.Scan(&head.ID) })
	}
	return tx.SendBatch(ctx, batch).Close()
}

// columns are the items of a batch as its row has them. What no item has is null.
type columns struct {
	payloads [][]byte
	triggers []string
	occurred []*time.Time
	keys     []string
}

func columnsOf(items []sensor.Item, trigger string) columns {
	c := columns{payloads: make([][]byte, len(items))}
	for i := range items {
		item := &items[i]
		c.payloads[i] = item.Payload
		if item.TriggerRef != "" && item.TriggerRef != trigger {
			c.triggers = filled(c.triggers, len(items))
			c.triggers[i] = item.TriggerRef
		}
		if !item.OccurredAt.IsZero() {
			c.occurred = filled(c.occurred, len(items))
			c.occurred[i] = &item.OccurredAt
		}
		if item.Key != "" {
			c.keys = filled(c.keys, len(items))
			c.keys[i] = item.Key
		}
	}
	return c
}

// filled returns column, made if it is not there yet.
func filled[T any](column []T, length int) []T {
	if column == nil {
		return make([]T, length)
	}
	return column
}

// split cuts items, in order, into chunks that respect the limits of a batch. No items are one empty chunk.
func split(items []sensor.Item) [][]sensor.Item {
	var chunks [][]sensor.Item
	start, size := 0, 0
	for i := range items {
		length := len(items[i].Payload)
		if i > start && (i-start == sensor.MaxBatch || size+length > maxBatchBytes) {
			chunks = append(chunks, items[start:i])
			start, size = i, 0
		}
		size += length
	}
	return append(chunks, items[start:])
}

// sameJSON says that a and b are certainly the same value. Numbers that are written differently count as different.
func sameJSON(a, b json.RawMessage) bool {
	x, err := decode(a)
	if err != nil {
		return false
	}
	y, err := decode(b)
	return err == nil && reflect.DeepEqual(x, y)
}

func decode(raw json.RawMessage) (any, error) {
	var v any
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	err := d.Decode(&v)
	return v, err
}
