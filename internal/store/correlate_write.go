package store

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
)

func correlatedColumns(groups []*pendingGroup) (pgx.NamedArgs, error) {
	n := len(groups)
	ids, counts, firsts, lasts, events := make([]int64, n), make([]int64, n), make([]int64, n), make([]int64, n), make([]int64, n)
	opened, due := make([]time.Time, n), make([]time.Time, n)
	rules, keys, statuses, states := make([]string, n), make([]string, n), make([]string, n), make([]string, n)
	for i, g := range groups {
		state, err := json.Marshal(groupState{g.mark, g.state})
		if err != nil {
			return nil, err
		}
		ids[i], counts[i], firsts[i], lasts[i], events[i] = g.id, g.count, g.first, g.last, g.event
		opened[i], due[i] = g.opened, g.due
		rules[i], keys[i], statuses[i], states[i] = g.rule, g.key, g.status, string(state)
	}
	return pgx.NamedArgs{
		"ids": ids, "counts": counts, "firsts": firsts, "lasts": lasts, "events": events, "opened": opened, "due": due,
		"rules": rules, "keys": keys, "statuses": statuses, "states": states,
	}, nil
}

// insertCorrelated gives new groups their IDs, which come in the order of the rows. The version is that of the whole rule,
// 0 if it is deleted by now.
func insertCorrelated(ctx context.Context, tx pgx.Tx, groups []*pendingGroup) error {
	if len(groups) == 0 {
		return nil
	}
	args, err := correlatedColumns(groups)
	if err != nil {
		return err
	}
	rows, err := tx.Query(ctx, `
		insert into attune.match_group (rule_ref, rule_version, kind, key, status, state, opened, due, count, first_event, last_event, event)
		select g.rule_ref, coalesce(r.version, 0), '`+kindCorrelation+`', g.key, g.status, g.state::jsonb, g.opened, g.due, g.count,
			g.first, g.last, nullif(g.event, 0)
		from unnest(@rules::text[], @keys::text[], @statuses::text[], @states::text[], @opened::timestamptz[], @due::timestamptz[],
			@counts::bigint[], @firsts::bigint[], @lasts::bigint[], @events::bigint[]) with ordinality
			as g (rule_ref, key, status, state, opened, due, count, first, last, event, n)
		left join attune.rule r on r.ref = g.rule_ref
		order by n
		returning id`, args)
	if err != nil {
		return err
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	for i, id := range ids {
		groups[i].id = id
	}
	return err
}

func updateCorrelated(ctx context.Context, tx pgx.Tx, groups []*pendingGroup) error {
	if len(groups) == 0 {
		return nil
	}
	args, err := correlatedColumns(groups)
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `
		update attune.match_group g set status = u.status, state = u.state::jsonb, opened = u.opened, due = u.due, count = u.count,
			first_event = u.first, last_event = u.last, event = nullif(u.event, 0),
			rule_version = coalesce((select version from attune.rule where ref = g.rule_ref), g.rule_version)
		from unnest(@ids::bigint[], @statuses::text[], @states::text[], @opened::timestamptz[], @due::timestamptz[],
			@counts::bigint[], @firsts::bigint[], @lasts::bigint[], @events::bigint[])
			as u (id, status, state, opened, due, count, first, last, event)
		where g.id = u.id`, args)
	return err
}

// placeMatches holds what a batch brings, and moves what was held in another group, or in another state.
func placeMatches(ctx context.Context, tx pgx.Tx, batch int64, groups []*pendingGroup) error {
	var brought, moved []placed
	for _, g := range groups {
		for _, p := range g.members {
			p.group = g.id
			if p.row != nil {
				brought = append(brought, p)
			} else {
				moved = append(moved, p)
			}
		}
	}
	for part := range slices.Chunk(brought, maxMatches) {
		if err := insertPlaced(ctx, tx, batch, part); err != nil {
			return err
		}
	}
	for part := range slices.Chunk(moved, maxMatches) {
		if err := movePlaced(ctx, tx, part); err != nil {
			return err
		}
	}
	return nil
}

// insertPlaced refuses a match of an event that is not of the batch, as insertEnforcements does.
func insertPlaced(ctx context.Context, tx pgx.Tx, batch int64, matches []placed) error {
	args := placedColumns(matches)
	versions := make([]int64, len(matches))
	for i, p := range matches {
		versions[i] = p.row.Rule.Version
	}
	args["batch"], args["versions"] = batch, versions
	_, err := tx.Exec(ctx, `
		insert into attune.held_match (event, rule_ref, rule_version, state, match_group)
		select case when e.batch = @batch then e.id end, m.ref, m.version, m.state, m.match_group
		from unnest(@events::bigint[], @refs::text[], @versions::bigint[], @states::text[], @groups::bigint[])
			as m (event, ref, version, state, match_group)
		left join attune.event e on e.id = m.event`, args)
	return err
}

func movePlaced(ctx context.Context, tx pgx.Tx, matches []placed) error {
	_, err := tx.Exec(ctx, `
		update attune.held_match h set match_group = m.match_group, state = m.state
		from unnest(@events::bigint[], @refs::text[], @states::text[], @groups::bigint[]) as m (event, ref, state, match_group)
		where h.event = m.event and h.rule_ref = m.ref and (h.match_group <> m.match_group or h.state <> m.state)`,
		placedColumns(matches))
	return err
}

func placedColumns(matches []placed) pgx.NamedArgs {
	n := len(matches)
	events, groups, refs, states := make([]int64, n), make([]int64, n), make([]string, n), make([]string, n)
	for i, p := range matches {
		events[i], groups[i], refs[i], states[i] = p.Event, p.group, p.ref, p.state
	}
	return pgx.NamedArgs{"events": events, "groups": groups, "refs": refs, "states": states}
}

// recount counts the matches of groups that were looked at again.
func recount(ctx context.Context, tx pgx.Tx, groups []*pendingGroup) error {
	var ids []int64
	for _, g := range groups {
		if g.recount {
			ids = append(ids, g.id)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	_, err := tx.Exec(ctx, `
		update attune.match_group g set count = (
			select count(*) from attune.held_match h where h.match_group = g.id and h.state = 'collected')
		where g.id = any(@ids)`, pgx.NamedArgs{"ids": ids})
	return err
}

// answerMatches notes which matches the enforcements of completed groups stand for.
func answerMatches(ctx context.Context, tx pgx.Tx, groups []*pendingGroup) error {
	if len(groups) == 0 {
		return nil
	}
	n := len(groups)
	ids, events, since := make([]int64, n), make([]int64, n), make([]time.Time, n)
	for i, g := range groups {
		ids[i], events[i], since[i] = g.id, g.event, g.since
	}
	_, err := tx.Exec(ctx, `
		update attune.held_match h set answered_by = g.event
		from unnest(@ids::bigint[], @events::bigint[], @since::timestamptz[]) as g (id, event, since), attune.event e
		where h.match_group = g.id and h.state = 'collected' and e.id = h.event and e.created >= g.since`,
		pgx.NamedArgs{"ids": ids, "events": events, "since": since})
	return err
}
