package store

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/attune-automation/sensors/internal/sensor"
)

// Entries returns what a sensor keeps besides its cursor, in no order.
func (s *Store) Entries(ctx context.Context, sensorRef string) ([]sensor.Entry, error) {
	entries, err := list[sensor.Entry](ctx, s.pool,
		`select key, value::text::bytea as value from attune.sensor_entry where sensor_ref = @ref`, pgx.NamedArgs{"ref": sensorRef})
	if err != nil {
		return nil, fmt.Errorf("reading what sensor %q keeps: %w", sensorRef, err)
	}
	return entries, nil
}

// writeEntries writes what a part changes of what its sensor keeps. The sensor's state is locked.
func writeEntries(ctx context.Context, tx pgx.Tx, sensorRef string, part sensor.Part) error {
	if len(part.Entries) == 0 && !part.ResetEntries {
		return nil
	}
	var gone, keys, values []string
	for _, entry := range part.Entries {
		if entry.Value == nil {
			gone = append(gone, entry.Key)
			continue
		}
		keys, values = append(keys, entry.Key), append(values, string(entry.Value))
	}
	batch := &pgx.Batch{}
	if part.ResetEntries {
		batch.Queue(`delete from attune.sensor_entry where sensor_ref = @ref`, pgx.NamedArgs{"ref": sensorRef})
	} else if len(gone) > 0 {
		batch.Queue(`delete from attune.sensor_entry where sensor_ref = @ref and key = any(@keys)`,
			pgx.NamedArgs{"ref": sensorRef, "keys": gone})
	}
	if len(keys) > 0 {
		batch.Queue(`
			insert into attune.sensor_entry (sensor_ref, key, value)
			select @ref, n.key, n.value::jsonb from unnest(@keys::text[], @values::text[]) as n (key, value)
			on conflict (sensor_ref, key) do update set value = excluded.value`,
			pgx.NamedArgs{"ref": sensorRef, "keys": keys, "values": values})
	}
	return tx.SendBatch(ctx, batch).Close()
}
