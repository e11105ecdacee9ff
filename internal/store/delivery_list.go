package store

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/attune-automation/sensors/internal/sensor"
)

// DeliveryStatus says how far a delivery has come.
type DeliveryStatus string

// The statuses of a delivery.
const (
	DeliveryPending  DeliveryStatus = "pending"  // it waits for a poll of its sensor
	DeliveryStored   DeliveryStatus = "stored"   // a batch has it, whose events are not written yet
	DeliveryEvent    DeliveryStatus = "event"    // it is an event
	DeliveryRejected DeliveryStatus = "rejected" // it could not become one
)

// DeliveryStatuses are all statuses of a delivery, in the order in which it may have them.
func DeliveryStatuses() []DeliveryStatus {
	return []DeliveryStatus{DeliveryPending, DeliveryStored, DeliveryEvent, DeliveryRejected}
}

// DeliveryRecord is a stored delivery with what became of it.
type DeliveryRecord struct {
	ID              string
	SensorRef       string
	Key             string // how the sender named it; empty: not at all
	Payload         []byte // of the event
	ReceivedAt      time.Time
	RedeliveredFrom string // the delivery that an operator delivered again as this one; empty: it came from a sender
	Status          DeliveryStatus
	BatchID         *int64 // nil: none has it yet
	EventID         *int64 // nil: it is none
	Reason          string // why it could not become an event; empty: it could, or may yet
}

// DeliveryFilter selects deliveries. Zero fields select everything.
type DeliveryFilter struct {
	SensorRef string
	Status    DeliveryStatus
	Since     time.Time // received at or after
	BeforeID  string    // that arrived before this one: the next page
	Limit     int       // 0: 100
}

const deliverySelect = `
	select d.id::text as id, d.sensor_ref, coalesce(d.key, '') as key, d.payload, d.received_at,
		coalesce(d.redelivered_from::text, '') as redelivered_from, d.batch as batch_id, e.id as event_id,
		coalesce(r.reason, '') as reason,
		case when d.batch is null then 'pending' when e.id is not null then 'event' when r.id is not null then 'rejected'
			else 'stored' end as status
	from attune.webhook_delivery d
	left join attune.event e on e.batch = d.batch and e.position = d.position
	left join attune.rejected_event r on r.batch = d.batch and r.position = d.position`

// Delivery returns one delivery.
func (s *Store) Delivery(ctx context.Context, id string) (DeliveryRecord, error) {
	record, err := one[DeliveryRecord](ctx, s.pool, deliverySelect+` where d.id::text = @id`, pgx.NamedArgs{"id": id})
	if err != nil {
		return DeliveryRecord{}, fmt.Errorf("loading delivery %s: %w", id, err)
	}
	return record, nil
}

// Deliveries returns the deliveries that the filter selects, those that came last first.
func (s *Store) Deliveries(ctx context.Context, f DeliveryFilter) ([]DeliveryRecord, error) {
	w := where{args: pgx.NamedArgs{"limit": cmp.Or(f.Limit, defaultLimit)}}
	w.equal("d.sensor_ref", "ref", f.SensorRef)
	if f.BeforeID != "" {
		w.add("d.id < @before::uuid", "before", f.BeforeID)
	}
	if !f.Since.IsZero() {
		w.add("d.received_at >= @since", "since", f.Since)
	}
	if condition := map[DeliveryStatus]string{
		DeliveryPending:  "d.batch is null",
		DeliveryStored:   "d.batch is not null and e.id is null and r.id is null",
		DeliveryEvent:    "e.id is not null",
		DeliveryRejected: "r.id is not null",
	}[f.Status]; condition != "" {
		w.conditions = append(w.conditions, condition)
	}
	records, err := list[DeliveryRecord](ctx, s.pool, deliverySelect+w.sql()+" order by d.id desc limit @limit", w.args)
	if err != nil {
		return nil, fmt.Errorf("listing deliveries: %w", err)
	}
	return records, nil
}

// Redeliver makes what was delivered pending once more, as a delivery of its own that names the one it comes from: it
// becomes a second event on purpose. It is sensor.ErrNotFound when there is no such delivery, or its sensor is gone.
func (s *Store) Redeliver(ctx context.Context, id string, again sensor.Delivery) error {
	tag, err := s.pool.Exec(ctx, `
		with webhook as materialized (
			select ref from attune.sensor where ref = @ref and runtime_ref = @runtime for share
		)
		insert into attune.webhook_delivery (id, sensor_ref, payload, received_at, redelivered_from)
		select @id::uuid, d.sensor_ref, @payload, @received, d.id
		from attune.webhook_delivery d join webhook w on w.ref = d.sensor_ref
		where d.id = @from::uuid`,
		pgx.NamedArgs{
			"ref": again.SensorRef, "runtime": sensor.RuntimeWebhook, "id": again.ID, "payload": again.Payload,
			"received": again.ReceivedAt, "from": id,
		})
	if err == nil && tag.RowsAffected() == 0 {
		err = sensor.ErrNotFound
	}
	if err != nil {
		return fmt.Errorf("delivering %s again: %w", id, err)
	}
	return nil
}
