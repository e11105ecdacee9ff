package store

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"maps"

	"github.com/jackc/pgx/v5"

	"github.com/attune-automation/sensors/internal/sensor"
)

// maxMatches is how many enforcements one statement writes, and maxParams how many bytes of parameters of their own they
// have together: it bounds what the server holds in memory at once.
const (
	maxMatches = 10_000
	maxParams  = 16 << 20
)

// CommitEnforcements writes an enforcement for every match of a generated batch, or a row of shadow_match where the rule
// is a shadow, or of held_match where its throttle holds the match back, all or nothing, and records the rulesets, by
// trigger ref, that were matched against. What errors rules had is counted once, the first time that the batch is matched.
// A batch that is already matched is left as it is. Either way the batch's
// enforcements are returned, ordered by ID, which is the order of the matches.
func (s *Store) CommitEnforcements(
	ctx context.Context, batchID int64, rulesets map[string]int64, matches []sensor.Match, errors []sensor.RuleErrors,
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
			if orders, err = correlate(ctx, tx, batchID, matchedBefore, orders); err != nil {
				return err
			}
			if orders, err = hold(ctx, tx, batchID, matchedBefore, orders); err != nil {
				return err
			}
			stored, err = insertEnforcements(ctx, tx, origin{batch: batchID, rulesets: rulesets}, orders)
			if err != nil {
				return err
			}
			if !matchedBefore {
				return countRuleErrors(ctx, tx, errors)
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
	for part := range statements(matches) {
		args := matchArgs(part)
		maps.Copy(args, from.args())
		batch.Queue(`
			insert into attune.enforcement (rule, rule_ref, rule_version, trigger_ref, config, event, status, reason, payload,
				condition, conditions, cel, replay, forced, replayed_from)
			select r.id, r.ref, r.version, e.trigger_ref,
				case when m.params is null and m.reason is null and m.matched is null then r.config
					when m.matched is null then jsonb_build_object('action', r.action, 'params', m.params::jsonb)
					else r.config || case when m.params is null and m.reason is null then '{}' else jsonb_build_object('params', m.params::jsonb) end
						|| jsonb_build_object('group', m.matched::jsonb) end,
				case when @batch::bigint in (0, e.batch) then e.id end,
				case when m.reason is null then 'created' else 'failed' end, m.reason, e.payload, r.condition, r.conditions, r.cel,
				@replay::bigint, @forced::bigint, case when @forced::bigint <> 0 then (
					select min(o.id) from attune.enforcement o where o.event = e.id and o.rule_ref = r.ref) end
			from unnest(@events::bigint[], @rules::int[], @rendered::text[], @reasons::text[], @groups::text[]) with ordinality
				as m (event, rule, params, reason, matched, n)
			join (
				select n, id, ref, version, action, jsonb_build_object('action', action, 'params', params::jsonb) as config, condition,
					conditions::jsonb as conditions, cel
				from unnest(@ids::bigint[], @refs::text[], @actions::text[], @params::text[], @condition::text[],
					@conditions::text[], @cel::text[], @versions::bigint[]) with ordinality
					as u (id, ref, action, params, condition, conditions, cel, version, n)
			) r on r.n = m.rule
			left join attune.event e on e.id = m.event
			order by m.n
			on conflict (event, rule_ref, forced) do nothing
			returning id, event, rule_ref, status, created, case when @own then config end`, args).
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

// statements splits matches into what one statement writes.
func statements(matches []sensor.Match) iter.Seq[[]sensor.Match] {
	return func(yield func([]sensor.Match) bool) {
		start, size := 0, 0
		for i := range matches {
			if i-start == maxMatches || i > start && size+ownSize(&matches[i]) > maxParams {
				if !yield(matches[start:i]) {
					return
				}
				start, size = i, 0
			}
			size += ownSize(&matches[i])
		}
		if start < len(matches) {
			yield(matches[start:])
		}
	}
}

func ownSize(m *sensor.Match) int { return len(m.Params) + len(m.Group) }

// hasOwn says whether the enforcement's config has more, or other, than that of its rule.
func hasOwn(m *sensor.Match) bool { return m.Params != nil || m.Reason != "" || m.Group != nil }

// collectWritten appends the enforcements that were written for matches, whose rows come in the order of the matches.
// What they share with the event and the rule is not read back; parameters of their own are.
func collectWritten(rows pgx.Rows, matches []sensor.Match, stored []sensor.Enforcement) ([]sensor.Enforcement, error) {
	configs := map[*sensor.Rule]json.RawMessage{}
	var n sensor.Enforcement
	var config []byte
	next := 0
	_, err := pgx.ForEachRow(rows, []any{&n.ID, &n.EventID, &n.RuleRef, &n.Status, &n.Created, &config}, func() error {
		for next < len(matches) && (matches[next].Event.ID != n.EventID || matches[next].Rule.Ref != n.RuleRef) {
			next++ // it was there before
		}
		if next == len(matches) {
			return fmt.Errorf("enforcement %d is of no match", n.ID)
		}
		m := matches[next]
		e, r := m.Event, m.Rule
		next++
		if configs[r] == nil {
			action, err := json.Marshal(r.ActionRef)
			if err != nil {
				return err
			}
			configs[r] = fmt.Appendf(nil, `{"action": %s, "params": %s}`, action, r.ActionParams)
		}
		n.RuleID, n.RuleVersion, n.Config = r.ID, r.Version, configs[r]
		n.Condition, n.Conditions, n.CEL = r.Condition, r.Conditions, r.CEL
		if n.Reason = m.Reason; hasOwn(&m) {
			n.Config = bytes.Clone(config)
		}
		n.TriggerRef, n.EventCreated, n.Payload = e.TriggerRef, e.Created, e.Payload
		stored = append(stored, n)
		return nil
	})
	return stored, err
}

// matchArgs returns the matches as columns of event IDs and of rule numbers, counted from 1, and the rules as columns.
// Parameters, reasons and groups of the matches' own are columns only if there are any.
func matchArgs(matches []sensor.Match) pgx.NamedArgs {
	events, rules := make([]int64, len(matches)), make([]int, len(matches))
	numbers := map[string]int{}
	var ids, versions []int64
	var refs, actions, params, condition, conditions, cel []string
	var rendered, reasons, groups []*string
	for i, m := range matches {
		number, ok := numbers[m.Rule.Ref]
		if !ok {
			number = len(ids) + 1
			numbers[m.Rule.Ref] = number
			ids, refs, versions = append(ids, m.Rule.ID), append(refs, m.Rule.Ref), append(versions, m.Rule.Version)
			actions, params = append(actions, m.Rule.ActionRef), append(params, string(m.Rule.ActionParams))
			condition, conditions = append(condition, m.Rule.Condition), append(conditions, string(m.Rule.Conditions))
			cel = append(cel, m.Rule.CEL)
		}
		if hasOwn(&m) {
			if rendered == nil {
				rendered, reasons, groups = make([]*string, len(matches)), make([]*string, len(matches)), make([]*string, len(matches))
			}
			rendered[i], groups[i] = nullable(m.Params), nullable(m.Group)
			if m.Reason != "" {
				rendered[i], reasons[i] = nil, &matches[i].Reason
			}
		}
		events[i], rules[i] = m.Event.ID, number
	}
	return pgx.NamedArgs{
		"events": events, "rules": rules, "ids": ids, "refs": refs, "actions": actions, "params": params,
		"condition": condition, "conditions": conditions, "cel": cel, "versions": versions,
		"rendered": rendered, "reasons": reasons, "groups": groups, "own": rendered != nil,
	}
}
