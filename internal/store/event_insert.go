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
func insertEventRows(ctx context.Context, tx pgx.Tx, b sensor.Batch, events []sensor.NewEvent) ([]sensor.Event, error) {
	positions := make([]int, len(events))
	payloads := make([]string, len(events))
	plain := true
	for i, e := range events {
		positions[i], payloads[i] = e.Position, string(e.Payload)
		plain = plain && e.TriggerRef == "" && e.OccurredAt.IsZero()
	}
	args := pgx.NamedArgs{"batch": b.ID, "trigger_ref": b.TriggerRef, "positions": positions, "payloads": payloads}
	sql := insertPlain
	if !plain {
		sql = insertMixed
		args["triggers"], args["occurred"] = origins(events)
	}
	rows, err := tx.Query(ctx, sql+` returning `+eventRow, args)
	if err != nil {
		return nil, err
	}
	return collectEvents(rows, b)
}

// insertPlain writes events that are all of the batch's trigger and do not say when they occurred, as most are.
const insertPlain = `
	insert into attune.event (batch, position, trigger, trigger_ref, source, source_ref, config, payload)
	select b.id, n.position, t.id, b.trigger_ref, b.sensor, b.sensor_ref, b.config, n.payload::jsonb
	from attune.poll_batch b
	left join attune.trigger t on t.ref = b.trigger_ref
	cross join unnest(@positions::int[], @payloads::text[]) as n (position, payload)
	where b.id = @batch
	order by n.position`

// insertMixed writes events of any trigger. One of another than the batch's has its own in its config.
const insertMixed = `
	insert into attune.event (batch, position, trigger, trigger_ref, source, source_ref, config, payload, occurred_at)
	select b.id, n.position, t.id, coalesce(n.trigger_ref, b.trigger_ref), b.sensor, b.sensor_ref,
		case when n.trigger_ref is null then b.config else
			jsonb_set(b.config, '{trigger}', jsonb_build_object('ref', n.trigger_ref, 'label', coalesce(t.label, '')))
		end,
		n.payload::jsonb, n.occurred_at
	from attune.poll_batch b
	cross join unnest(@positions::int[], @payloads::text[], @triggers::text[], @occurred::timestamptz[])
		as n (position, payload, trigger_ref, occurred_at)
	left join attune.trigger t on t.ref = coalesce(n.trigger_ref, b.trigger_ref)
	where b.id = @batch
	order by n.position`

// origins returns, as columns, the triggers of events and when they occurred, null for what an event does not say.
func origins(events []sensor.NewEvent) (triggers []*string, occurred []*time.Time) {
	triggers, occurred = make([]*string, len(events)), make([]*time.Time, len(events))
	for i := range events {
		if e := &events[i]; e.TriggerRef != "" {
			triggers[i] = &e.TriggerRef
		}
		if e := &events[i]; !e.OccurredAt.IsZero() {
			occurred[i] = &e.OccurredAt
		}
	}
	return triggers, occurred
}
