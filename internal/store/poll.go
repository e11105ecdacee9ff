package store

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"reflect"

	"github.com/jackc/pgx/v5"

	"github.com/attune-automation/sensors/internal/sensor"
)

// maxBatchBytes keeps what one batch needs in memory, and one transaction writes, small. A payload that is larger has a
// batch of its own.
const maxBatchBytes = 8 << 20

// SavePoll stores what a poll brought as one batch or, when it is large, as several, in order, of which only the last
// carries the cursor. It returns sensor.ErrTurnLost and stores nothing if the sensor's state is no longer that of the
// turn. A poll that only moved the cursor stores no batch; one that did not even do that writes nothing.
// A cursor that PostgreSQL refuses is a *sensor.Fault of kind output.
func (s *Store) SavePoll(ctx context.Context, turn sensor.Turn, poll sensor.Poll) ([]sensor.BatchHead, error) {
	ref := turn.Sensor.Ref
	if len(poll.Payloads) == 0 && (poll.Cursor == nil || sameJSON(poll.Cursor, turn.Cursor)) {
		return nil, nil
	}
	var heads []sensor.BatchHead
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		state, err := lockState(ctx, tx, ref)
		if err != nil {
			return err
		}
		if state.unfinished || state.committedSeq != turn.CommittedSeq {
			return sensor.ErrTurnLost
		}
		if len(poll.Payloads) == 0 {
			return moveCursor(ctx, tx, ref, poll.Cursor)
		}
		heads, err = insertBatches(ctx, tx, turn, poll)
		return err
	})
	if reason, ok := refusal(err); ok {
		return nil, &sensor.Fault{Kind: sensor.FaultOutput, Message: "the cursor cannot be stored: " + reason}
	}
	if err != nil {
		return nil, fmt.Errorf("storing the poll of sensor %q: %w", ref, err)
	}
	return heads, nil
}

func insertBatches(ctx context.Context, tx pgx.Tx, turn sensor.Turn, poll sensor.Poll) ([]sensor.BatchHead, error) {
	config, err := sensor.TakeSnapshot(turn.Trigger, &turn.Sensor)
	if err != nil {
		return nil, err
	}
	parts := split(poll.Payloads)
	heads := make([]sensor.BatchHead, len(parts))
	batch := &pgx.Batch{}
	for i, payloads := range parts {
		head := &heads[i]
		head.Count = len(payloads)
		var cursor json.RawMessage
		if i == len(parts)-1 {
			cursor = poll.Cursor
		}
		batch.Queue(`
			insert into attune.poll_batch (sensor, sensor_ref, trigger_ref, seq, count, payloads, config, cursor)
			values (@sensor, @sensor_ref, @trigger_ref, @seq, @count, @payloads, @config, @cursor)
			returning id`,
			pgx.NamedArgs{
				"sensor": turn.Sensor.ID, "sensor_ref": turn.Sensor.Ref, "trigger_ref": turn.Trigger.Ref,
				"seq": turn.CommittedSeq + 1 + int64(i), "count": len(payloads), "payloads": payloads,
				"config": config, "cursor": cursor,
			},
		).QueryRow(func(row pgx.Row) error { return row.Scan(&head.ID) })
	}
	return heads, tx.SendBatch(ctx, batch).Close()
}

// split cuts payloads, in order, into parts that respect the limits of a batch.
func split(payloads [][]byte) [][][]byte {
	var parts [][][]byte
	start, size := 0, 0
	for i, p := range payloads {
		if i > start && (i-start == sensor.MaxBatch || size+len(p) > maxBatchBytes) {
			parts = append(parts, payloads[start:i])
			start, size = i, 0
		}
		size += len(p)
	}
	return append(parts, payloads[start:])
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
