package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/attune-automation/sensors/internal/sensor"
)

// batchColumns are the fields of a sensor.Batch, from attune.poll_batch, but for what belongs to its payloads.
const batchColumns = `
	id, sensor as sensor_id, coalesce(sensor_ref, '') as sensor_ref, trigger_ref, seq, status, count, config`

// batchHeader are the fields of a sensor.Batch with nil for what belongs to its payloads.
const batchHeader = batchColumns + `, null::bytea[] as payloads, null::text[] as triggers, null::timestamptz[] as occurred`

// Batch returns a batch with its payloads, which are nil once it is done.
func (s *Store) Batch(ctx context.Context, id int64) (sensor.Batch, error) {
	b, err := one[sensor.Batch](ctx, s.pool,
		`select `+batchColumns+`, payloads, triggers, occurred from attune.poll_batch where id = @id`, pgx.NamedArgs{"id": id})
	if err != nil {
		return sensor.Batch{}, fmt.Errorf("loading batch %d: %w", id, err)
	}
	return b, nil
}

// BatchHeader returns a batch without its payloads.
func (s *Store) BatchHeader(ctx context.Context, id int64) (sensor.Batch, error) {
	b, err := one[sensor.Batch](ctx, s.pool,
		`select `+batchHeader+` from attune.poll_batch where id = @id`, pgx.NamedArgs{"id": id})
	if err != nil {
		return sensor.Batch{}, fmt.Errorf("loading batch %d: %w", id, err)
	}
	return b, nil
}

// FinishBatch records that the broker has confirmed every message of a batch, and drops its payloads and what belongs to
// them, which are rows by now. The batch must be matched, or generated without an event to match. A done batch stays as it is.
func (s *Store) FinishBatch(ctx context.Context, id int64) error {
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		// If a crash of the server loses this commit, the batch is only published and finished once more.
		if _, err := tx.Exec(ctx, `set local synchronous_commit = off`); err != nil {
			return err
		}
		status, _, err := lockBatch(ctx, tx, id)
		if err != nil || status == sensor.BatchDone {
			return err
		}
		tag, err := tx.Exec(ctx, `
			update attune.poll_batch set status = 'done', payloads = null, triggers = null, occurred = null, keys = null,
				done = now()
			where id = @id and (status = 'matched'
				or status = 'generated' and not exists (select from attune.event where batch = @id))`,
			pgx.NamedArgs{"id": id})
		if err == nil && tag.RowsAffected() == 0 {
			err = fmt.Errorf("its status is %s: not matched yet", status)
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("finishing batch %d: %w", id, err)
	}
	return nil
}

// StoreSystemEvent stores an event that no sensor saw as a batch of one and returns its ID. The trigger must exist
// (sensor.ErrNotFound) and be enabled (sensor.ErrDisabled). A dedupe key that was used before returns its first batch.
// A key that PostgreSQL refuses is sensor.ErrRejectedPayload.
func (s *Store) StoreSystemEvent(ctx context.Context, e sensor.SystemEvent) (batchID int64, err error) {
	var id int64
	err = s.inTx(ctx, func(tx pgx.Tx) error {
		id, err = firstBatch(ctx, tx, e.DedupeKey)
		if !errors.Is(err, sensor.ErrNotFound) {
			return err
		}
		id, err = insertSystemBatch(ctx, tx, e)
		if errors.Is(err, pgx.ErrNoRows) { // another one stored the key meanwhile
			id, err = firstBatch(ctx, tx, e.DedupeKey)
		}
		return err
	})
	if reason, ok := refusal(err); ok {
		err = fmt.Errorf("%w: %s", sensor.ErrRejectedPayload, reason)
	}
	if err != nil {
		return 0, fmt.Errorf("storing a system event of trigger %q: %w", e.TriggerRef, err)
	}
	return id, nil
}

// OrphanSystemBatches returns unfinished batches of system events that were stored longer ago than olderThan: whoever
// stored them has given up on them. At most limit are returned, any of them, so that some that can never be finished do
// not keep the others waiting.
func (s *Store) OrphanSystemBatches(ctx context.Context, olderThan time.Duration, limit int) ([]int64, error) {
	rows, err := s.pool.Query(ctx, `
		select id from attune.poll_batch
		where sensor_ref is null and status <> 'done' and created < now() - @age::interval
		order by random() limit @limit`, pgx.NamedArgs{"age": olderThan, "limit": limit})
	if err != nil {
		return nil, fmt.Errorf("looking for orphaned system events: %w", err)
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	if err != nil {
		return nil, fmt.Errorf("looking for orphaned system events: %w", err)
	}
	return ids, nil
}

// UnfinishedSensors returns the refs of sensors that have batches unfinished for longer than olderThan, whether the
// sensors are still there or not. At most limit are returned, any of them.
func (s *Store) UnfinishedSensors(ctx context.Context, olderThan time.Duration, limit int) ([]string, error) {
	rows, err := s.pool.Query(ctx, `
		select sensor_ref from attune.poll_batch
		where sensor_ref is not null and status <> 'done' and created < now() - @age::interval
		group by sensor_ref order by random() limit @limit`, pgx.NamedArgs{"age": olderThan, "limit": limit})
	if err != nil {
		return nil, fmt.Errorf("looking for sensors with unfinished batches: %w", err)
	}
	refs, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, fmt.Errorf("looking for sensors with unfinished batches: %w", err)
	}
	return refs, nil
}

// firstBatch returns the batch that was stored under a dedupe key; there is none for no key.
func firstBatch(ctx context.Context, tx pgx.Tx, key string) (id int64, err error) {
	if key == "" {
		return 0, sensor.ErrNotFound
	}
	err = tx.QueryRow(ctx, `select id from attune.poll_batch where dedupe_key = @key`,
		pgx.NamedArgs{"key": key}).Scan(&id)
	return id, notFound(err)
}

// insertSystemBatch returns pgx.ErrNoRows if the dedupe key is in use.
func insertSystemBatch(ctx context.Context, tx pgx.Tx, e sensor.SystemEvent) (id int64, err error) {
	trigger, err := loadTrigger(ctx, tx, e.TriggerRef)
	if err != nil {
		return 0, err
	}
	if !trigger.Enabled {
		return 0, sensor.ErrDisabled
	}
	config, err := sensor.TakeSnapshot(trigger, nil)
	if err != nil {
		return 0, err
	}
	err = tx.QueryRow(ctx, `
		insert into attune.poll_batch (trigger_ref, count, payloads, config, dedupe_key)
		values (@trigger_ref, 1, @payloads, @config, nullif(@key, ''))
		on conflict (dedupe_key) do nothing
		returning id`,
		pgx.NamedArgs{
			"trigger_ref": trigger.Ref, "payloads": [][]byte{e.Payload}, "config": config, "key": e.DedupeKey,
		}).Scan(&id)
	return id, err
}

// lockBatch locks a batch until the end of the transaction. It was matched before if it has been published again since,
// or is matched now.
func lockBatch(ctx context.Context, tx pgx.Tx, id int64) (status sensor.BatchStatus, matchedBefore bool, err error) {
	err = tx.QueryRow(ctx, `select status, rulesets is not null from attune.poll_batch where id = @id for update`,
		pgx.NamedArgs{"id": id}).Scan(&status, &matchedBefore)
	return status, matchedBefore, notFound(err)
}
