package cli

import (
	"cmp"
	"encoding/json"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/attune-automation/sensors/internal/sensor"
	"github.com/attune-automation/sensors/internal/store"
)

// groupRow is a group of matches as people and programs see it.
type groupRow struct {
	ID            int64           `json:"id"`
	RuleRef       string          `json:"rule_ref"`
	RuleVersion   int64           `json:"rule_version"` // at its latest match
	Kind          string          `json:"kind"`
	Group         json.RawMessage `json:"group"` // the fields that the rule groups by, and their values
	Status        string          `json:"status"`
	Reason        string          `json:"reason,omitempty"`   // why it has no enforcement
	Progress      string          `json:"progress,omitempty"` // of a correlation: which parts came
	Opened        time.Time       `json:"opened"`
	Due           time.Time       `json:"due"`
	Matches       int64           `json:"matches"` // of once_within, those that are suppressed
	FirstEvent    int64           `json:"first_event_id"`
	LastEvent     int64           `json:"last_event_id"`
	EnforcementID *int64          `json:"enforcement_id"` // null: it has none of its own
	Closed        *time.Time      `json:"closed"`
}

func newGroups(s *session) *cobra.Command {
	var filter store.GroupFilter
	most := rowLimit
	c := &cobra.Command{
		Use:   "groups [REF]",
		Short: "List the groups of matches that throttled rules and correlations hold back",
		Long: `List the groups of matches that throttled rules and correlations hold back, of all rules or of one: open ones first, by
when they are due, then the latest of those that ended.

MATCHES are those that the group has collected, or that count; of once_within, those that are suppressed since it ordered
last. DUE is when its enforcement is written, or when it no longer holds back anything; of a correlation, when it expires, or
when what is to be absent has been. A group that is dropped, expired or cancelled has no enforcement, and a reason; of an open
one of a correlation, REASON says which parts came.`,
		Example: `  starter groups
  starter groups examples.commit_digest --open
  starter groups -o json | jq '.[] | select(.status == "dropped")'`,
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: s.completeRefs(ruleRefs),
		RunE: func(c *cobra.Command, args []string) error {
			db, err := s.store(c.Context())
			if err != nil {
				return err
			}
			if len(args) == 1 {
				filter.RuleRef = args[0]
			}
			filter.Limit = int(most)
			groups, err := db.MatchGroups(c.Context(), filter)
			if err == nil && len(groups) == 0 && filter.RuleRef != "" { // what is gone may have left some
				_, err = db.Rule(c.Context(), filter.RuleRef)
			}
			if err != nil {
				return unknownRule(filter.RuleRef, err)
			}
			return listGroups(s, groups)
		},
	}
	c.Flags().BoolVar(&filter.Open, "open", false, "only those that are open")
	c.Flags().Var(&most, "limit", "at most this many")
	return c
}

func listGroups(s *session, groups []store.MatchGroup) error {
	rows := make([]groupRow, len(groups))
	for i, g := range groups {
		rows[i] = groupRow{
			ID: g.ID, RuleRef: g.RuleRef, RuleVersion: g.RuleVersion, Kind: g.Kind, Group: g.Key, Status: g.Status, Reason: g.Reason, Progress: g.Progress,
			Opened: g.Opened, Due: g.Due, Matches: g.Count, FirstEvent: g.FirstEvent, LastEvent: g.LastEvent,
			EnforcementID: g.EnforcementID, Closed: g.Closed,
		}
	}
	return list(s, rows,
		column[groupRow]{"GROUP", func(r groupRow) string { return strconv.FormatInt(r.ID, 10) }},
		column[groupRow]{"RULE", func(r groupRow) string { return r.RuleRef }},
		column[groupRow]{"KIND", func(r groupRow) string { return r.Kind }},
		column[groupRow]{"KEY", func(r groupRow) string { return shorten(string(r.Group)) }},
		column[groupRow]{"STATUS", func(r groupRow) string { return r.Status }},
		column[groupRow]{"MATCHES", func(r groupRow) string { return strconv.FormatInt(r.Matches, 10) }},
		column[groupRow]{"OPENED", func(r groupRow) string { return moment(r.Opened) }},
		column[groupRow]{"DUE", func(r groupRow) string {
			if r.Status != sensor.GroupOpen {
				return ""
			}
			return moment(r.Due)
		}},
		column[groupRow]{"ENFORCEMENT", func(r groupRow) string { return optionalID(r.EnforcementID) }},
		column[groupRow]{"REASON", func(r groupRow) string { return shorten(cmp.Or(r.Reason, r.Progress)) }},
	)
}
