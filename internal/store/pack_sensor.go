package store

import (
	"cmp"
	"context"
	"errors"
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
		if s.Runtime != sensor.RuntimeWebhook {
			if err := batchLeftDeliveries(ctx, w.tx, []string{s.Ref}); err != nil {
				return err
			}
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
	others, err := w.otherTriggers(ctx, s)
	if err != nil {
		return err
	}
	tag, err := w.tx.Exec(ctx, `
		with state as (
			insert into attune.sensor_state (sensor_ref) values (@ref) on conflict do nothing returning sensor_ref
		)
		insert into attune.sensor (ref, pack, label, description, entrypoint, runtime_ref, trigger, trigger_ref,
			other_trigger_refs, enabled, param_schema, config, poll_interval, timeout, max_restart_attempts,
			restart_on_error, dedupe_ttl, mode, queue, sandbox, network, warm, limits, version)
		select @ref, p.id, @label, @description, @entrypoint, @runtime, t.id, t.ref,
			@others, @enabled, @param_schema, @config, nullif(@poll_interval::interval, '0'),
			nullif(@timeout::interval, '0'), nullif(@attempts::integer, 0), @restart_on_error,
			nullif(@dedupe_ttl::interval, '0'), @mode, nullif(@queue::text, ''), nullif(@sandbox::text, ''),
			nullif(@network::text, ''), @warm, @limits,
			case when exists (select from state) then 1 else extract(epoch from now())::bigint end
		from attune.pack p, attune.trigger t
		where p.ref = @pack and t.ref = @trigger
		on conflict (ref) do update set label = excluded.label, description = excluded.description,
			entrypoint = excluded.entrypoint, runtime_ref = excluded.runtime_ref, trigger = excluded.trigger,
			trigger_ref = excluded.trigger_ref, other_trigger_refs = excluded.other_trigger_refs,
			enabled = excluded.enabled, param_schema = excluded.param_schema, config = excluded.config,
			poll_interval = excluded.poll_interval, timeout = excluded.timeout,
			max_restart_attempts = excluded.max_restart_attempts, restart_on_error = excluded.restart_on_error,
			dedupe_ttl = excluded.dedupe_ttl, mode = excluded.mode, queue = excluded.queue, sandbox = excluded.sandbox,
			network = excluded.network, warm = excluded.warm, limits = excluded.limits,
			version = sensor.version + 1, updated = now()`,
		pgx.NamedArgs{
			"ref": s.Ref, "pack": w.pack.Ref, "label": s.Label, "description": s.Description, "entrypoint": s.Entrypoint,
			"runtime": s.Runtime, "trigger": s.TriggerRef, "others": others, "enabled": s.Enabled,
			"param_schema": nullable(s.ParamSchema), "config": nullable(s.Config), "poll_interval": s.PollInterval,
			"timeout": s.Timeout, "attempts": s.MaxRestartAttempts, "restart_on_error": s.RestartOnError,
			"dedupe_ttl": s.DedupeTTL, "mode": cmp.Or(s.Mode, sensor.ModePoll), "queue": s.Queue, "sandbox": s.Sandbox,
			"network": s.Network, "warm": s.Warm, "limits": s.Limits,
		})
	return written(tag.RowsAffected(), s.TriggerRef, err)
}

// otherTriggers returns the triggers of a sensor after its first, all of which must exist.
func (w *packWriter) otherTriggers(ctx context.Context, s sensor.Sensor) ([]string, error) {
	others := slices.DeleteFunc(slices.Clone(s.TriggerRefs), func(ref string) bool { return ref == s.TriggerRef })
	if len(others) == 0 {
		return []string{}, nil
	}
	var missing string
	err := w.tx.QueryRow(ctx, `
		select named.ref from unnest(@refs::text[]) as named (ref)
		where not exists (select from attune.trigger t where t.ref = named.ref) limit 1`,
		pgx.NamedArgs{"refs": others}).Scan(&missing)
	if err == nil {
		return nil, errNoTrigger(missing)
	}
	if !errors.Is(err, pgx.ErrNoRows) {
		return nil, err
	}
	return others, nil
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
