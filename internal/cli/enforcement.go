package cli

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/attune-automation/sensors/internal/sensor"
	"github.com/attune-automation/sensors/internal/store"
)

// enforcementStatuses are those that an enforcement can have.
var enforcementStatuses = []string{"created", "dispatched", "failed", "processed", "disabled"}

// enforcementRow is an enforcement as people and programs see it.
type enforcementRow struct {
	ID         int64           `json:"id"`
	Created    time.Time       `json:"created"`
	RuleRef    string          `json:"rule_ref"`
	Version    int64           `json:"rule_version"`
	TriggerRef string          `json:"trigger_ref"`
	EventID    int64           `json:"event_id"`
	Status     string          `json:"status"`
	Reason     string          `json:"reason,omitempty"` // why it failed
	Link       *sensor.Link    `json:"link,omitempty"`   // where it ended up on Temporal
	ResolvedAt *time.Time      `json:"resolved_at"`      // null: not yet
	Config     json.RawMessage `json:"config"`
	Condition  string          `json:"condition"`
	Conditions json.RawMessage `json:"conditions"`
	CEL        string          `json:"cel,omitempty"`
	Payload    json.RawMessage `json:"payload"`
	Answers    []answerRow     `json:"answers,omitempty"`       // the matches of a throttled rule that it stands for, or suppresses
	Replay     *int64          `json:"replay_id,omitempty"`     // none: its event was matched when it came
	From       *int64          `json:"replayed_from,omitempty"` // the enforcement that a forced replay repeats
}

func newEnforcementRow(e sensor.Enforcement) enforcementRow {
	return enforcementRow{
		ID: e.ID, Created: e.Created, RuleRef: e.RuleRef, Version: e.RuleVersion, TriggerRef: e.TriggerRef, EventID: e.EventID,
		Status: e.Status, Reason: e.Reason, Link: e.Link, ResolvedAt: e.ResolvedAt, Config: e.Config, Condition: e.Condition,
		Conditions: e.Conditions, CEL: e.CEL, Payload: e.Payload,
		Replay: e.Replay, From: e.ReplayedFrom,
	}
}

func newEnforcements(s *session) *cobra.Command {
	var filter store.EnforcementFilter
	var from since
	most := rowLimit
	c := &cobra.Command{
		Use:   "enforcements",
		Short: "List enforcements, newest first",
		Example: `  starter enforcements --event 1042
  starter enforcements --rule examples.commit_to_review --since 24h
  starter enforcements --status created --limit 100 -o json`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if filter.Status != "" && !slices.Contains(enforcementStatuses, filter.Status) {
				return fmt.Errorf("--status %q: write one of %s", filter.Status, strings.Join(enforcementStatuses, ", "))
			}
			db, err := s.store(c.Context())
			if err != nil {
				return err
			}
			filter.Since, filter.Limit = from.time, int(most)
			enforcements, err := db.Enforcements(c.Context(), filter)
			if err != nil {
				return err
			}
			return listEnforcements(s, enforcements)
		},
	}
	flags := c.Flags()
	flags.StringVar(&filter.RuleRef, "rule", "", "only those of the rule with this `REF`")
	flags.StringVar(&filter.TriggerRef, "trigger", "", "only those of the trigger with this `REF`")
	flags.Int64Var(&filter.EventID, "event", 0, "only those of the event with this `ID`")
	flags.StringVar(&filter.Status, "status", "", "only those with this `STATUS`: created, failed, processed or disabled")
	addPage(c, &from, &filter.BeforeID, &most)
	complete(c, "status", enforcementStatuses...)
	s.completeRefFlag(c, "trigger", triggerRefs)
	s.completeRefFlag(c, "rule", ruleRefs)
	return c
}

func listEnforcements(s *session, enforcements []sensor.Enforcement) error {
	rows := make([]enforcementRow, len(enforcements))
	for i, e := range enforcements {
		rows[i] = newEnforcementRow(e)
	}
	return list(s, rows,
		column[enforcementRow]{"ENFORCEMENT", func(r enforcementRow) string { return strconv.FormatInt(r.ID, 10) }},
		column[enforcementRow]{"CREATED", func(r enforcementRow) string { return moment(r.Created) }},
		column[enforcementRow]{"RULE", func(r enforcementRow) string { return r.RuleRef }},
		column[enforcementRow]{"TRIGGER", func(r enforcementRow) string { return r.TriggerRef }},
		column[enforcementRow]{"EVENT", func(r enforcementRow) string { return strconv.FormatInt(r.EventID, 10) }},
		column[enforcementRow]{"STATUS", func(r enforcementRow) string { return r.Status }},
		column[enforcementRow]{"REASON", func(r enforcementRow) string { return shorten(r.Reason) }},
	)
}

func newEnforcement(s *session) *cobra.Command {
	return &cobra.Command{
		Use:   "enforcement ID",
		Short: "Show an enforcement",
		Example: `  starter enforcement 77
  starter enforcement 77 -o yaml`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(c *cobra.Command, args []string) error {
			id, err := readID("enforcement", args[0])
			if err != nil {
				return err
			}
			db, err := s.store(c.Context())
			if err != nil {
				return err
			}
			enforcement, err := db.Enforcement(c.Context(), id)
			if err != nil {
				return unknownID("enforcement", "enforcements", id, err)
			}
			row := newEnforcementRow(enforcement)
			if row.Answers, err = answers(c.Context(), db, enforcement); err != nil {
				return err
			}
			return showEnforcement(s, row)
		},
	}
}

func showEnforcement(s *session, row enforcementRow) error {
	resolved, ended := "", ""
	if row.ResolvedAt != nil {
		resolved = moment(*row.ResolvedAt)
	}
	if row.Link != nil {
		ended = fmt.Sprintf("%s in namespace %s, run %s", row.Link.WorkflowID, row.Link.Namespace, cmp.Or(row.Link.RunID, "of that moment"))
	}
	return show(s, row,
		line{"enforcement", strconv.FormatInt(row.ID, 10)},
		line{"created", moment(row.Created)},
		line{"rule", fmt.Sprintf("%s, version %d", row.RuleRef, row.Version)},
		line{"trigger", row.TriggerRef},
		line{"event", strconv.FormatInt(row.EventID, 10)},
		line{"status", row.Status},
		line{"reason", row.Reason},
		line{"workflow", ended},
		line{"resolved", resolved},
		line{"replay", optionalID(row.Replay)},
		line{"replayed from", optionalID(row.From)},
		line{"answers", answered(row.Answers)},
		line{"action", indented(row.Config)},
		line{"conditions (" + row.Condition + ")", indented(row.Conditions)},
		line{"cel", row.CEL},
		line{"payload", indented(row.Payload)},
	)
}
