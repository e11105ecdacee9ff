package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/attune-automation/sensors/internal/explain"
	"github.com/attune-automation/sensors/internal/store"
)

// explainLimit is how many rules that did not match are explained unless --limit says otherwise.
const explainLimit = limit(20)

func newRuleExplain(s *session) *cobra.Command {
	var event int64
	c := &cobra.Command{
		Use:   "explain REF --event ID",
		Short: "Say clause by clause why a rule matched an event or did not",
		Long: `Say clause by clause why a rule matched an event or did not: by the version of the rule that the event was matched
with, and, if the rule has changed since, by the one in force now. Nothing of this is stored: it is computed from the
event, its snapshot of trigger and sensor, and the versions of the rule. Only what became of a match that a throttle or a
correlation held back is what was recorded.

The exit code is 0 if the rule matched, and 1 if it did not.`,
		Example: `  starter rule explain examples.commit_to_review --event 1042
  starter rule explain examples.commit_to_review --event 1042 -o json`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: s.completeRefs(ruleRefs),
		RunE: func(c *cobra.Command, args []string) error {
			db, err := s.store(c.Context())
			if err != nil {
				return err
			}
			report, err := s.explainEvent(c.Context(), db, event, explain.Options{RuleRef: args[0]})
			if err != nil {
				return err
			}
			if !report.Rules[0].Matched() {
				return no{}
			}
			return nil
		},
	}
	c.Flags().Int64Var(&event, "event", 0, "the event with this `ID`")
	_ = c.MarkFlagRequired("event") // it fails only for a flag that the command lacks
	return c
}

// explainEvent writes why rules matched an event or did not.
func (s *session) explainEvent(ctx context.Context, db *store.Store, id int64, o explain.Options) (explain.Report, error) {
	report, err := explain.Event(ctx, db, id, o)
	if err != nil {
		return report, unknownID("event", "events", id, err)
	}
	if o.RuleRef != "" && len(report.Rules) == 0 {
		return report, s.otherTrigger(ctx, db, o.RuleRef, report)
	}
	if s.format != formatTable {
		return report, s.format.encode(s.env.Stdout, report)
	}
	return report, s.printExplanation(report)
}

// otherTrigger explains that a rule has nothing to do with an event.
func (s *session) otherTrigger(ctx context.Context, db *store.Store, ref string, report explain.Report) error {
	r, err := db.Rule(ctx, ref)
	if err != nil {
		return unknownRule(ref, err)
	}
	return fmt.Errorf("event %d is of trigger %s, and rule %s looks at events of %s: `starter events --trigger %[4]s` lists them",
		report.EventID, report.TriggerRef, ref, r.TriggerRef)
}

func (s *session) printExplanation(r explain.Report) error {
	if r.Ruleset == nil {
		s.say("event %d of %s is not matched yet: this is what the rules would make of it now", r.EventID, r.TriggerRef)
	}
	if len(r.Rules) == 0 {
		s.say("no rule of trigger %s", r.TriggerRef)
	}
	for i := range r.Rules {
		if err := s.printVerdict(&r.Rules[i]); err != nil {
			return err
		}
	}
	if r.Left > 0 {
		s.say("%s did not match either: --limit shows more", count(r.Left, "further rule", "further rules"))
	}
	return nil
}

func (s *session) printVerdict(v *explain.Verdict) error {
	if v.Then != nil {
		answer := "did not match"
		switch {
		case len(v.Enforcements) > 0:
			ids := strings.Trim(strings.ReplaceAll(fmt.Sprint(v.Enforcements), " ", ", "), "[]")
			answer = "matched: enforcement " + ids
		case v.Held != nil:
			answer = "matched; " + v.Held.Text
		case v.Recorded:
			answer = "matched, as a shadow"
		case v.Then.Matched:
			answer = "matches, but there is no enforcement: see `starter audit`"
		}
		if err := s.printJudgement(v.RuleRef, answer, v.Then); err != nil {
			return err
		}
	}
	switch {
	case v.Now != nil:
		answer := "does not match"
		if v.Now.Matched {
			answer = "matches"
		}
		return s.printJudgement(v.RuleRef, "now "+answer, v.Now)
	case v.Gone:
		s.say("%s is gone by now", v.RuleRef)
	}
	return nil
}

func (s *session) printJudgement(ref, answer string, j *explain.Judgement) error {
	s.say("%s, version %d, %s (%s)", ref, j.Version, answer, shorten(j.String()))
	if j.Explanation == nil || len(j.Explanation.Verdicts) == 0 && j.Explanation.CEL == nil {
		return nil
	}
	return writeExplanation(s.env.Stdout, "    ", *j.Explanation)
}
