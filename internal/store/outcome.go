package store

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// EventOutcome is what the rows say became of an event.
type EventOutcome struct {
	// Ruleset is the number of its trigger's rules that it was matched against; nil: it is not matched yet.
	Ruleset *int64
	// Enforcements are the IDs of its enforcements, by rule.
	Enforcements map[string][]int64
	// Shadows are the shadow rules that it is recorded as a match of.
	Shadows map[string]bool
	// Held are its matches that are held back, by rule.
	Held map[string]HeldMatch
}

// EventOutcome returns what became of an event.
func (s *Store) EventOutcome(ctx context.Context, eventID int64) (EventOutcome, error) {
	type row struct {
		RuleRef string
		ID      *int64 // nil: the match of a shadow
	}
	o := EventOutcome{Enforcements: map[string][]int64{}, Shadows: map[string]bool{}, Held: map[string]HeldMatch{}}
	err := s.inSnapshot(ctx, func(tx pgx.Tx) error {
		args := pgx.NamedArgs{"event": eventID}
		rows, err := tx.Query(ctx, `
			select (b.rulesets ->> e.trigger_ref)::bigint
			from attune.event e join attune.poll_batch b on b.id = e.batch where e.id = @event`, args)
		if err != nil {
			return err
		}
		if o.Ruleset, err = pgx.CollectExactlyOneRow(rows, pgx.RowTo[*int64]); err != nil {
			return notFound(err)
		}
		results, err := list[row](ctx, tx, `
			select rule_ref, id from attune.enforcement where event = @event
			union all
			select rule_ref, null from attune.shadow_match where event = @event
			order by rule_ref, id`, args)
		for _, r := range results {
			if r.ID == nil {
				o.Shadows[r.RuleRef] = true
			} else {
				o.Enforcements[r.RuleRef] = append(o.Enforcements[r.RuleRef], *r.ID)
			}
		}
		if err != nil {
			return err
		}
		held, err := listHeld(ctx, tx, ` where h.event = @event`, args)
		for _, h := range held {
			o.Held[h.RuleRef] = h
		}
		return err
	})
	if err != nil {
		return o, fmt.Errorf("reading what became of event %d: %w", eventID, err)
	}
	return o, nil
}
