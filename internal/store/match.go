package store

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/attune-automation/sensors/internal/sensor"
)

// maxMatches is how many enforcements one statement writes: it bounds what the server holds in memory at once.
const maxMatches = 10_000

// CommitEnforcements writes an enforcement for every match of a generated batch, or a row of shadow_match where the rule
// is a shadow, all or nothing, and records the rulesets, by trigger ref, that were matched against. A batch that is already matched is left as it is. Either way the
// batch's enforcements are returned, ordered by ID, which is the order of the matches.
func (s *Store) CommitEnforcements(
	ctx context.Context, batchID int64, rulesets map[string]int64, matches []sensor.Match,
) ([]sensor.Enforcement, error) {
	var stored []sensor.Enforcement
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		status, matchedBefore, err := lockBatch(ctx, tx, batchID)
		switch {
		case err != nil:
			return err
		case status == sensor.BatchStored:
			return fmt.Errorf("its status is %s, not %s", status, sensor.BatchGenerated)
		case status == sensor.BatchGenerated:
			orders, shadows := sortMatches(matches)
			if err := insertShadowMatches(ctx, tx, batchID, shadows); err != nil {
				return err
			}
			stored, err = insertEnforcements(ctx, tx, origin{batch: batchID, rulesets: rulesets}, orders)
			if err != nil || !matchedBefore {
				return err
			}
		}
		stored, err = enforcementsOfBatch(ctx, tx, batchID)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("committing the enforcements of batch %d: %w", batchID, err)
	}
	return stored, nil
}

// origin is what makes enforcements be written.
type origin struct {
	batch    int64            // that is matched; 0: a replay
	rulesets map[string]int64 // that it is matched against, by trigger
	replay   int64            // 0: none
	forced   bool             // the replay repeats what is there
}

// args are the values that the origin gives to its rows.
func (o origin) args() pgx.NamedArgs {
	args := pgx.NamedArgs{"batch": o.batch, "replay": nil, "forced": 0}
	if o.replay != 0 {
		args["replay"] = o.replay
	}
	if o.forced {
		args["forced"] = o.replay
	}
	return args
}

// insertEnforcements takes each payload from its event: it never travels. A match of an event that is not of the batch
// violates not-null instead of going missing. The batch is no condition of the join, which would have the planner, who
// cannot know how many events it has, compare every match with each of them. It returns the enforcements as they are
// stored, which is all of the batch's unless some were there before.
func insertEnforcements(ctx context.Context, tx pgx.Tx, from origin, matches []sensor.Match) ([]sensor.Enforcement, error) {
	batch := &pgx.Batch{}
	stored := make([]sensor.Enforcement, 0, len(matches))
	for part := range slices.Chunk(matches, maxMatches) {
		args := matchArgs(part)
		maps.Copy(args, from.args())
		batch.Queue(`
			insert into attune.enforcement (rule, rule_ref, rule_version, trigger_ref, config, event, payload, condition,
				conditions, replay, forced, replayed_from)
			select r.id, r.ref, r.version, e.trigger_ref, r.config, case when @batch::bigint in (0, e.batch) then e.id end, e.payload,
				r.condition, r.conditions, @replay::bigint, @forced::bigint, case when @forced::bigint <> 0 then (
					select min(o.id) from attune.enforcement o where o.event = e.id and o.rule_ref = r.ref) end
			from unnest(@events::bigint[], @rules::int[]) with ordinality as m (event, rule, n)
			join (
				select n, id, ref, version, jsonb_build_object('action', action, 'params', params::jsonb) as config, condition,
					conditions::jsonb as conditions
				from unnest(@ids::bigint[], @refs::text[], @actions::text[], @params::text[], @condition::text[],
					@conditions::text[], @versions::bigint[]) with ordinality
					as u (id, ref, action, params, condition, conditions, version, n)
			) r on r.n = m.rule
			left join attune.event e on e.id = m.event
			order by m.n
			on conflict (event, rule_ref, forced) do nothing
			returning id, event, rule_ref, status, created`, args).
			Query(func(rows pgx.Rows) (err error) {
				stored, err = collectWritten(rows, part, stored)
				return err
			})
	}
	if from.batch != 0 {
		batch.Queue(`
			update attune.poll_batch set status = 'matched', matched = now(), rulesets = @rulesets where id = @batch`,
			pgx.NamedArgs{"batch": from.batch, "rulesets": from.rulesets})
	}
	err := tx.SendBatch(ctx, batch).Close()
	return stored, err
}

// collectWritten appends the enforcements that were written for matches, whose rows come in the order of the matches.
// What they share with the event and the rule is not read back.
func collectWritten(rows pgx.Rows, matches []sensor.Match, stored []sensor.Enforcement) ([]sensor.Enforcement, error) {
	configs := map[*sensor.Rule]json.RawMessage{}
	var n sensor.Enforcement
	next := 0
	_, err := pgx.ForEachRow(rows, []any{&n.ID, &n.EventID, &n.RuleRef, &n.Status, &n.Created}, func() error {
		for next < len(matches) && (matches[next].Event.ID != n.EventID || matches[next].Rule.Ref != n.RuleRef) {
			next++ // it was there before
		}
		if next == len(matches) {
			return fmt.Errorf("enforcement %d is of no match", n.ID)
		}
		e, r := matches[next].Event, matches[next].Rule
		next++
		if configs[r] == nil {
			action, err := json.Marshal(r.ActionRef)
			if err != nil {
				return err
			}
			configs[r] = fmt.Appendf(nil, `{"action": %s, "params": %s}`, action, r.ActionParams)
		}
		n.RuleID, n.RuleVersion, n.Config, n.Condition, n.Conditions = r.ID, r.Version, configs[r], r.Condition, r.Conditions
		n.TriggerRef, n.EventCreated, n.Payload = e.TriggerRef, e.Created, e.Payload
		stored = append(stored, n)
		return nil
	})
	return stored, err
}

// matchArgs returns the matches as columns of event IDs and of rule numbers, counted from 1, and the rules as columns.
func matchArgs(matches []sensor.Match) pgx.NamedArgs {
	events, rules := make([]int64, len(matches)), make([]int, len(matches))
	numbers := map[string]int{}
	var ids, versions []int64
	var refs, actions, params, condition, conditions []string
	for i, m := range matches {
		number, ok := numbers[m.Rule.Ref]
		if !ok {
			number = len(ids) + 1
			numbers[m.Rule.Ref] = number
			ids, refs, versions = append(ids, m.Rule.ID), append(refs, m.Rule.Ref), append(versions, m.Rule.Version)
			actions, params = append(actions, m.Rule.ActionRef), append(params, string(m.Rule.ActionParams))
			condition, conditions = append(condition, m.Rule.Condition), append(conditions, string(m.Rule.Conditions))
		}
		events[i], rules[i] = m.Event.ID, number
	}
	return pgx.NamedArgs{
		"events": events, "rules": rules, "ids": ids, "refs": refs, "actions": actions, "params": params,
		"condition": condition, "conditions": conditions, "versions": versions,
	}
}
