package store

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/attune-automation/sensors/internal/sensor"
)

// EventKey is a key that suppresses further events of its sensor until it expires.
type EventKey struct {
	Key            string
	BatchID        int64
	Position       int    // in its batch, from 0
	EventID        *int64 // nil: not written yet, or deleted since
	Created        time.Time
	Expires        time.Time
	Suppressed     int64      // events
	LastSuppressed *time.Time // nil: never
}

// KeyFilter selects the keys of a sensor.
type KeyFilter struct {
	SensorRef string
	Keys      []string // only these; nil: all
	Limit     int      // 0: 100
}

// Keys returns the newest keys of a sensor that have not expired, newest first; sensor.ErrNotFound for a sensor that
// there never was.
func (s *Store) Keys(ctx context.Context, f KeyFilter) ([]EventKey, error) {
	if _, _, err := s.Cursor(ctx, f.SensorRef); err != nil {
		return nil, err
	}
	keys, err := list[EventKey](ctx, s.pool, `
		select k.key, k.batch as batch_id, k.position, e.id as event_id, k.created, k.expires, k.suppressed, k.last_suppressed
		from (
			select * from attune.event_key
			where sensor_ref = @ref and expires > now() and (@keys::text[] is null or key = any(@keys))
			order by created desc, batch desc, position desc limit @limit
		) k
		left join attune.event e on e.batch = k.batch and e.position = k.position
		order by k.created desc, k.batch desc, k.position desc`,
		pgx.NamedArgs{"ref": f.SensorRef, "keys": f.Keys, "limit": cmp.Or(f.Limit, defaultLimit)})
	if err != nil {
		return nil, fmt.Errorf("listing the keys of sensor %q: %w", f.SensorRef, err)
	}
	return keys, nil
}

// ClearKeys forgets keys of a sensor, all of them for nil, so that the next events with them are taken again. It returns
// how many it forgot; sensor.ErrNotFound for a sensor that there never was.
func (s *Store) ClearKeys(ctx context.Context, sensorRef string, keys []string) (int, error) {
	if _, _, err := s.Cursor(ctx, sensorRef); err != nil {
		return 0, err
	}
	var cleared int
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		if _, err := lockState(ctx, tx, sensorRef, nil); err != nil {
			return err
		}
		tag, err := tx.Exec(ctx, `
			delete from attune.event_key where sensor_ref = @ref and (@keys::text[] is null or key = any(@keys))`,
			pgx.NamedArgs{"ref": sensorRef, "keys": keys})
		cleared = int(tag.RowsAffected())
		return err
	})
	if reason, ok := refusal(err); ok {
		err = fmt.Errorf("%w: %s", sensor.ErrRejectedPayload, reason)
	}
	if err != nil {
		return 0, fmt.Errorf("clearing keys of sensor %q: %w", sensorRef, err)
	}
	return cleared, nil
}

// SweepKeys deletes keys that have expired, at most limit of them, and returns how many. Any number of processes may
// call it at once; it waits for nobody.
func (s *Store) SweepKeys(ctx context.Context, limit int) (int, error) {
	tag, err := s.pool.Exec(ctx, `
		with old as materialized ( -- so that the limit holds whatever the plan
			select sensor_ref, key from attune.event_key where expires < now()
			order by expires limit @limit for update skip locked
		)
		delete from attune.event_key k using old
		where k.sensor_ref = old.sensor_ref and k.key = old.key`, pgx.NamedArgs{"limit": limit})
	if err != nil {
		return 0, fmt.Errorf("deleting expired keys: %w", err)
	}
	return int(tag.RowsAffected()), nil
}
