package store

import (
	"context"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/attune-automation/sensors/internal/sensor"
)

// maxMatches is how many enforcements one statement writes: it bounds what the server holds in memory at once.
const maxMatches = 10_000

// CommitEnforcements writes an enforcement for every match of a generated batch, all or nothing, and records the
// ruleset that was matched against. A batch that is already matched is left as it is. Either way the batch's
// enforcements are returned, ordered by ID, which is the order of the matches.
func (s *Store) CommitEnforcements(
	ctx context.Context, batchID, ruleset int64, matches []sensor.Match,
) ([]sensor.Enforcement, error) {
	var stored []sensor.Enforcement
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		status, err := lockBatch(ctx, tx, batchID)
		switch {
		case err != nil:
			return err
		case status == sensor.BatchStored:
			return fmt.Errorf("its status is %s, not %s", status, sensor.BatchGenerated)
		case status == sensor.BatchGenerated:
			if err := insertEnforcements(ctx, tx, batchID, ruleset, matches); err != nil {
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

// insertEnforcements takes each payload from its event: it never travels. A match of an event that is not of the batch
// violates not-null instead of going missing. The batch is no condition of the join, which would have the planner, who
// cannot know how many events it has, compare every match with each of them.
func insertEnforcements(ctx context.Context, tx pgx.Tx, batchID, ruleset int64, matches []sensor.Match) error {
	batch := &pgx.Batch{}
	for part := range slices.Chunk(matches, maxMatches) {
		args := matchArgs(part)
		args["batch"] = batchID
		batch.Queue(`
			insert into attune.enforcement (rule, rule_ref, trigger_ref, config, event, payload, condition, conditions)
			select r.id, r.ref, e.trigger_ref, r.config, case when e.batch = @batch then e.id end, e.payload, r.condition, r.conditions
			from unnest(@events::bigint[], @rules::int[]) with ordinality as m (event, rule, n)
			join (
				select n, id, ref, jsonb_build_object('action', action, 'params', params::jsonb) as config, condition,
					conditions::jsonb as conditions
				from unnest(@ids::bigint[], @refs::text[], @actions::text[], @params::text[], @condition::text[],
					@conditions::text[]) with ordinality as u (id, ref, action, params, condition, conditions, n)
			) r on r.n = m.rule
			left join attune.event e on e.id = m.event
			order by m.n
			on conflict (event, rule_ref) do nothing`, args)
	}
	batch.Queue(`
		update attune.poll_batch set status = 'matched', matched = now(), ruleset = @ruleset where id = @batch`,
		pgx.NamedArgs{"batch": batchID, "ruleset": ruleset})
	return tx.SendBatch(ctx, batch).Close()
}

// matchArgs returns the matches as columns of event IDs and of rule numbers, counted from 1, and the rules as columns.
func matchArgs(matches []sensor.Match) pgx.NamedArgs {
	events, rules := make([]int64, len(matches)), make([]int, len(matches))
	numbers := map[string]int{}
	var ids []int64
	var refs, actions, params, condition, conditions []string
	for i, m := range matches {
		number, ok := numbers[m.Rule.Ref]
		if !ok {
			number = len(ids) + 1
			numbers[m.Rule.Ref] = number
			ids, refs = append(ids, m.Rule.ID), append(refs, m.Rule.Ref)
			actions, params = append(actions, m.Rule.ActionRef), append(params, string(m.Rule.ActionParams))
			condition, conditions = append(condition, m.Rule.Condition), append(conditions, string(m.Rule.Conditions))
		}
		events[i], rules[i] = m.EventID, number
	}
	return pgx.NamedArgs{
		"events": events, "rules": rules, "ids": ids, "refs": refs, "actions": actions, "params": params,
		"condition": condition, "conditions": conditions,
	}
}
