package store

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/attune-automation/sensors/internal/sensor"
)

const ruleColumns = `
	r.id, r.ref, p.ref as pack_ref, r.label, r.description, r.trigger_ref, r.condition, r.conditions, r.cel, r.action_ref,
	r.action_params, r.enabled, r.tripped, r.trip_reason, r.ruleset, r.version, r.shadow, r.priority, r.valid_from, r.valid_until,
	r.active, r.throttle, r.correlation`

const ruleTables = `attune.rule r join attune.pack p on p.id = r.pack`

// inForce are the rules that are evaluated, as sensor.Rule.InForce says.
const inForce = `r.enabled and r.tripped is null`

// RuleFilter selects rules. Zero fields select everything.
type RuleFilter struct {
	Ref        string
	TriggerRef string
	PackRef    string
}

func (f RuleFilter) apply(w *where) {
	w.equal("r.ref", "ref", f.Ref)
	w.equal("r.trigger_ref", "trigger_ref", f.TriggerRef)
	w.equal("p.ref", "pack_ref", f.PackRef)
}

// RulesetVersion returns the trigger's count of changes of its rules; sensor.ErrNotFound once the trigger is gone.
func (s *Store) RulesetVersion(ctx context.Context, triggerRef string) (int64, error) {
	version, err := rulesetVersion(ctx, s.pool, triggerRef)
	if err != nil {
		return 0, fmt.Errorf("reading the ruleset version of trigger %q: %w", triggerRef, err)
	}
	return version, nil
}

// Ruleset returns the trigger's rules that are in force, in the order of their enforcements, with the version that they are.
func (s *Store) Ruleset(ctx context.Context, triggerRef string) (sensor.Ruleset, error) {
	set := sensor.Ruleset{TriggerRef: triggerRef}
	err := s.inSnapshot(ctx, func(tx pgx.Tx) (err error) {
		set.Version, err = rulesetVersion(ctx, tx, triggerRef)
		if err != nil {
			return err
		}
		set.Rules, err = list[sensor.Rule](ctx, tx, `
			select `+ruleColumns+` from `+ruleTables+`
			where r.trigger = (select id from attune.trigger where ref = @ref) and `+inForce+`
			order by r.priority desc, r.ref`, pgx.NamedArgs{"ref": triggerRef})
		return err
	})
	if err != nil {
		return sensor.Ruleset{}, fmt.Errorf("loading the rules of trigger %q: %w", triggerRef, err)
	}
	return set, nil
}

// RulesetSince returns what has become of the trigger's ruleset since a version that it had.
func (s *Store) RulesetSince(ctx context.Context, triggerRef string, version int64) (sensor.RulesetChange, error) {
	var change sensor.RulesetChange
	args := pgx.NamedArgs{"ref": triggerRef, "version": version}
	err := s.inSnapshot(ctx, func(tx pgx.Tx) (err error) {
		change.Version, err = rulesetVersion(ctx, tx, triggerRef)
		if err != nil {
			return err
		}
		change.Rules, err = list[sensor.Rule](ctx, tx, `
			select `+ruleColumns+` from `+ruleTables+`
			where r.trigger = (select id from attune.trigger where ref = @ref) and r.ruleset > @version and `+inForce, args)
		if err != nil {
			return err
		}
		rows, err := tx.Query(ctx, `
			select distinct v.rule_ref
			from attune.rule_version v
			where v.trigger_ref = @ref and v.ended_ruleset > @version
				and not exists (select from attune.rule r where r.ref = v.rule_ref and r.trigger_ref = @ref and `+inForce+`)`, args)
		if err != nil {
			return err
		}
		change.Gone, err = pgx.CollectRows(rows, pgx.RowTo[string])
		return err
	})
	if err != nil {
		return sensor.RulesetChange{}, fmt.Errorf("loading what changed of the rules of trigger %q: %w", triggerRef, err)
	}
	return change, nil
}

// Rule returns one rule.
func (s *Store) Rule(ctx context.Context, ref string) (sensor.Rule, error) {
	rule, err := one[sensor.Rule](ctx, s.pool,
		`select `+ruleColumns+` from `+ruleTables+` where r.ref = @ref`, pgx.NamedArgs{"ref": ref})
	if err != nil {
		return sensor.Rule{}, fmt.Errorf("loading rule %q: %w", ref, err)
	}
	return rule, nil
}

// Rules returns the rules that the filter selects, by ref.
func (s *Store) Rules(ctx context.Context, f RuleFilter) ([]sensor.Rule, error) {
	w := where{args: pgx.NamedArgs{}}
	f.apply(&w)
	rules, err := list[sensor.Rule](ctx, s.pool,
		`select `+ruleColumns+` from `+ruleTables+w.sql()+` order by r.ref`, w.args)
	if err != nil {
		return nil, fmt.Errorf("listing rules: %w", err)
	}
	return rules, nil
}

func rulesetVersion(ctx context.Context, q querier, triggerRef string) (int64, error) {
	rows, err := q.Query(ctx, `select ruleset from attune.trigger where ref = @ref`, pgx.NamedArgs{"ref": triggerRef})
	if err != nil {
		return 0, err
	}
	version, err := pgx.CollectExactlyOneRow(rows, pgx.RowTo[int64])
	return version, notFound(err)
}
