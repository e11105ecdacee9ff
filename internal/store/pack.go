package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/attune-automation/sensors/internal/sensor"
)

// applyLock is the advisory lock that packs are applied under, one at a time: one pack may use another's triggers.
const applyLock = 0x41_74_74_75_6e_65 // "Attune"

// errDryRun rolls back what was only tried.
var errDryRun = errors.New("dry run")

// ApplyOptions say how ApplyPack goes about it.
type ApplyOptions struct {
	Prune  bool // delete what the pack no longer has
	DryRun bool // change nothing; return what would change
}

// ApplyPack makes what is stored equal to a pack, in one transaction, and returns what it changed: nothing, and no row
// is touched, if it was equal before. JSON that differs only in notation is equal. A sensor's version grows with its
// definition and its pack's code, and when its trigger is enabled or disabled; a trigger's ruleset grows when its rules
// change. Triggers that other packs still use are not deleted: the error names who uses them.
func (s *Store) ApplyPack(ctx context.Context, p sensor.Pack, opts ApplyOptions) ([]sensor.Change, error) {
	var changes []sensor.Change
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `select pg_advisory_xact_lock($1)`, applyLock); err != nil {
			return err
		}
		stored, err := storedPack(ctx, tx, p.Ref)
		if err != nil {
			return err
		}
		changes = diffPack(stored, p, opts.Prune)
		if len(changes) == 0 {
			return nil
		}
		w := packWriter{tx: tx, pack: p, stored: stored, changes: changes}
		if err := w.write(ctx); err != nil {
			return err
		}
		if opts.DryRun {
			return errDryRun
		}
		return nil
	})
	if err != nil && !errors.Is(err, errDryRun) {
		return nil, fmt.Errorf("applying pack %q: %w", p.Ref, err)
	}
	return changes, nil
}

// storedPack returns what is stored of a pack, without its archive; zero if nothing is.
func storedPack(ctx context.Context, tx pgx.Tx, ref string) (sensor.Pack, error) {
	type row struct{ Ref, Label, Description, Version, Digest string }
	args := pgx.NamedArgs{"ref": ref}
	head, err := one[row](ctx, tx, `
		select ref, label, description, version, digest from attune.pack where ref = @ref`, args)
	if errors.Is(err, sensor.ErrNotFound) {
		return sensor.Pack{}, nil
	} else if err != nil {
		return sensor.Pack{}, err
	}
	p := sensor.Pack{
		Ref: head.Ref, Label: head.Label, Description: head.Description, Version: head.Version, Digest: head.Digest,
	}
	if p.Triggers, err = list[sensor.Trigger](ctx, tx, triggerSelect+` where p.ref = @ref`, args); err != nil {
		return sensor.Pack{}, err
	}
	p.Rules, err = list[sensor.Rule](ctx, tx, `select `+ruleColumns+` from `+ruleTables+` where p.ref = @ref`, args)
	if err != nil {
		return sensor.Pack{}, err
	}
	type definition struct {
		sensor.Sensor
		Declared bool // enabled as the pack's file has it, whatever the trigger's is
	}
	sensors, err := list[definition](ctx, tx, `
		select `+sensorColumns+`, s.enabled as declared from `+sensorTables+` where p.ref = @ref`, args)
	for _, d := range sensors {
		d.Sensor.Enabled = d.Declared
		p.Sensors = append(p.Sensors, d.Sensor)
	}
	return p, err
}

// packWriter writes the changes between a stored pack and a new one.
type packWriter struct {
	tx      pgx.Tx
	pack    sensor.Pack
	stored  sensor.Pack
	changes []sensor.Change
}

// write goes by who refers to whom: triggers are there before what uses them and are deleted after it.
func (w *packWriter) write(ctx context.Context) error {
	steps := []func(context.Context) error{
		w.writePack, w.writeTriggers, w.writeSensors, w.bumpSensors, w.bumpRulesets, w.writeRules, w.deleteParts,
		w.deleteTriggers,
	}
	for _, step := range steps {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// writePack deletes archives that nobody needs before the pack's own is replaced, so that a worker which is about to
// fetch the replaced one still finds it.
func (w *packWriter) writePack(ctx context.Context) error {
	if len(w.changed(kindPack)) == 0 {
		return nil
	}
	if _, err := w.tx.Exec(ctx, `
		delete from attune.pack_archive a
		where a.created < now() - interval '1 day' and not exists (select from attune.pack p where p.digest = a.digest)`,
	); err != nil {
		return err
	}
	if _, err := w.tx.Exec(ctx, `
		insert into attune.pack_archive (digest, content) values (@digest, @content) on conflict do nothing`,
		pgx.NamedArgs{"digest": w.pack.Digest, "content": w.pack.Archive}); err != nil {
		return err
	}
	_, err := w.tx.Exec(ctx, `
		insert into attune.pack (ref, label, description, version, digest)
		values (@ref, @label, @description, @version, @digest)
		on conflict (ref) do update set label = excluded.label, description = excluded.description,
			version = excluded.version, digest = excluded.digest, updated = now()`,
		pgx.NamedArgs{
			"ref": w.pack.Ref, "label": w.pack.Label, "description": w.pack.Description, "version": w.pack.Version,
			"digest": w.pack.Digest,
		})
	return err
}

// writeTriggers starts the ruleset of a trigger that was there before, deleted and is back, beyond any number that it
// can have had: compiled rules and the audit tell rulesets apart by number.
func (w *packWriter) writeTriggers(ctx context.Context) error {
	changed := w.changed(kindTrigger)
	for _, t := range w.pack.Triggers {
		if !slices.Contains(changed, t.Ref) {
			continue
		}
		if _, err := w.tx.Exec(ctx, `
			insert into attune.trigger (ref, pack, label, description, enabled, param_schema, out_schema, ruleset)
			select @ref, id, @label, @description, @enabled, @param_schema, @out_schema,
				case when exists (select from attune.event where trigger_ref = @ref)
					then extract(epoch from now())::bigint else 0 end
			from attune.pack where ref = @pack
			on conflict (ref) do update set label = excluded.label, description = excluded.description,
				enabled = excluded.enabled, param_schema = excluded.param_schema, out_schema = excluded.out_schema,
				updated = now()`,
			pgx.NamedArgs{
				"ref": t.Ref, "pack": w.pack.Ref, "label": t.Label, "description": t.Description, "enabled": t.Enabled,
				"param_schema": nullable(t.ParamSchema), "out_schema": nullable(t.OutSchema),
			}); err != nil {
			return fmt.Errorf("trigger %q: %w", t.Ref, err)
		}
	}
	return nil
}

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

// changed returns the refs of the parts of a kind that the pack has and that have to be written.
func (w *packWriter) changed(kind string) []string { return w.refs(kind, false) }

func (w *packWriter) deleted(kind string) []string { return w.refs(kind, true) }

func (w *packWriter) refs(kind string, deleted bool) []string {
	refs := []string{}
	for _, c := range w.changes {
		if c.Kind == kind && (c.Action == sensor.ActionDelete) == deleted {
			refs = append(refs, c.Ref)
		}
	}
	return refs
}

// written says what it means that an insert of a part that names a trigger found none.
func written(rows int64, trigger string, err error) error {
	if err == nil && rows == 0 {
		return fmt.Errorf("trigger %q does not exist: apply the pack that defines it first", trigger)
	}
	return err
}

// nullable turns absent JSON into SQL's null, which JSON's own null is not.
func nullable(raw json.RawMessage) *string {
	if len(raw) == 0 {
		return nil
	}
	text := string(raw)
	return &text
}
