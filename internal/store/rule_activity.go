package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// RuleActivity is what became of a rule: its enforcements, its matches that are held back, of a shadow its recorded
// matches, and its errors. The enforcements of a correlation are no matches of their own: those of all parts are held.
type RuleActivity struct {
	RuleRef   string
	Matches   int64      // since then, with those that are held back
	Held      int64      // of these, those that are held back by the rule's throttle
	Failed    int64      // of these, those that could not be carried out
	Errors    int64      // events since then, but for five minutes, that have no match because the rule's expression has no result for them
	LastMatch *time.Time // of all; nil: none is there
	LastEvent *int64     // the event of that
}

// RuleActivity returns what became of each rule that the filter selects, by ref. It is exact, but for errors, and takes one look-up a
// rule and the matches since then, however many there are before.
func (s *Store) RuleActivity(ctx context.Context, f RuleFilter, since time.Time) (map[string]RuleActivity, error) {
	w := where{args: pgx.NamedArgs{"since": since, "period": errorsPeriod}}
	f.apply(&w)
	// The ID from which rows are young is found by the small index of created, and bounds the large one of rule_ref. But
	// for the offset, the planner would look for it among the oldest rows first.
	activity, err := list[RuleActivity](ctx, s.pool, `
		with young as (
			select min(id) as id from (select id from attune.enforcement where created >= @since offset 0) e
		)
		select r.ref as rule_ref, case when r.correlation is null then n.matches else 0 end + m.matches + h.matches as matches, h.matches as held, n.failed, coalesce(w.errors, 0) as errors,
			latest.created as last_match, latest.event as last_event
		from `+ruleTables+`
		cross join lateral (
			select count(*) as matches, count(*) filter (where status = 'failed') as failed
			from attune.enforcement where rule_ref = r.ref and id >= (select id from young)
		) n
		cross join lateral (
			select count(*) as matches from attune.shadow_match where rule_ref = r.ref and created >= @since
		) m
		cross join lateral (
			select count(*) as matches from attune.held_match where rule_ref = r.ref and created >= @since
		) h
		cross join lateral (
			select sum(errors)::bigint as errors from attune.rule_error
			where rule_ref = r.ref and since > @since - @period::interval and last_at >= @since
		) w
		left join lateral (
			(select created, event from attune.enforcement where rule_ref = r.ref order by id desc limit 1)
			union all
			(select created, event from attune.shadow_match where rule_ref = r.ref order by created desc, event desc limit 1)
			union all
			(select created, event from attune.held_match where rule_ref = r.ref order by created desc, event desc limit 1)
			order by created desc, event desc limit 1
		) latest on true`+w.sql(), w.args)
	if err != nil {
		return nil, fmt.Errorf("counting the matches of rules: %w", err)
	}
	byRef := make(map[string]RuleActivity, len(activity))
	for _, a := range activity {
		byRef[a.RuleRef] = a
	}
	return byRef, nil
}
