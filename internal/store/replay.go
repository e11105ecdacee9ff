package store

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/attune-automation/sensors/internal/sensor"
)

const replaySelect = `
	select id, trigger_refs, rule_refs, since, until, first_event, last_event, events, forced, dry_run, rate, created, finished
	from attune.replay`

// OrderReplay stores an order and returns it with its ID and with the events that it selects: those of its triggers
// that are written within its times, or the only one if FirstEvent is set. It returns sensor.ErrNotFound if there is
// none, and stores nothing.
func (s *Store) OrderReplay(ctx context.Context, r sensor.Replay) (sensor.Replay, error) {
	err := s.inTx(ctx, func(tx pgx.Tx) (err error) {
		if r, err = selectEvents(ctx, tx, r); err != nil {
			return err
		}
		r, err = one[sensor.Replay](ctx, tx, `
			insert into attune.replay (trigger_refs, rule_refs, since, until, first_event, last_event, events, forced, dry_run, rate)
			values (coalesce(@triggers::text[], '{}'), coalesce(@rules::text[], '{}'), @since, @until, @first, @last, @events, @forced,
				@dry_run, @rate)
			returning id, trigger_refs, rule_refs, since, until, first_event, last_event, events, forced, dry_run, rate, created, finished`,
			pgx.NamedArgs{
				"triggers": r.TriggerRefs, "rules": r.RuleRefs, "since": r.Since, "until": r.Until, "first": r.FirstEvent,
				"last": r.LastEvent, "events": r.Events, "forced": r.Forced, "dry_run": r.DryRun, "rate": r.Rate,
			})
		return err
	})
	if err != nil {
		return r, fmt.Errorf("ordering a replay: %w", err)
	}
	return r, nil
}

// SelectEvents returns an order with the events that it would select now, as OrderReplay does, and stores nothing.
func (s *Store) SelectEvents(ctx context.Context, r sensor.Replay) (sensor.Replay, error) {
	r, err := selectEvents(ctx, s.pool, r)
	if err != nil {
		return r, fmt.Errorf("selecting events: %w", err)
	}
	return r, nil
}

func selectEvents(ctx context.Context, q querier, r sensor.Replay) (sensor.Replay, error) {
	type extent struct{ FirstEvent, LastEvent, Events int64 }
	w := where{args: pgx.NamedArgs{}}
	replayed(&w, r)
	if r.FirstEvent != 0 {
		w.add("e.id = @event", "event", r.FirstEvent)
	}
	// But for the offset, the planner would look for the ends one by one, from the oldest rows on.
	found, err := one[extent](ctx, q, `
		select coalesce(min(id), 0) as first_event, coalesce(max(id), 0) as last_event, count(*) as events
		from (select e.id from attune.event e`+w.sql()+` offset 0) s`, w.args)
	if err == nil && found.Events == 0 {
		err = sensor.ErrNotFound
	}
	r.FirstEvent, r.LastEvent, r.Events = found.FirstEvent, found.LastEvent, found.Events
	return r, err
}

// replayed asks for the events that a replay takes, from attune.event e.
func replayed(w *where, r sensor.Replay) {
	switch len(r.TriggerRefs) {
	case 0:
	case 1: // which the index of trigger_ref and id has in order
		w.add("e.trigger_ref = @trigger", "trigger", r.TriggerRefs[0])
	default:
		w.add("e.trigger_ref = any(@triggers)", "triggers", r.TriggerRefs)
	}
	if r.Since != nil {
		w.add("e.created >= @since", "since", *r.Since)
	}
	if r.Until != nil {
		w.add("e.created < @until", "until", *r.Until)
	}
}

// Replay returns one order.
func (s *Store) Replay(ctx context.Context, id int64) (sensor.Replay, error) {
	r, err := one[sensor.Replay](ctx, s.pool, replaySelect+` where id = @id`, pgx.NamedArgs{"id": id})
	if err != nil {
		return r, fmt.Errorf("loading replay %d: %w", id, err)
	}
	return r, nil
}

// Replays returns the newest orders, newest first.
func (s *Store) Replays(ctx context.Context, limit int) ([]sensor.Replay, error) {
	all, err := list[sensor.Replay](ctx, s.pool, replaySelect+` order by id desc limit @limit`, pgx.NamedArgs{"limit": limit})
	if err != nil {
		return nil, fmt.Errorf("listing replays: %w", err)
	}
	return all, nil
}

// ReplayEvents returns the next of the events that a replay takes, in the order of their IDs. Those that are not matched
// yet are left out: they will be, by the rules as they are now.
func (s *Store) ReplayEvents(ctx context.Context, r sensor.Replay, after int64, limit int) ([]sensor.Event, error) {
	w := where{args: pgx.NamedArgs{"limit": limit}}
	replayed(&w, r)
	w.add("e.id > @after", "after", max(after, r.FirstEvent-1))
	w.add("e.id <= @last", "last", r.LastEvent)
	events, err := list[sensor.Event](ctx, s.pool, `
		select `+eventColumns+` from attune.event e`+w.sql()+`
			and exists (select from attune.poll_batch b where b.id = e.batch and b.status in ('matched', 'done'))
		order by e.id limit @limit`, w.args)
	if err != nil {
		return nil, fmt.Errorf("reading the events of replay %d: %w", r.ID, err)
	}
	return events, nil
}

// CommitReplay writes the enforcements that a replay makes of a span of events, and returns all that it has there. A
// match that has an enforcement is left alone, unless the replay is forced; of several replays that are not, one writes
// it. When it is repeated, it finds what it wrote. A dry run writes nothing, and its enforcements have no IDs.
func (s *Store) CommitReplay(ctx context.Context, r sensor.Replay, span sensor.Span, matches []sensor.Match) (sensor.Replayed, error) {
	var done sensor.Replayed
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		fresh, err := withoutEnforcement(ctx, tx, r, matches)
		if err != nil {
			return err
		}
		if r.DryRun {
			done.Enforcements, done.Existing = make([]sensor.Enforcement, len(fresh)), len(matches)-len(fresh)
			for i, m := range fresh {
				done.Enforcements[i] = sensor.Enforcement{RuleRef: m.Rule.Ref, RuleVersion: m.Rule.Version, EventID: m.Event.ID, TriggerRef: m.Event.TriggerRef}
			}
			return nil
		}
		if len(fresh) > 0 {
			if _, err := insertEnforcements(ctx, tx, origin{replay: r.ID, forced: r.Forced}, fresh); err != nil {
				return err
			}
		}
		done.Enforcements, err = list[sensor.Enforcement](ctx, tx, enforcementSelect+`
			where n.replay = @replay and n.event > @after and n.event <= @last order by n.id`,
			pgx.NamedArgs{"replay": r.ID, "after": span.After, "last": span.Last})
		done.Existing = max(len(matches)-len(done.Enforcements), 0)
		return err
	})
	if err != nil {
		return done, fmt.Errorf("committing replay %d of events %d to %d: %w", r.ID, span.After+1, span.Last, err)
	}
	return done, nil
}

// withoutEnforcement returns the matches that have no enforcement; all of them if the replay is forced.
func withoutEnforcement(ctx context.Context, tx pgx.Tx, r sensor.Replay, matches []sensor.Match) ([]sensor.Match, error) {
	if r.Forced || len(matches) == 0 {
		return matches, nil
	}
	type pair struct {
		Event   int64
		RuleRef string
	}
	events := make([]int64, len(matches))
	for i, m := range matches {
		events[i] = m.Event.ID
	}
	there, err := list[pair](ctx, tx, `
		select event, rule_ref from attune.enforcement where event = any(@events)`, pgx.NamedArgs{"events": events})
	if err != nil {
		return nil, err
	}
	known := make(map[pair]bool, len(there))
	for _, p := range there {
		known[p] = true
	}
	var fresh []sensor.Match
	for _, m := range matches {
		if !known[pair{m.Event.ID, m.Rule.Ref}] {
			fresh = append(fresh, m)
		}
	}
	return fresh, nil
}

// UnpublishedReplay returns the enforcements that a replay has beyond an event: those that a call left that was stopped.
func (s *Store) UnpublishedReplay(ctx context.Context, id, after int64) ([]sensor.Enforcement, error) {
	rows, err := list[sensor.Enforcement](ctx, s.pool, enforcementSelect+`
		where n.replay = @replay and n.event > @after order by n.id`, pgx.NamedArgs{"replay": id, "after": after})
	if err != nil {
		return nil, fmt.Errorf("loading what replay %d left: %w", id, err)
	}
	return rows, nil
}

// FinishReplay notes that a replay is through, or stopped, and that all its messages are confirmed.
func (s *Store) FinishReplay(ctx context.Context, id int64) error {
	tag, err := s.pool.Exec(ctx, `update attune.replay set finished = coalesce(finished, now()) where id = @id`, pgx.NamedArgs{"id": id})
	if err == nil && tag.RowsAffected() == 0 {
		err = sensor.ErrNotFound
	}
	if err != nil {
		return fmt.Errorf("finishing replay %d: %w", id, err)
	}
	return nil
}
