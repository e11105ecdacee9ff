package store

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/attune-automation/sensors/internal/sensor"
)

// InsertDeliveries stores what webhooks accepted, in one statement, and says what became of each: one that cannot be
// stored does not keep its neighbours from it. Nothing is stored when the error is not nil.
//
// A delivery of a sensor that is gone, or is no webhook any more, is sensor.ErrNotFound. The lock on the sensor's row makes
// it certain: an apply that takes the sensor away waits, and then finds the delivery.
func (s *Store) InsertDeliveries(ctx context.Context, deliveries []sensor.Delivery) ([]sensor.Receipt, error) {
	receipts := make([]sensor.Receipt, len(deliveries))
	in := &inserting{receipts: receipts}
	for i := range deliveries {
		if err := checkDelivery(&deliveries[i]); err != nil {
			receipts[i].Err = err
			continue
		}
		in.add(i, &deliveries[i])
	}
	if err := in.run(ctx, s); err != nil {
		return nil, fmt.Errorf("storing %d deliveries: %w", len(deliveries), err)
	}
	return receipts, nil
}

// checkDelivery refuses what PostgreSQL would, which would fail the neighbours of the delivery, too.
func checkDelivery(d *sensor.Delivery) error {
	switch {
	case uuid.Validate(d.ID) != nil:
		return fmt.Errorf("%w: delivery ID %q is no UUID", sensor.ErrRejectedPayload, d.ID)
	case len(d.Key) > sensor.MaxKey:
		return fmt.Errorf("%w: the sender's delivery ID has %d bytes, and at most %d are allowed", sensor.ErrRejectedPayload, len(d.Key), sensor.MaxKey)
	case !text(d.Key):
		return fmt.Errorf("%w: the sender's delivery ID %q is not text that can be stored: use UTF-8 without NUL", sensor.ErrRejectedPayload, d.Key)
	case sensor.CheckRef(d.SensorRef) != nil:
		return fmt.Errorf("sensor %q: %w", d.SensorRef, sensor.ErrNotFound)
	}
	return nil
}

func text(s string) bool { return utf8.ValidString(s) && !strings.ContainsRune(s, 0) }

// inserting is what one InsertDeliveries writes: the columns, and the receipts that they are for.
type inserting struct {
	receipts []sensor.Receipt
	places   []int // of each row among the receipts
	ids      []string
	refs     []string
	keys     []string
	payloads [][]byte
	received []time.Time
}

func (in *inserting) add(place int, d *sensor.Delivery) {
	in.places = append(in.places, place)
	in.ids, in.refs, in.keys = append(in.ids, d.ID), append(in.refs, d.SensorRef), append(in.keys, d.Key)
	in.payloads, in.received = append(in.payloads, d.Payload), append(in.received, d.ReceivedAt)
}

// run inserts the rows. Those that are not written have a key that another delivery has, or a sensor that is no webhook.
func (in *inserting) run(ctx context.Context, s *Store) error {
	if len(in.places) == 0 {
		return nil
	}
	written, err := in.insert(ctx, s)
	if err != nil {
		return err
	}
	rest := &inserting{receipts: in.receipts}
	for i, place := range in.places {
		in.receipts[place].ID = in.ids[i]
		if !written[in.ids[i]] {
			rest.places = append(rest.places, place)
			rest.ids, rest.refs, rest.keys = append(rest.ids, in.ids[i]), append(rest.refs, in.refs[i]), append(rest.keys, in.keys[i])
		}
	}
	return rest.explain(ctx, s)
}

func (in *inserting) insert(ctx context.Context, s *Store) (map[string]bool, error) {
	rows, err := s.pool.Query(ctx, `
		with webhook as materialized (
			select ref from attune.sensor where ref = any(@refs) and runtime_ref = @runtime for share
		)
		insert into attune.webhook_delivery (id, sensor_ref, key, payload, received_at)
		select n.id, n.sensor_ref, nullif(n.key, ''), n.payload, n.received_at
		from unnest(@ids::uuid[], @refs::text[], @keys::text[], @payloads::bytea[], @received::timestamptz[])
			as n (id, sensor_ref, key, payload, received_at)
		join webhook w on w.ref = n.sensor_ref
		order by n.sensor_ref, n.key -- so that two that store the same keys do not wait for each other
		on conflict do nothing
		returning id::text`,
		pgx.NamedArgs{
			"ids": in.ids, "refs": in.refs, "keys": in.keys, "payloads": in.payloads, "received": in.received,
			"runtime": sensor.RuntimeWebhook,
		})
	if err != nil {
		return nil, err
	}
	written := make(map[string]bool, len(in.ids))
	var id string
	_, err = pgx.ForEachRow(rows, []any{&id}, func() error {
		written[id] = true
		return nil
	})
	return written, err
}

// errVanished: the first delivery with the key was deleted between two statements.
var errVanished = errors.New("the first delivery with the same ID was just deleted: send it again")

// explain finds out why rows were not written.
func (in *inserting) explain(ctx context.Context, s *Store) error {
	if len(in.places) == 0 {
		return nil
	}
	rows, err := s.pool.Query(ctx, `
		select n.number, coalesce(d.id::text, ''), w.ref is not null
		from unnest(@refs::text[], @keys::text[]) with ordinality as n (sensor_ref, key, number)
		left join attune.webhook_delivery d on d.sensor_ref = n.sensor_ref and d.key = n.key
		left join attune.sensor w on w.ref = n.sensor_ref and w.runtime_ref = @runtime`,
		pgx.NamedArgs{"refs": in.refs, "keys": in.keys, "runtime": sensor.RuntimeWebhook})
	if err != nil {
		return err
	}
	var number int
	var first string
	var webhook bool
	_, err = pgx.ForEachRow(rows, []any{&number, &first, &webhook}, func() error {
		receipt := &in.receipts[in.places[number-1]]
		switch {
		case first != "":
			receipt.ID, receipt.Duplicate = first, true
		case !webhook:
			receipt.Err = fmt.Errorf("webhook %q: %w", in.refs[number-1], sensor.ErrNotFound)
		default:
			receipt.Err = errVanished
		}
		return nil
	})
	return err
}

// PendingDeliveries returns deliveries of a sensor that no batch has, in the order of their arrival: at most as many as
// a batch holds, by number and by size. more says that there are others.
func (s *Store) PendingDeliveries(ctx context.Context, sensorRef string) (pending []sensor.Delivery, more bool, err error) {
	pending, more, err = pendingDeliveries(ctx, s.pool, sensorRef)
	if err != nil {
		return nil, false, fmt.Errorf("reading the pending deliveries of sensor %q: %w", sensorRef, err)
	}
	return pending, more, nil
}

// pendingDeliveries reads one row more than it may return, which tells whether there are others.
func pendingDeliveries(ctx context.Context, q querier, sensorRef string) (pending []sensor.Delivery, more bool, err error) {
	rows, err := q.Query(ctx, `
		select id::text, payload, received_at from attune.webhook_delivery
		where sensor_ref = @ref and batch is null order by id limit @limit`,
		pgx.NamedArgs{"ref": sensorRef, "limit": sensor.MaxBatch + 1})
	if err != nil {
		return nil, false, err
	}
	defer rows.Close()
	size := 0
	for rows.Next() {
		d := sensor.Delivery{SensorRef: sensorRef}
		if err := rows.Scan(&d.ID, &d.Payload, &d.ReceivedAt); err != nil {
			return nil, false, err
		}
		if len(pending) > 0 && (len(pending) == sensor.MaxBatch || size+len(d.Payload) > maxBatchBytes) {
			return pending, true, nil
		}
		pending, size = append(pending, d), size+len(d.Payload)
	}
	return pending, false, rows.Err()
}
