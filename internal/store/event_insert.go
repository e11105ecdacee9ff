package store

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/attune-automation/sensors/internal/sensor"
)

// insertEvents appends the rows that it writes to stored. When PostgreSQL refuses one of several payloads, it halves
// them until it knows which.
func insertEvents(
	ctx context.Context, tx pgx.Tx, b sensor.Batch, events []sensor.NewEvent, stored *[]sensor.Event,
) (refused []sensor.Rejection, err error) {
	if len(events) == 0 {
		return nil, nil
	}
	var rows []sensor.Event
	err = pgx.BeginFunc(ctx, tx, func(savepoint pgx.Tx) (err error) {
		rows, err = insertEventRows(ctx, savepoint, b, events)
		return err
	})
	if err == nil {
		*stored = append(*stored, rows...)
		return nil, nil
	}
	reason, ok := refusal(err)
	switch {
	case !ok:
		return nil, err
	case len(events) == 1:
		return []sensor.Rejection{{
			Position: events[0].Position, Raw: events[0].Payload, TriggerRef: events[0].TriggerRef, Reason: reason,
		}}, nil
	}
	half := len(events) / 2
	left, err := insertEvents(ctx, tx, b, events[:half], stored)
	if err != nil {
		return nil, err
	}
	right, err := insertEvents(ctx, tx, b, events[half:], stored)
	return append(left, right...), err
}

// insertEventRows writes events of which PostgreSQL refuses none, or fails.
func insertEventRows(ctx context.Context, tx pgx.Tx, b sensor.Batch, events []sensor.NewEvent) (stored []sensor.Event, err error) {
	var fresh eventRows
	for _, e := range events {
		fresh.add(b.ID, e)
	}
	rows, err := tx.Query(ctx, insertEventsSQL, fresh.args())
	if err != nil {
		return nil, err
	}
	err = collectInserted(rows, func(int64) *sensor.Batch { return &b }, func(e sensor.Event) { stored = append(stored, e) })
	return stored, err
}

// eventRows are rows of attune.event to be, as columns.
type eventRows struct {
	batches   []int64
	positions []int
	payloads  []string
	triggers  []*string    // nil: all are of their batch's
	occurred  []*time.Time // nil: none says when
}

func (r *eventRows) add(batchID int64, e sensor.NewEvent) {
	n := len(r.batches)
	r.batches, r.positions, r.payloads = append(r.batches, batchID), append(r.positions, e.Position), append(r.payloads, string(e.Payload))
	if e.TriggerRef != "" {
		r.triggers = append(r.triggers, make([]*string, n+1-len(r.triggers))...)
		r.triggers[n] = &e.TriggerRef
	}
	if !e.OccurredAt.IsZero() {
		r.occurred = append(r.occurred, make([]*time.Time, n+1-len(r.occurred))...)
		r.occurred[n] = &e.OccurredAt
	}
}

func (r *eventRows) args() pgx.NamedArgs {
	return pgx.NamedArgs{
		"batches": r.batches, "positions": r.positions, "payloads": r.payloads, "triggers": r.triggers, "occurred": r.occurred,
		"own": r.triggers != nil,
	}
}

// insertEventsSQL writes events of any batches and triggers; columns that are shorter are null at their ends. One of another
// trigger than its batch's has its own in its config, which is read back only if there are such events.
const insertEventsSQL = `
	insert into attune.event (batch, position, trigger, trigger_ref, source, source_ref, config, payload, occurred_at)
	select b.id, n.position, t.id, coalesce(n.trigger_ref, b.trigger_ref), b.sensor, b.sensor_ref,
		case when n.trigger_ref is null then b.config else
			jsonb_set(b.config, '{trigger}', jsonb_build_object('ref', n.trigger_ref, 'label', coalesce(t.label, '')))
		end,
		n.payload::jsonb, n.occurred_at
	from unnest(@batches::bigint[], @positions::int[], @payloads::text[], @triggers::text[], @occurred::timestamptz[])
		with ordinality as n (batch, position, payload, trigger_ref, occurred_at, place)
	join attune.poll_batch b on b.id = n.batch
	left join attune.trigger t on t.ref = coalesce(n.trigger_ref, b.trigger_ref)
	order by n.place
	returning batch, id, position, trigger, trigger_ref, case when @own then config end, payload, occurred_at, created`

// collectInserted reads the rows that insertEventsSQL wrote; batch returns the batch with an ID.
func collectInserted(rows pgx.Rows, batch func(id int64) *sensor.Batch, take func(sensor.Event)) error {
	var e sensor.Event
	var config []byte
	_, err := pgx.ForEachRow(rows, []any{
		&e.BatchID, &e.ID, &e.Position, &e.TriggerID, &e.TriggerRef, &config, (*[]byte)(&e.Payload), &e.OccurredAt, &e.Created,
	}, func() error {
		b := batch(e.BatchID)
		e.SensorID, e.SensorRef, e.Config = b.SensorID, b.SensorRef, b.Config
		if e.TriggerRef == b.TriggerRef {
			e.TriggerRef = b.TriggerRef // one string for all
		} else {
			e.Config = config
		}
		take(e)
		return nil
	})
	return err
}
