package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/attune-automation/sensors/internal/condition"
	"github.com/attune-automation/sensors/internal/rule"
	"github.com/attune-automation/sensors/internal/sensor"
)

func newRule(s *session) *cobra.Command {
	c := &cobra.Command{
		Use:   "rule",
		Short: "Try rules out, and see what they were",
		Args:  cobra.NoArgs,
		RunE:  func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(newRuleTest(s), newRuleExplain(s), newRuleVersions(s))
	return c
}

// ruleTest is the flags of `rule test`.
type ruleTest struct {
	conditions string
	condition  string
	payload    string
	cases      string
}

func newRuleTest(s *session) *cobra.Command {
	var t ruleTest
	c := &cobra.Command{
		Use:   "test",
		Short: "Evaluate conditions on a payload and say clause by clause why they match or not",
		Long: `Evaluate conditions on a payload and say clause by clause why they match or not. This needs no server and no
settings.

The exit code is 0 for a match, 1 for none, and 2 for an error, such as a condition that is malformed.

With --cases, each line of the input is a JSON object with conditions, payload and, if you like, condition ("all" or
"any") and the other places where fields begin: config, event, trigger and sensor. Each line, however long, is answered
with a line: {"matched": ..., "verdicts": [...]}, or {"error": "..."} if the line is no good, and then the next line has
its turn. The exit code is 0 once every line is answered.`,
		Example: `  starter rule test --payload '{"branch": "main"}' \
      --conditions '[{"field": "payload.branch", "operator": "equals", "value": "main"}]'
  starter rule test --conditions @conditions.json --condition any --payload @payload.json -o json
  starter rule test --cases - < cases.jsonl`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if t.cases != "" {
				return s.testCases(c.Context(), t.cases)
			}
			return s.testRule(c.Context(), t)
		},
	}
	flags := c.Flags()
	flags.StringVar(&t.conditions, "conditions", "", "list of conditions: `JSON`, @FILE, or - for the standard input")
	flags.StringVar(&t.condition, "condition", "all", "`MODE` that combines them: all or any")
	flags.StringVar(&t.payload, "payload", "", "payload of the event: `JSON`, @FILE, or - for the standard input")
	flags.StringVar(&t.cases, "cases", "", "evaluate each line of this `FILE`, or of the standard input for -")
	c.MarkFlagsRequiredTogether("conditions", "payload")
	c.MarkFlagsOneRequired("payload", "cases")
	for _, single := range []string{"conditions", "condition", "payload"} {
		c.MarkFlagsMutuallyExclusive("cases", single)
	}
	complete(c, "condition", string(condition.All), string(condition.Any))
	return c
}

func (s *session) testRule(ctx context.Context, t ruleTest) error {
	if t.conditions == "-" && t.payload == "-" {
		return errors.New("--conditions and --payload cannot both be the standard input: write one as @FILE")
	}
	conditions, err := s.read("--conditions", t.conditions)
	if err != nil {
		return err
	}
	payload, err := s.read("--payload", t.payload)
	if err != nil {
		return err
	}
	compiled, err := rule.Compile(&sensor.Rule{Condition: t.condition, Conditions: conditions})
	if err != nil {
		return err
	}
	value, err := condition.Decode(payload)
	if err != nil {
		return fmt.Errorf("--payload: %w", err)
	}
	doc := condition.Document{condition.Payload: value, condition.Event: nowValue(time.Now())}
	explanation, err := compiled.Explain(ctx, rule.NewDocument(doc))
	if err != nil {
		return err
	}
	if err := s.explain(explanation, t.condition); err != nil {
		return err
	}
	if !explanation.Matched {
		return no{}
	}
	return nil
}

func (s *session) explain(e rule.Explanation, mode string) error {
	if s.format != formatTable {
		return s.format.encode(s.env.Stdout, e)
	}
	table := [][]string{{"MATCHED", "CONDITION", "ACTUAL", "REASON"}}
	if err := writeAligned(s.env.Stdout, append(table, verdictRows("", e.Verdicts)...)); err != nil {
		return err
	}
	answer := "no match"
	if e.Matched {
		answer = "match"
	}
	s.say("\n%s: %s of %s", answer, mode, count(len(e.Verdicts), "condition", "conditions"))
	return nil
}

// nowValue is an event that is seen now, for conditions that compare with the time.
func nowValue(now time.Time) condition.Value {
	value, err := condition.Decode([]byte(now.UTC().Format(`{"created": "2006-01-02T15:04:05.999999Z"}`)))
	if err != nil {
		panic(err) // a time in this format is JSON
	}
	return value
}

// clauseText writes a clause in a line, without the conditions on an element, which stand below it.
func clauseText(v condition.Verdict) string {
	expected := string(v.Expected)
	switch {
	case v.Element != nil:
		expected = ""
	case v.Operator == "within" && v.ValueFrom != "":
		expected += " of " + v.ValueFrom
	case v.ValueFrom != "":
		expected = v.ValueFrom + " (" + cmp.Or(expected, "missing") + ")"
	}
	words := []string{v.Field, v.Operator, v.Condition, expected}
	if v.IgnoreCase {
		words = append(words, "ignoring case")
	}
	return strings.Join(slices.DeleteFunc(words, func(word string) bool { return word == "" }), " ")
}

// verdictRows returns a row a condition, with what is nested indented below it.
func verdictRows(indent string, verdicts []condition.Verdict) [][]string {
	var rows [][]string
	for _, v := range verdicts {
		matched := yesNo(v.Matched)
		group, nested := "", []condition.Verdict(nil)
		switch {
		case v.All != nil:
			group, nested = "all of", v.All
		case v.Any != nil:
			group, nested = "any of", v.Any
		case v.Not != nil:
			group, nested = "not", []condition.Verdict{*v.Not}
		default:
			rows = append(rows, []string{matched, indent + shorten(clauseText(v)), shorten(string(v.Actual)), shorten(v.Reason)})
			if v.Element != nil {
				rows = append(rows, verdictRows(indent+"  ", v.Element.Verdicts)...)
			}
			continue
		}
		rows = append(rows, []string{matched, indent + group})
		rows = append(rows, verdictRows(indent+"  ", nested)...)
	}
	return rows
}
