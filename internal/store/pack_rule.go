package store

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/attune-automation/sensors/internal/sensor"
)

// bumpRulesets counts one change for each trigger that gets, loses or keeps a changed rule, however many they are.
func (w *packWriter) bumpRulesets(ctx context.Context) error {
	changed := map[string]bool{}
	for _, c := range w.changes {
		changed[c.Ref] = changed[c.Ref] || c.Kind == kindRule
	}
	var triggers []string
	for _, p := range []sensor.Pack{w.stored, w.pack} {
		for _, r := range p.Rules {
			if changed[r.Ref] {
				triggers = append(triggers, r.TriggerRef)
			}
		}
	}
	if len(triggers) == 0 {
		return nil
	}
	slices.Sort(triggers)
	_, err := w.tx.Exec(ctx, `update attune.trigger set ruleset = ruleset + 1 where ref = any(@refs)`,
		pgx.NamedArgs{"refs": slices.Compact(triggers)})
	return err
}

// writeRules follows bumpRulesets: each rule keeps the ruleset that it came with. What it was before ends in the same
// statement, and what it is now is kept as a version.
func (w *packWriter) writeRules(ctx context.Context) error {
	changed := map[string]bool{}
	for _, ref := range w.changed(kindRule) {
		changed[ref] = true
	}
	for _, r := range w.pack.Rules {
		if !changed[r.Ref] {
			continue
		}
		tag, err := w.tx.Exec(ctx, `
			with ended as (`+endVersions+`), written as (
				insert into attune.rule (ref, pack, label, description, trigger, trigger_ref, condition, conditions, cel,
					action_ref, action_params, enabled, shadow, priority, valid_from, valid_until, active,
					throttle, correlation, version, ruleset)
				select @ref, p.id, @label, @description, t.id, t.ref, @condition, @conditions, @cel, @action, @params, @enabled,
					@shadow, @priority, @valid_from, @valid_until, @active, @throttle, @correlation,
					1 + coalesce((select max(version) from attune.rule_version where rule_ref = @ref), 0), t.ruleset
				from attune.pack p, attune.trigger t
				where p.ref = @pack and t.ref = @trigger
				on conflict (ref) do update set label = excluded.label, description = excluded.description,
					trigger = excluded.trigger, trigger_ref = excluded.trigger_ref, condition = excluded.condition,
					conditions = excluded.conditions, cel = excluded.cel, action_ref = excluded.action_ref,
					action_params = excluded.action_params, enabled = excluded.enabled, shadow = excluded.shadow,
					priority = excluded.priority, valid_from = excluded.valid_from, valid_until = excluded.valid_until,
					active = excluded.active, throttle = excluded.throttle, correlation = excluded.correlation,
					tripped = null, trip_reason = '', version = excluded.version, ruleset = excluded.ruleset, updated = now()
				returning *
			)
			insert into attune.rule_version (rule_ref, version, trigger_ref, ruleset, definition)
			select ref, version, trigger_ref, ruleset, to_jsonb(written) from written`,
			pgx.NamedArgs{
				"ref": r.Ref, "refs": []string{r.Ref}, "pack": w.pack.Ref, "label": r.Label, "description": r.Description,
				"trigger": r.TriggerRef, "condition": r.Condition, "conditions": nullable(r.Conditions), "cel": r.CEL, "action": r.ActionRef,
				"params": nullable(r.ActionParams), "enabled": r.Enabled, "shadow": r.Shadow, "priority": r.Priority,
				"valid_from": r.ValidFrom, "valid_until": r.ValidUntil, "active": orEmptyList(r.Active),
				"throttle": nullable(r.Throttle), "correlation": nullable(r.Correlation),
			})
		if err := written(tag.RowsAffected(), r.TriggerRef, err); err != nil {
			return fmt.Errorf("rule %q: %w", r.Ref, err)
		}
	}
	return nil
}

// endVersions ends what the rules with these refs were until now, at the ruleset that their trigger has by now.
const endVersions = `
	update attune.rule_version v set ended = now(), ended_ruleset = t.ruleset
	from attune.trigger t
	where v.rule_ref = any(@refs) and v.ended is null and t.ref = v.trigger_ref`

func orEmptyList(raw json.RawMessage) json.RawMessage {
	if len(raw) == 0 {
		return json.RawMessage(`[]`)
	}
	return raw
}
