package store

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/attune-automation/sensors/internal/sensor"
)

// sensorColumns are the fields of a sensor.Sensor, from sensorTables.
const sensorColumns = `
	s.id, s.ref, p.ref as pack_ref, p.digest as pack_digest, s.label, s.description, s.runtime_ref as runtime,
	s.entrypoint, s.trigger_ref, s.trigger_ref || s.other_trigger_refs as trigger_refs, s.enabled and t.enabled as enabled, coalesce(st.stopped, false) as stopped,
	coalesce(st.completed = s.version, false) as completed,
	s.param_schema, s.config, s.version, coalesce(s.poll_interval, '0') as poll_interval,
	coalesce(s.timeout, '0') as timeout, coalesce(s.max_restart_attempts, 0) as max_restart_attempts,
	s.restart_on_error, coalesce(s.dedupe_ttl, '0') as dedupe_ttl, s.mode, coalesce(s.queue, '') as queue,
	coalesce(s.sandbox, '') as sandbox, coalesce(s.network, '') as network, s.warm, s.limits`

const sensorTables = `
	attune.sensor s
	join attune.pack p on p.id = s.pack
	join attune.trigger t on t.id = s.trigger
	left join attune.sensor_state st on st.sensor_ref = s.ref`

// Sensor returns one sensor.
func (s *Store) Sensor(ctx context.Context, ref string) (sensor.Sensor, error) {
	found, err := one[sensor.Sensor](ctx, s.pool,
		`select `+sensorColumns+` from `+sensorTables+` where s.ref = @ref`, pgx.NamedArgs{"ref": ref})
	if err != nil {
		return sensor.Sensor{}, fmt.Errorf("loading sensor %q: %w", ref, err)
	}
	return found, nil
}

// Sensors returns all sensors, by ref.
func (s *Store) Sensors(ctx context.Context) ([]sensor.Sensor, error) {
	sensors, err := list[sensor.Sensor](ctx, s.pool,
		`select `+sensorColumns+` from `+sensorTables+` order by s.ref`, nil)
	if err != nil {
		return nil, fmt.Errorf("listing sensors: %w", err)
	}
	return sensors, nil
}

// Webhooks returns the sensors that are webhooks, active or not, by ref.
func (s *Store) Webhooks(ctx context.Context) ([]sensor.Sensor, error) {
	sensors, err := list[sensor.Sensor](ctx, s.pool, `
		select `+sensorColumns+` from `+sensorTables+` where s.runtime_ref = @runtime order by s.ref`,
		pgx.NamedArgs{"runtime": sensor.RuntimeWebhook})
	if err != nil {
		return nil, fmt.Errorf("listing webhooks: %w", err)
	}
	return sensors, nil
}

// SetStopped records that an operator stopped the sensor, or started it again, which a sensor that has completed forgets.
func (s *Store) SetStopped(ctx context.Context, ref string, stopped bool) error {
	tag, err := s.pool.Exec(ctx, `
		insert into attune.sensor_state as st (sensor_ref, stopped)
		select ref, @stopped from attune.sensor where ref = @ref
		on conflict (sensor_ref) do update set stopped = excluded.stopped, updated = now(),
			completed = case when excluded.stopped then st.completed end`,
		pgx.NamedArgs{"ref": ref, "stopped": stopped})
	if err == nil && tag.RowsAffected() == 0 {
		err = sensor.ErrNotFound
	}
	if err != nil {
		return fmt.Errorf("setting stopped of sensor %q: %w", ref, err)
	}
	return nil
}

// Complete records that the sensor has brought all that it ever will, as it is defined by now.
func (s *Store) Complete(ctx context.Context, def sensor.Sensor) error {
	_, err := s.pool.Exec(ctx, `
		insert into attune.sensor_state (sensor_ref, completed) values (@ref, @version)
		on conflict (sensor_ref) do update set completed = excluded.completed, updated = now()`,
		pgx.NamedArgs{"ref": def.Ref, "version": def.Version})
	if err != nil {
		return fmt.Errorf("recording that sensor %q has completed: %w", def.Ref, err)
	}
	return nil
}

// PackArchive returns the files of a pack, a gzipped tar, by the SHA-256 of that in hex.
func (s *Store) PackArchive(ctx context.Context, digest string) ([]byte, error) {
	var content []byte
	err := s.pool.QueryRow(ctx, `select content from attune.pack_archive where digest = @digest`,
		pgx.NamedArgs{"digest": digest}).Scan(&content)
	if err != nil {
		return nil, fmt.Errorf("loading the pack archive %s: %w", digest, notFound(err))
	}
	return content, nil
}
