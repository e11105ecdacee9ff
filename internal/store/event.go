package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/attune-automation/sensors/internal/sensor"
)

// eventColumns are the fields of a sensor.Event, from attune.event e.
const eventColumns = `
	e.id, e.batch as batch_id, e.position, e.trigger as trigger_id, e.trigger_ref, e.source as sensor_id,
	coalesce(e.source_ref, '') as sensor_ref, e.config, e.payload, e.occurred_at, e.created`

// EventFilter selects events. Zero fields select everything.
type EventFilter struct {
	TriggerRef string
	SensorRef  string
	Since      time.Time // written at or after
	BeforeID   int64     // IDs below it: the next page
	AfterID    int64     // IDs above it
	Limit      int       // 0: 100
}

// EventsOfBatch returns the events of a batch in poll order.
func (s *Store) EventsOfBatch(ctx context.Context, batchID int64) ([]sensor.Event, error) {
	events, err := eventsOfBatch(ctx, s.pool, batchID)
	if err != nil {
		return nil, fmt.Errorf("loading the events of batch %d: %w", batchID, err)
	}
	return events, nil
}

// Event returns one event.
func (s *Store) Event(ctx context.Context, id int64) (sensor.Event, error) {
	event, err := one[sensor.Event](ctx, s.pool,
		`select `+eventColumns+` from attune.event e where e.id = @id`, pgx.NamedArgs{"id": id})
	if err != nil {
		return sensor.Event{}, fmt.Errorf("loading event %d: %w", id, err)
	}
	return event, nil
}

// Events returns the newest events that the filter selects, newest first.
func (s *Store) Events(ctx context.Context, f EventFilter) ([]sensor.Event, error) {
	w := where{args: pgx.NamedArgs{}}
	w.equal("e.trigger_ref", "trigger_ref", f.TriggerRef)
	w.equal("e.source_ref", "source_ref", f.SensorRef)
	w.page("e", f.Since, f.BeforeID, f.AfterID)
	events, err := list[sensor.Event](ctx, s.pool,
		`select `+eventColumns+` from attune.event e`+w.newest("e", f.Limit), w.args)
	if err != nil {
		return nil, fmt.Errorf("listing events: %w", err)
	}
	return events, nil
}

// eventRow are the columns of an event, from attune.event, that collectEvents reads. Its trigger and config are null where
// they are those of the batch: reading these once halves the time.
const eventRow = `
	id, position, trigger, nullif(trigger_ref, @trigger_ref), case when trigger_ref <> @trigger_ref then config end, payload,
	occurred_at, created`

func eventsOfBatch(ctx context.Context, q querier, batchID int64) ([]sensor.Event, error) {
	b, err := one[sensor.Batch](ctx, q, `
		select `+batchHeader+` from attune.poll_batch where id = @id`, pgx.NamedArgs{"id": batchID})
	if err != nil {
		return nil, err
	}
	rows, err := q.Query(ctx, `select `+eventRow+` from attune.event where batch = @batch order by position`,
		pgx.NamedArgs{"batch": batchID, "trigger_ref": b.TriggerRef})
	if err != nil {
		return nil, err
	}
	return collectEvents(rows, b)
}

// collectEvents reads the rows of a batch's events.
func collectEvents(rows pgx.Rows, b sensor.Batch) ([]sensor.Event, error) {
	var events []sensor.Event
	e := sensor.Event{BatchID: b.ID, SensorID: b.SensorID, SensorRef: b.SensorRef}
	var trigger *string
	var config []byte
	_, err := pgx.ForEachRow(rows, []any{
		&e.ID, &e.Position, &e.TriggerID, &trigger, &config, (*[]byte)(&e.Payload), &e.OccurredAt, &e.Created,
	}, func() error {
		e.TriggerRef, e.Config = b.TriggerRef, b.Config
		if trigger != nil {
			e.TriggerRef, e.Config = *trigger, config
		}
		events = append(events, e)
		return nil
	})
	return events, err
}
