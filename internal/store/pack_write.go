package store

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/attune-automation/sensors/internal/sensor"
)

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
		where a.created < now() - interval '1 hour' and not exists (select from attune.pack p where p.digest = a.digest)`,
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
// can have had: compiled rules, versions of rules and the audit tell rulesets apart by number.
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
						or exists (select from attune.rule_version where trigger_ref = @ref)
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
		return errNoTrigger(trigger)
	}
	return err
}

func errNoTrigger(ref string) error {
	return fmt.Errorf("trigger %q does not exist: apply the pack that defines it first", ref)
}

// nullable turns absent JSON into SQL's null, which JSON's own null is not.
func nullable(raw json.RawMessage) *string {
	if len(raw) == 0 {
		return nil
	}
	text := string(raw)
	return &text
}
