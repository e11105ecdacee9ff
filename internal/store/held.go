package store

import (
	"context"
	"slices"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/attune-automation/sensors/internal/throttle"
)

// write writes the groups that changed, and then the matches that are held back, which name them.
func (t *throttling) write(ctx context.Context) error {
	fresh := func(g *throttle.Group) bool { return g.ID == 0 }
	var created, updated []*throttle.Group
	for _, g := range t.changed {
		if fresh(g) {
			created = append(created, g)
		} else {
			updated = append(updated, g)
		}
	}
	if err := t.insertGroups(ctx, created); err != nil {
		return err
	}
	if err := t.updateGroups(ctx, updated); err != nil {
		return err
	}
	for part := range slices.Chunk(t.held, maxMatches) {
		if err := t.insertHeld(ctx, part); err != nil {
			return err
		}
	}
	return t.writeAnswers(ctx)
}

// columns returns the groups as columns.
func (t *throttling) columns(groups []*throttle.Group) pgx.NamedArgs {
	n := len(groups)
	ids, versions, counts, firsts, lasts := make([]int64, n), make([]int64, n), make([]int64, n), make([]int64, n), make([]int64, n)
	opened, due := make([]time.Time, n), make([]time.Time, n)
	rules, kinds, keys, counted := make([]string, n), make([]string, n), make([]string, n), make([]*string, n)
	for i, g := range groups {
		key := t.keys[g]
		if len(g.Recent) > 0 {
			counted[i] = arrayOf(g.Recent)
		}
		ids[i], versions[i], counts[i], firsts[i], lasts[i] = g.ID, t.versions[g], g.Count, g.First, g.Last
		opened[i], due[i] = g.Opened, g.Due
		rules[i], kinds[i], keys[i] = key.rule, string(t.throttles[key.rule].Kind), key.key
	}
	return pgx.NamedArgs{
		"ids": ids, "versions": versions, "counts": counts, "firsts": firsts, "lasts": lasts, "opened": opened, "due": due,
		"rules": rules, "kinds": kinds, "keys": keys, "counted": counted,
	}
}

// arrayOf writes the events of matches as PostgreSQL does an array: lists of different lengths are no array of arrays.
func arrayOf(matches []throttle.Match) *string {
	text := []byte{'{'}
	for i, m := range matches {
		if i > 0 {
			text = append(text, ',')
		}
		text = strconv.AppendInt(text, m.Event, 10)
	}
	array := string(append(text, '}'))
	return &array
}

// insertGroups gives new groups their IDs, which come in the order of the rows.
func (t *throttling) insertGroups(ctx context.Context, groups []*throttle.Group) error {
	if len(groups) == 0 {
		return nil
	}
	rows, err := t.tx.Query(ctx, `
		insert into attune.match_group (rule_ref, rule_version, kind, key, opened, due, count, first_event, last_event, counted)
		select rule_ref, version, kind, key, opened, due, count, first, last, counted::bigint[]
		from unnest(@rules::text[], @versions::bigint[], @kinds::text[], @keys::text[], @opened::timestamptz[], @due::timestamptz[],
			@counts::bigint[], @firsts::bigint[], @lasts::bigint[], @counted::text[]) with ordinality
			as g (rule_ref, version, kind, key, opened, due, count, first, last, counted, n)
		order by n
		returning id`, t.columns(groups))
	if err != nil {
		return err
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	for i, id := range ids {
		groups[i].ID = id
	}
	return err
}

func (t *throttling) updateGroups(ctx context.Context, groups []*throttle.Group) error {
	if len(groups) == 0 {
		return nil
	}
	_, err := t.tx.Exec(ctx, `
		update attune.match_group g set rule_version = u.version, opened = u.opened, due = u.due, count = u.count,
			first_event = u.first, last_event = u.last, counted = u.counted::bigint[]
		from unnest(@ids::bigint[], @versions::bigint[], @opened::timestamptz[], @due::timestamptz[], @counts::bigint[],
			@firsts::bigint[], @lasts::bigint[], @counted::text[]) as u (id, version, opened, due, count, first, last, counted)
		where g.id = u.id`, t.columns(groups))
	return err
}

// insertHeld refuses a match of an event that is not of the batch, as insertEnforcements does.
func (t *throttling) insertHeld(ctx context.Context, held []heldMatch) error {
	n := len(held)
	events, versions, groups, answers := make([]int64, n), make([]int64, n), make([]int64, n), make([]int64, n)
	refs, states := make([]string, n), make([]string, n)
	for i, h := range held {
		events[i], versions[i], groups[i], answers[i] = h.match.Event.ID, h.match.Rule.Version, h.group.ID, h.answeredBy
		refs[i], states[i] = h.match.Rule.Ref, string(h.state)
	}
	_, err := t.tx.Exec(ctx, `
		insert into attune.held_match (event, rule_ref, rule_version, state, match_group, answered_by)
		select case when e.batch = @batch then e.id end, m.ref, m.version, m.state, m.match_group, nullif(m.answer, 0)
		from unnest(@events::bigint[], @refs::text[], @versions::bigint[], @states::text[], @groups::bigint[], @answers::bigint[])
			as m (event, ref, version, state, match_group, answer)
		left join attune.event e on e.id = m.event`,
		pgx.NamedArgs{
			"batch": t.batch, "events": events, "refs": refs, "versions": versions, "states": states, "groups": groups, "answers": answers,
		})
	return err
}

// writeAnswers notes which enforcement the matches that were counted have come to.
func (t *throttling) writeAnswers(ctx context.Context) error {
	if len(t.answers) == 0 {
		return nil
	}
	n := len(t.answers)
	events, by, refs := make([]int64, n), make([]int64, n), make([]string, n)
	for i, a := range t.answers {
		events[i], by[i], refs[i] = a.event, a.by, a.rule
	}
	_, err := t.tx.Exec(ctx, `
		update attune.held_match h set answered_by = a.by
		from unnest(@events::bigint[], @by::bigint[], @refs::text[]) as a (event, by, rule_ref)
		where h.event = a.event and h.rule_ref = a.rule_ref`, pgx.NamedArgs{"events": events, "by": by, "refs": refs})
	return err
}
