package cli

import (
	"context"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/attune-automation/sensors/internal/sensor"
)

// versionRow is what a rule was from one change to the next.
type versionRow struct {
	ruleDefinition
	Since time.Time  `json:"since"`
	Until *time.Time `json:"until"` // null: it is in force
}

func newRuleVersions(s *session) *cobra.Command {
	return &cobra.Command{
		Use:   "versions REF",
		Short: "Show what a rule has been, the latest version first",
		Long: `Show what a rule has been, the latest version first. Each change of a rule's definition is a version, and so
is that it is tripped or reset. Each enforcement says by which one it matched. The versions of a rule that is deleted are kept, and it goes on with the next
number when it is applied again.`,
		Example: `  starter rule versions examples.commit_to_review
  starter rule versions examples.commit_to_review -o yaml`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: s.completeRefs(ruleRefs),
		RunE: func(c *cobra.Command, args []string) error {
			rows, err := s.versionRows(c.Context(), args[0])
			if err != nil {
				return err
			}
			return list(s, rows,
				column[versionRow]{"VERSION", func(r versionRow) string { return strconv.FormatInt(r.Version, 10) }},
				column[versionRow]{"SINCE", func(r versionRow) string { return moment(r.Since) }},
				column[versionRow]{"UNTIL", func(r versionRow) string { return optionalMoment(r.Until) }},
				column[versionRow]{"ENABLED", func(r versionRow) string { return enabledText(r.ruleDefinition) }},
				column[versionRow]{"SHADOW", func(r versionRow) string { return yesNo(r.Shadow) }},
				column[versionRow]{"TRIGGER", func(r versionRow) string { return r.TriggerRef }},
				column[versionRow]{"ACTION", func(r versionRow) string { return r.ActionRef }},
				column[versionRow]{"CONDITIONS", func(r versionRow) string { return r.definition() }},
			)
		},
	}
}

// enabledText says whether a version was evaluated.
func enabledText(r ruleDefinition) string {
	if r.Enabled && r.Tripped != nil {
		return "tripped"
	}
	return yesNo(r.Enabled)
}

func (s *session) versionRows(ctx context.Context, ref string) ([]versionRow, error) {
	db, err := s.store(ctx)
	if err != nil {
		return nil, err
	}
	versions, err := db.RuleVersions(ctx, ref)
	if err != nil {
		return nil, err
	}
	if len(versions) == 0 {
		return nil, unknownRule(ref, sensor.ErrNotFound)
	}
	rows := make([]versionRow, len(versions))
	for i, v := range versions {
		rows[i] = versionRow{ruleDefinition: newRuleDefinition(v.Rule), Since: v.Since, Until: v.Until}
	}
	return rows, nil
}
