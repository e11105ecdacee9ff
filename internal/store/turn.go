package store

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/attune-automation/sensors/internal/sensor"
)

// turnRow is a Turn as one row, so that all of it is of one moment.
type turnRow struct {
	sensor.Sensor
	TriggerID          int64
	TriggerPackRef     string
	TriggerLabel       string
	TriggerDescription string
	TriggerEnabled     bool
	TriggerParamSchema json.RawMessage
	TriggerOutSchema   json.RawMessage
	TriggerRuleset     int64
	TailSeq            int64
	Cursor             json.RawMessage
	Pending            []sensor.BatchHead
}

// Turn returns what a poll of the sensor starts from.
func (s *Store) Turn(ctx context.Context, sensorRef string) (sensor.Turn, error) {
	turn, err := readTurn(ctx, s.pool, sensorRef)
	if err != nil {
		return sensor.Turn{}, fmt.Errorf("reading the turn of sensor %q: %w", sensorRef, err)
	}
	return turn, nil
}

func readTurn(ctx context.Context, q querier, sensorRef string) (sensor.Turn, error) {
	row, err := one[turnRow](ctx, q, `
		select `+sensorColumns+`,
			t.id as trigger_id, tp.ref as trigger_pack_ref, t.label as trigger_label,
			t.description as trigger_description, t.enabled as trigger_enabled, t.param_schema as trigger_param_schema,
			t.out_schema as trigger_out_schema, t.ruleset as trigger_ruleset,
			coalesce(greatest(st.committed_seq, u.seq), 0) as tail_seq, u.pending,
			coalesce(case when u.seq > coalesce(st.committed_seq, 0) then (
				select b.cursor from attune.poll_batch b
				where b.sensor_ref = s.ref and b.status <> 'done' and b.seq > coalesce(st.committed_seq, 0) and b.cursor is not null
				order by b.seq desc limit 1
			) end, st.cursor) as cursor
		from `+sensorTables+`
		join attune.pack tp on tp.id = t.pack
		cross join lateral (
			select jsonb_agg(jsonb_build_object('ID', b.id, 'Count', b.count) order by b.seq) as pending, max(b.seq) as seq
			from attune.poll_batch b where b.sensor_ref = s.ref and b.status <> 'done'
		) u
		where s.ref = @ref`, pgx.NamedArgs{"ref": sensorRef})
	if err != nil {
		return sensor.Turn{}, err
	}
	return sensor.Turn{
		Sensor: row.Sensor,
		Trigger: sensor.Trigger{
			ID: row.TriggerID, Ref: row.TriggerRef, PackRef: row.TriggerPackRef, Label: row.TriggerLabel,
			Description: row.TriggerDescription, Enabled: row.TriggerEnabled, ParamSchema: row.TriggerParamSchema,
			OutSchema: row.TriggerOutSchema, Ruleset: row.TriggerRuleset,
		},
		TailSeq: row.TailSeq,
		Cursor:  row.Cursor,
		Pending: row.Pending,
	}, nil
}

// Pending returns the unfinished batches of a sensor, in order. The sensor itself may be gone.
func (s *Store) Pending(ctx context.Context, sensorRef string) ([]sensor.BatchHead, error) {
	rows, err := s.pool.Query(ctx, `
		select id, count from attune.poll_batch where sensor_ref = @ref and status <> 'done' order by seq`,
		pgx.NamedArgs{"ref": sensorRef})
	if err != nil {
		return nil, fmt.Errorf("reading the unfinished batches of sensor %q: %w", sensorRef, err)
	}
	heads, err := pgx.CollectRows(rows, pgx.RowToStructByName[sensor.BatchHead])
	if err != nil {
		return nil, fmt.Errorf("reading the unfinished batches of sensor %q: %w", sensorRef, err)
	}
	return heads, nil
}

// Cursor returns the sensor's cursor, nil if it starts from the beginning, and the number of changes it has seen. The
// state of a sensor that is gone is still there.
func (s *Store) Cursor(ctx context.Context, sensorRef string) (cursor json.RawMessage, seq int64, err error) {
	err = s.pool.QueryRow(ctx, `
		select st.cursor, coalesce(st.committed_seq, 0)
		from (select @ref::text as ref) r
		left join attune.sensor_state st on st.sensor_ref = r.ref
		where st.sensor_ref is not null or exists (select from attune.sensor s where s.ref = r.ref)`,
		pgx.NamedArgs{"ref": sensorRef}).Scan(&cursor, &seq)
	if err != nil {
		return nil, 0, fmt.Errorf("reading the cursor of sensor %q: %w", sensorRef, notFound(err))
	}
	return cursor, seq, nil
}

// SetCursor sets what the sensor's next poll starts from; nil: from the beginning. It returns sensor.ErrNotFound for an
// unknown sensor, sensor.ErrBatchInHand while a batch is unfinished, and sensor.ErrRejectedPayload for a cursor that
// PostgreSQL refuses.
func (s *Store) SetCursor(ctx context.Context, sensorRef string, cursor json.RawMessage) error {
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		var known bool
		err := tx.QueryRow(ctx, `select exists (select from attune.sensor where ref = @ref)`,
			pgx.NamedArgs{"ref": sensorRef}).Scan(&known)
		if err != nil {
			return err
		}
		if !known {
			return sensor.ErrNotFound
		}
		state, err := lockState(ctx, tx, sensorRef, nil)
		if err != nil {
			return err
		}
		if state.lastSeq > 0 {
			return sensor.ErrBatchInHand
		}
		return moveCursor(ctx, tx, sensorRef, cursor)
	})
	if reason, ok := refusal(err); ok {
		err = fmt.Errorf("%w: %s", sensor.ErrRejectedPayload, reason)
	}
	if err != nil {
		return fmt.Errorf("setting the cursor of sensor %q: %w", sensorRef, err)
	}
	return nil
}

// state is what decides whether a sensor's cursor may move.
type state struct {
	committedSeq int64
	lastSeq      int64 // of the batches that are not done; 0: there are none
}

// tail is the number of the sensor's last batch or change of the cursor.
func (s state) tail() int64 { return max(s.committedSeq, s.lastSeq) }

// lockState creates the sensor's state if need be and locks it until the end of the transaction. The statements are
// separate, though one round trip, so that the last ones see what was committed while the second waited. If there are
// keys, they learn which of them are taken.
func lockState(ctx context.Context, tx pgx.Tx, sensorRef string, keys *partKeys) (state, error) {
	var st state
	args := pgx.NamedArgs{"ref": sensorRef}
	batch := &pgx.Batch{}
	batch.Queue(`insert into attune.sensor_state (sensor_ref) values (@ref) on conflict do nothing`, args)
	batch.Queue(`select committed_seq from attune.sensor_state where sensor_ref = @ref for update`, args).
		QueryRow(func(row pgx.Row) error { return row.Scan(&st.committedSeq) })
	batch.Queue(`
		select coalesce(max(seq), 0) from attune.poll_batch where sensor_ref = @ref and status <> 'done'`, args).
		QueryRow(func(row pgx.Row) error { return row.Scan(&st.lastSeq) })
	if keys != nil {
		keys.queue(batch, sensorRef)
	}
	err := tx.SendBatch(ctx, batch).Close()
	return st, err
}

// moveCursor sets the cursor of a locked state and counts the change, so that polls that started from the old one lose.
func moveCursor(ctx context.Context, tx pgx.Tx, sensorRef string, cursor json.RawMessage) error {
	_, err := tx.Exec(ctx, `
		update attune.sensor_state set cursor = @cursor, committed_seq = committed_seq + 1, updated = now()
		where sensor_ref = @ref`, pgx.NamedArgs{"ref": sensorRef, "cursor": cursor})
	return err
}
