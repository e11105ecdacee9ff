package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/attune-automation/sensors/internal/correlation"
	"github.com/attune-automation/sensors/internal/sensor"
	"github.com/attune-automation/sensors/internal/store"
	"github.com/attune-automation/sensors/internal/window"
)

// rulesSince is how far back the matches of rules are counted unless --since says otherwise.
const rulesSince = time.Hour

// ruleDefinition is a rule as its pack has it.
type ruleDefinition struct {
	Ref          string          `json:"ref"`
	PackRef      string          `json:"pack_ref"`
	Label        string          `json:"label"`
	Description  string          `json:"description,omitempty"`
	TriggerRef   string          `json:"trigger_ref"`
	Version      int64           `json:"version"`
	Enabled      bool            `json:"enabled"`
	Tripped      *time.Time      `json:"tripped"`
	TripReason   string          `json:"trip_reason,omitempty"`
	Shadow       bool            `json:"shadow"`
	Priority     int             `json:"priority"`
	ValidFrom    *time.Time      `json:"valid_from"`
	ValidUntil   *time.Time      `json:"valid_until"`
	Active       json.RawMessage `json:"active"`
	Condition    string          `json:"condition"`
	Conditions   json.RawMessage `json:"conditions"`
	CEL          string          `json:"cel,omitempty"`
	ActionRef    string          `json:"action_ref"`
	ActionParams json.RawMessage `json:"action_params"`
	Throttle     json.RawMessage `json:"throttle,omitempty"`
	Correlation  json.RawMessage `json:"correlate,omitempty"` // what the rule is a part of
}

// ruleRow is a rule as people and programs see it.
type ruleRow struct {
	ruleDefinition
	State string `json:"state"` // of now: on, shadow, disabled, tripped, not yet, over, out of hours
	ruleCounts
}

// ruleCounts is what became of a rule.
type ruleCounts struct {
	Matches        int64   `json:"matches"` // since then; of a shadow, those that are recorded
	MatchesPerHour float64 `json:"matches_per_hour"`
	Held           int64   `json:"held"` // of these, those that the rule's throttle holds back
	HeldPerHour    float64 `json:"held_per_hour"`
	Errors         int64   `json:"errors"` // both of the following
	// FailedEnforcements are matches that could not be carried out, and EvaluationErrors events that do not match because
	// the rule's expression has no result for them.
	FailedEnforcements int64      `json:"failed_enforcements"`
	EvaluationErrors   int64      `json:"evaluation_errors"`
	LastMatch          *time.Time `json:"last_match"`
	LastEvent          *int64     `json:"last_event"` // a sample
}

func newRuleDefinition(r sensor.Rule) ruleDefinition {
	return ruleDefinition{
		Ref: r.Ref, PackRef: r.PackRef, Label: r.Label, Description: r.Description, TriggerRef: r.TriggerRef,
		Version: r.Version, Enabled: r.Enabled, Tripped: r.Tripped, TripReason: r.TripReason, Shadow: r.Shadow, Priority: r.Priority,
		ValidFrom: r.ValidFrom, ValidUntil: r.ValidUntil, Active: r.Active, Condition: r.Condition,
		Conditions: r.Conditions, CEL: r.CEL, ActionRef: r.ActionRef, ActionParams: r.ActionParams, Throttle: r.Throttle,
		Correlation: r.Correlation,
	}
}

// definition is the conditions, and what holds back matches, on one line.
func (r ruleDefinition) definition() string {
	text := r.condition()
	if len(r.Throttle) > 0 {
		text += fmt.Sprintf(", throttle %s", r.Throttle)
	}
	if d, _, err := correlation.Parse(r.Correlation); err == nil && d != nil {
		text += fmt.Sprintf(", correlate %s", d)
	}
	return text
}

// action is what a match orders; a part of a correlation orders nothing by itself.
func (r ruleDefinition) action() string {
	if whole := sensor.WholeOf(r.Ref); whole != r.Ref {
		return "part of " + whole
	}
	return r.ActionRef
}

// condition is all that must hold, on one line.
func (r ruleDefinition) condition() string {
	text := r.Condition + " of " + string(r.Conditions)
	switch {
	case r.CEL == "":
		return text
	case string(r.Conditions) == "[]":
		return "cel: " + r.CEL
	}
	return text + " and cel: " + r.CEL
}

// ruleState says in a word or two what would become of an event that happened at a time and matches the conditions.
func ruleState(r sensor.Rule, at time.Time) string {
	windows, err := window.Parse(r.Active)
	switch {
	case !r.Enabled:
		return "disabled"
	case r.Tripped != nil:
		return "tripped"
	case err != nil:
		return "broken"
	case r.ValidFrom != nil && at.Before(*r.ValidFrom):
		return "not yet"
	case r.ValidUntil != nil && !at.Before(*r.ValidUntil):
		return "over"
	case !windows.Contains(at):
		return "out of hours"
	case r.Shadow:
		return "shadow"
	}
	return "on"
}

func newRules(s *session) *cobra.Command {
	var filter store.RuleFilter
	var most limit
	from := since{time.Now().Add(-rulesSince)}
	c := &cobra.Command{
		Use:   "rules",
		Short: "List the rules, and how often they match",
		Long: `List the rules, and how often they match: matches an hour since --since, an hour ago if you do not say, the last match
there ever was, and errors since then: matches whose enforcement could not be carried out, and events that do not match
because the rule's expression has no result for them (counted by five minutes). -o json and -o yaml tell the two apart,
and ` + "`starter rule show`" + ` has the last reason. Matches of a shadow are those that are recorded. Of the matches an hour,
HELD/H are those that the rule's throttle holds back, or that are parts of a correlation: ` + "`starter groups`" + ` shows more.

The state is that of now: on, shadow, disabled, tripped (its evaluation took too long, or cost too much:
` + "`starter rule reset`" + `), not yet or over (by valid), or out of hours (by active).`,
		Example: `  starter rules --trigger examples.commit
  starter rules --since 24h
  starter rules --pack examples -o yaml`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			rows, err := s.ruleRows(c.Context(), filter, from.time)
			if err != nil {
				return err
			}
			return list(s, cut(rows, most),
				column[ruleRow]{"RULE", func(r ruleRow) string { return r.Ref }},
				column[ruleRow]{"STATE", func(r ruleRow) string { return r.State }},
				column[ruleRow]{"VERSION", func(r ruleRow) string { return strconv.FormatInt(r.Version, 10) }},
				column[ruleRow]{"TRIGGER", func(r ruleRow) string { return r.TriggerRef }},
				column[ruleRow]{"ACTION", func(r ruleRow) string { return r.action() }},
				column[ruleRow]{"MATCHES/H", func(r ruleRow) string { return rate(r.MatchesPerHour) }},
				column[ruleRow]{"HELD/H", func(r ruleRow) string { return rate(r.HeldPerHour) }},
				column[ruleRow]{"LAST MATCH", func(r ruleRow) string { return optionalMoment(r.LastMatch) }},
				column[ruleRow]{"ERRORS", func(r ruleRow) string { return strconv.FormatInt(r.Errors, 10) }},
			)
		},
	}
	c.Flags().StringVar(&filter.TriggerRef, "trigger", "", "only those of the trigger with this `REF`")
	c.Flags().StringVar(&filter.PackRef, "pack", "", "only those of this `PACK`")
	c.Flags().Var(&from, "since", "count matches and errors since then: 2026-01-31T08:00:00Z, or 24h ago")
	c.Flags().Lookup("since").DefValue = "1h"
	c.Flags().Var(&most, "limit", "at most this many (default all)")
	s.completeRefFlag(c, "trigger", triggerRefs)
	return c
}

// ruleRows returns the rules with what became of them since then.
func (s *session) ruleRows(ctx context.Context, filter store.RuleFilter, since time.Time) ([]ruleRow, error) {
	db, err := s.store(ctx)
	if err != nil {
		return nil, err
	}
	rules, err := db.Rules(ctx, filter)
	if err != nil {
		return nil, err
	}
	activity, err := db.RuleActivity(ctx, filter, since)
	if err != nil {
		return nil, err
	}
	hours := max(time.Since(since), time.Second).Hours()
	rows := make([]ruleRow, len(rules))
	for i, r := range rules {
		a := activity[r.Ref]
		rows[i] = ruleRow{newRuleDefinition(r), ruleState(r, time.Now()), ruleCounts{
			Matches: a.Matches, MatchesPerHour: float64(a.Matches) / hours, Held: a.Held, HeldPerHour: float64(a.Held) / hours,
			Errors: a.Failed + a.Errors, FailedEnforcements: a.Failed, EvaluationErrors: a.Errors,
			LastMatch: a.LastMatch, LastEvent: a.LastEvent,
		}}
	}
	return rows, nil
}

// rate writes how many there are in an hour, with no more digits than people read.
func rate(perHour float64) string {
	switch {
	case perHour == 0:
		return "0"
	case perHour < 10:
		return strconv.FormatFloat(perHour, 'f', 2, 64)
	}
	return strconv.FormatFloat(perHour, 'f', 0, 64)
}

func ruleRefs(ctx context.Context, db *store.Store) ([]string, error) {
	rules, err := db.Rules(ctx, store.RuleFilter{})
	refs := make([]string, len(rules))
	for i, r := range rules {
		refs[i] = r.Ref
	}
	return refs, err
}

// unknownRule explains that there is no such rule.
func unknownRule(ref string, err error) error {
	if errors.Is(err, sensor.ErrNotFound) {
		return fmt.Errorf("there is no rule %q: `starter rules` lists them", ref)
	}
	return err
}
