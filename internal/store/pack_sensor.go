package store

import (
	"context"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/attune-automation/sensors/internal/sensor"
)

func (w *packWriter) writeSensors(ctx context.Context) error {
	changed := w.changed(kindSensor)
	for _, s := range w.pack.Sensors {
		if !slices.Contains(changed, s.Ref) {
			continue
		}
		if err := w.writeSensor(ctx, s); err != nil {
			return fmt.Errorf("sensor %q: %w", s.Ref, err)
		}
	}
	return nil
}

// writeSensor starts the version of a sensor that was there before, which its state outlives, beyond any that it can
// have had: workflows notice a change of definition by the version.
func (w *packWriter) writeSensor(ctx context.Context, s sensor.Sensor) error {
	tag, err := w.tx.Exec(ctx, `
		with state as (
			insert into attune.sensor_state (sensor_ref) values (@ref) on conflict do nothing returning sensor_ref
		)
		insert into attune.sensor (ref, pack, label, description, entrypoint, runtime_ref, trigger, trigger_ref, enabled,
			param_schema, config, poll_interval, timeout, max_restart_attempts, restart_on_error, version)
		select @ref, p.id, @label, @description, @entrypoint, @runtime, t.id, t.ref, @enabled, @param_schema, @config,
			nullif(@poll_interval::interval, '0'), nullif(@timeout::interval, '0'), nullif(@attempts::integer, 0),
			@restart_on_error,
			case when exists (select from state) then 1 else extract(epoch from now())::bigint end
		from attune.pack p, attune.trigger t
		where p.ref = @pack and t.ref = @trigger
		on conflict (ref) do update set label = excluded.label, description = excluded.description,
			entrypoint = excluded.entrypoint, runtime_ref = excluded.runtime_ref, trigger = excluded.trigger,
			trigger_ref = excluded.trigger_ref, enabled = excluded.enabled, param_schema = excluded.param_schema,
			config = excluded.config, poll_interval = excluded.poll_interval, timeout = excluded.timeout,
			max_restart_attempts = excluded.max_restart_attempts, restart_on_error = excluded.restart_on_error,
			version = sensor.version + 1, updated = now()`,
		pgx.NamedArgs{
			"ref": s.Ref, "pack": w.pack.Ref, "label": s.Label, "description": s.Description, "entrypoint": s.Entrypoint,
			"runtime": s.Runtime, "trigger": s.TriggerRef, "enabled": s.Enabled,
			"param_schema": nullable(s.ParamSchema), "config": nullable(s.Config), "poll_interval": s.PollInterval,
			"timeout": s.Timeout, "attempts": s.MaxRestartAttempts, "restart_on_error": s.RestartOnError,
		})
	return written(tag.RowsAffected(), s.TriggerRef, err)
}

// bumpSensors tells the sensors of triggers that were enabled or disabled, those of other packs among them.
func (w *packWriter) bumpSensors(ctx context.Context) error {
	var toggled []string
	for _, c := range w.changes {
		if c.Kind == kindTrigger && slices.ContainsFunc(c.Fields, func(f sensor.FieldChange) bool { return f.Field == "enabled" }) {
			toggled = append(toggled, c.Ref)
		}
	}
	if len(toggled) == 0 {
		return nil
	}
	_, err := w.tx.Exec(ctx, `
		update attune.sensor set version = version + 1, updated = now()
		where trigger_ref = any(@triggers) and ref <> all(@written)`,
		pgx.NamedArgs{"triggers": toggled, "written": append([]string{}, w.changed(kindSensor)...)})
	return err
}
