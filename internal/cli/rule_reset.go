package cli

import (
	"context"
	"time"

	"github.com/spf13/cobra"
)

func newRuleReset(s *session) *cobra.Command {
	return &cobra.Command{
		Use:   "reset REF",
		Short: "Have a rule evaluated again that is tripped",
		Long: `Have a rule evaluated again that is tripped. Workers trip a rule whose evaluation takes too long
(rules.max_evaluation) or costs too much again and again, and then match events without it. It is in force again with the
next batch of events, and is tripped once more if it has not changed and is as slow as before. A change of its definition resets it, too.

Events that were matched meanwhile stay as they are: ` + "`starter replay`" + ` matches them again.

The exit code is 0 if the rule was reset, and 1 if it is not tripped.`,
		Example:           `  starter rule reset examples.commit_to_review`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: s.completeRefs(ruleRefs),
		RunE:              func(c *cobra.Command, args []string) error { return s.resetRule(c.Context(), args[0]) },
	}
}

func (s *session) resetRule(ctx context.Context, ref string) error {
	db, err := s.store(ctx)
	if err != nil {
		return err
	}
	r, err := db.Rule(ctx, ref)
	if err != nil {
		return unknownRule(ref, err)
	}
	reset, err := db.ResetRule(ctx, ref)
	if err != nil {
		return err
	}
	if !reset || r.Tripped == nil {
		return no{"rule " + ref + " is not tripped"}
	}
	if len(r.Correlation) > 0 {
		s.say("rule %s is evaluated again, with all of its parts; groups that were open when it was tripped are dropped", ref)
		return nil
	}
	s.say("rule %s is evaluated again. Events that were matched without it: starter replay --since %s --rules %[1]s",
		ref, r.Tripped.UTC().Format(time.RFC3339))
	return nil
}
