package cli

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/attune-automation/sensors/internal/sensor"
	"github.com/attune-automation/sensors/internal/store"
)

// shownRule is a rule with what became of it, and the last event that its expression had no result for.
type shownRule struct {
	ruleRow
	LastError *ruleError `json:"last_error"` // null: none is on record
}

type ruleError struct {
	At          time.Time `json:"at"` // when the event was matched
	EventID     int64     `json:"event_id"`
	RuleVersion int64     `json:"rule_version"`
	Reason      string    `json:"reason"`
}

func newRuleShow(s *session) *cobra.Command {
	from := since{time.Now().Add(-rulesSince)}
	c := &cobra.Command{
		Use:   "show REF",
		Short: "Show a rule, how often it matches, and its last error",
		Long: `Show a rule, how often it matches, and the last event that its expression had no result for, with the reason: such
an event does not match. Of a correlation each part is a rule of its own, REF/PART.`,
		Example: `  starter rule show examples.commit_to_review
  starter rule show examples.commit_to_review --since 24h -o yaml`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: s.completeRefs(ruleRefs),
		RunE:              func(c *cobra.Command, args []string) error { return s.showRule(c.Context(), args[0], from.time) },
	}
	c.Flags().Var(&from, "since", "count matches and errors since then: 2026-01-31T08:00:00Z, or 24h ago")
	c.Flags().Lookup("since").DefValue = "1h"
	return c
}

func (s *session) showRule(ctx context.Context, ref string, since time.Time) error {
	rows, err := s.ruleRows(ctx, store.RuleFilter{Ref: ref}, since)
	if err != nil {
		return err
	}
	if len(rows) == 0 {
		return unknownRule(ref, sensor.ErrNotFound)
	}
	db, err := s.store(ctx)
	if err != nil {
		return err
	}
	r := shownRule{ruleRow: rows[0]}
	last, err := db.LastRuleError(ctx, ref)
	if err != nil {
		return err
	}
	if last != nil {
		r.LastError = &ruleError{last.At, last.Event, last.Version, last.Reason}
	}
	return show(s, r, r.lines(since)...)
}

// lines are what people read of a rule.
func (r shownRule) lines(since time.Time) []line {
	lastMatch := optionalMoment(r.LastMatch)
	if r.LastEvent != nil {
		lastMatch += fmt.Sprintf(", event %d", *r.LastEvent)
	}
	lines := []line{
		{"rule", r.Ref},
		{"label", r.Label},
		{"state", r.State},
	}
	if r.Tripped != nil {
		lines = append(lines, line{"tripped", moment(*r.Tripped)}, line{"because", r.TripReason},
			line{"to reset it", "starter rule reset " + r.Ref})
	}
	lines = append(lines,
		line{"version", strconv.FormatInt(r.Version, 10)},
		line{"trigger", r.TriggerRef},
		line{"conditions", r.definition()},
		line{"action", r.action()},
		line{"last match", lastMatch},
		line{"counted since", moment(since)},
		line{"matches", fmt.Sprintf("%d, of which %d are held back", r.Matches, r.Held)},
		line{"failed enforcements", strconv.FormatInt(r.FailedEnforcements, 10)},
		line{"evaluation errors", strconv.FormatInt(r.EvaluationErrors, 10)},
	)
	if e := r.LastError; e != nil {
		lines = append(lines,
			line{"last error", fmt.Sprintf("%s, version %d on event %d: %s", moment(e.At), e.RuleVersion, e.EventID, e.Reason)},
			line{"to see why", fmt.Sprintf("starter event %d --why", e.EventID)})
	}
	return lines
}
