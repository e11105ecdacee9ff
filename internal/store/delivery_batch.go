package store

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/attune-automation/sensors/internal/sensor"
)

// errMarks is a mistake of the caller.
var errMarks = errors.New("a part of deliveries has one item for each, without a key")

// checkMarks says whether a part's deliveries are those of its items, one by one.
func checkMarks(part sensor.Part) error {
	if len(part.Deliveries) == 0 {
		return nil
	}
	if len(part.Deliveries) != len(part.Items) {
		return errMarks
	}
	for i := range part.Items {
		if part.Items[i].Key != "" {
			return errMarks
		}
	}
	return nil
}

// markDeliveries records which batch has each delivery of a part, and where. One that another batch has by now makes it
// sensor.ErrTurnLost: whoever took it came first.
func markDeliveries(ctx context.Context, tx pgx.Tx, sensorRef string, ids []string, heads []sensor.BatchHead) error {
	if len(ids) == 0 {
		return nil
	}
	batches, positions := make([]int64, 0, len(ids)), make([]int, 0, len(ids))
	for _, head := range heads {
		for position := range head.Count {
			batches, positions = append(batches, head.ID), append(positions, position)
		}
	}
	tag, err := tx.Exec(ctx, `
		update attune.webhook_delivery d set batch = n.batch, position = n.position
		from unnest(@ids::uuid[], @batches::bigint[], @positions::int[]) as n (id, batch, position)
		where d.id = n.id and d.sensor_ref = @ref and d.batch is null`,
		pgx.NamedArgs{"ids": ids, "batches": batches, "positions": positions, "ref": sensorRef})
	if err == nil && int(tag.RowsAffected()) != len(ids) {
		err = sensor.ErrTurnLost
	}
	return err
}

// BatchDeliveries makes a batch of deliveries that wait although their sensor is not polled, say because it is stopped,
// and returns how many it took: at most what one batch holds, 0 when none wait or the sensor is gone.
func (s *Store) BatchDeliveries(ctx context.Context, sensorRef string) (taken int, err error) {
	err = s.inTx(ctx, func(tx pgx.Tx) error {
		taken, err = batchDeliveries(ctx, tx, sensorRef)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("batching the deliveries of sensor %q: %w", sensorRef, err)
	}
	return taken, nil
}

// batchDeliveries locks the sensor's state before it looks, so that no poll takes the same deliveries.
func batchDeliveries(ctx context.Context, tx pgx.Tx, sensorRef string) (int, error) {
	if _, err := lockState(ctx, tx, sensorRef, nil); err != nil {
		return 0, err
	}
	pending, _, err := pendingDeliveries(ctx, tx, sensorRef)
	if err != nil || len(pending) == 0 {
		return 0, err
	}
	turn, err := readTurn(ctx, tx, sensorRef)
	if errors.Is(err, sensor.ErrNotFound) {
		return 0, nil
	} else if err != nil {
		return 0, err
	}
	a := appending{turn: turn, result: sensor.Appended{Seq: turn.TailSeq}}
	for _, d := range pending {
		a.part.Items = append(a.part.Items, sensor.Item{Payload: d.Payload})
		a.part.Deliveries = append(a.part.Deliveries, d.ID)
	}
	return len(pending), a.write(ctx, tx)
}

// batchLeftDeliveries makes batches of all that wait for sensors that are about to be deleted, or will be no webhooks any
// more: later, nobody would know what the events are of. The lock on the sensors' rows waits for deliveries that are being
// stored, and keeps others out.
func batchLeftDeliveries(ctx context.Context, tx pgx.Tx, sensorRefs []string) error {
	if len(sensorRefs) == 0 {
		return nil
	}
	rows, err := tx.Query(ctx, `
		select ref from attune.sensor where ref = any(@refs) and runtime_ref = @runtime order by ref for update`,
		pgx.NamedArgs{"refs": sensorRefs, "runtime": sensor.RuntimeWebhook})
	if err != nil {
		return err
	}
	webhooks, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return err
	}
	for _, ref := range webhooks {
		for taken := 1; taken > 0; {
			if taken, err = batchDeliveries(ctx, tx, ref); err != nil {
				return fmt.Errorf("batching the deliveries of sensor %q: %w", ref, err)
			}
		}
	}
	return nil
}

// SweepDeliveries deletes deliveries that came longer ago than age and whose events are published, at most limit of them,
// and returns how many. It waits for nobody.
func (s *Store) SweepDeliveries(ctx context.Context, age time.Duration, limit int) (int, error) {
	tag, err := s.pool.Exec(ctx, `
		with old as materialized ( -- so that the limit holds whatever the plan
			select d.id from attune.webhook_delivery d
			where d.id < @before::uuid and d.batch is not null
				and not exists (select from attune.poll_batch b where b.id = d.batch and b.status <> 'done')
			order by d.id limit @limit for update of d skip locked
		)
		delete from attune.webhook_delivery d using old where d.id = old.id`,
		pgx.NamedArgs{"before": firstID(time.Now().Add(-age)), "limit": limit})
	if err != nil {
		return 0, fmt.Errorf("deleting old deliveries: %w", err)
	}
	return int(tag.RowsAffected()), nil
}

// firstID returns what no UUIDv7 of that moment or later is below.
func firstID(t time.Time) string {
	var id uuid.UUID
	var stamp [8]byte
	binary.BigEndian.PutUint64(stamp[:], uint64(max(t.UnixMilli(), 0)))
	copy(id[:6], stamp[2:])
	return id.String()
}

// PendingCounts returns how many deliveries wait for a poll, by sensor.
func (s *Store) PendingCounts(ctx context.Context) (map[string]int64, error) {
	rows, err := s.pool.Query(ctx, `
		select sensor_ref, count(*) from attune.webhook_delivery where batch is null group by sensor_ref`)
	if err != nil {
		return nil, fmt.Errorf("counting pending deliveries: %w", err)
	}
	counts := map[string]int64{}
	var ref string
	var n int64
	_, err = pgx.ForEachRow(rows, []any{&ref, &n}, func() error {
		counts[ref] = n
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("counting pending deliveries: %w", err)
	}
	return counts, nil
}

// WaitingWebhooks returns the refs of sensors that have deliveries that have waited for a poll for longer than olderThan,
// whether the sensors are active or not. At most limit are returned, any of them.
func (s *Store) WaitingWebhooks(ctx context.Context, olderThan time.Duration, limit int) ([]string, error) {
	rows, err := s.pool.Query(ctx, `
		select distinct sensor_ref from attune.webhook_delivery
		where batch is null and id < @before::uuid limit @limit`,
		pgx.NamedArgs{"before": firstID(time.Now().Add(-olderThan)), "limit": limit})
	if err != nil {
		return nil, fmt.Errorf("looking for sensors with pending deliveries: %w", err)
	}
	refs, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, fmt.Errorf("looking for sensors with pending deliveries: %w", err)
	}
	return refs, nil
}
