package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/attune-automation/sensors/internal/condition"
	"github.com/attune-automation/sensors/internal/expression"
	"github.com/attune-automation/sensors/internal/rule"
	"github.com/attune-automation/sensors/internal/sensor"
)

func newRule(s *session) *cobra.Command {
	c := &cobra.Command{
		Use:   "rule",
		Short: "Try rules out, see what became of them and what they were, and reset those that are tripped",
		Args:  cobra.NoArgs,
		RunE:  func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(newRuleTest(s), newRuleShow(s), newRuleExplain(s), newRuleBacktest(s), newRuleVersions(s), newRuleReset(s))
	return c
}

// ruleTest is the flags of `rule test`.
type ruleTest struct {
	conditions string
	condition  string
	cel        string
	params     string
	payload    string
	cases      string
}

// tried is what a rule makes of an event.
type tried struct {
	rule.Explanation
	Params  json.RawMessage `json:"params,omitempty"`  // of the action, if it matches
	Failure string          `json:"failure,omitempty"` // why there are none
}

// try explains a rule, and renders its parameters if it matches.
func try(ctx context.Context, compiled *rule.Compiled, values condition.Document) (t tried, err error) {
	doc := rule.NewDocument(values)
	if t.Explanation, err = compiled.Explain(ctx, doc); err != nil || !t.Matched || compiled.Rule.ActionParams == nil {
		return t, err
	}
	t.Params, t.Failure, err = rendered(ctx, compiled, doc)
	return t, err
}

// rendered returns the action's parameters for an event, or why there are none.
func rendered(ctx context.Context, compiled *rule.Compiled, doc *rule.Document) (json.RawMessage, string, error) {
	params, reason, err := compiled.Params(ctx, doc)
	if params == nil && reason == "" {
		params = compiled.Rule.ActionParams
	}
	return params, reason, err
}

func newRuleTest(s *session) *cobra.Command {
	var t ruleTest
	c := &cobra.Command{
		Use:   "test",
		Short: "Evaluate conditions on a payload and say clause by clause why they match or not",
		Long: `Evaluate conditions on a payload and say clause by clause why they match or not. This needs no server and no
settings.

The exit code is 0 for a match, 1 for none, and 2 for an error, such as a condition that is malformed.

--cel is an expression that must hold besides the conditions, or alone. --params are parameters of an action with
templates, and what they become is shown if there is a match.

With --cases, each line of the input is a JSON object with conditions or cel, payload and, if you like, condition ("all"
or "any"), params and the other places where fields begin: config, event, trigger and sensor. Each line, however long, is answered
with a line: {"matched": ..., "verdicts": [...]}, or {"error": "..."} if the line is no good, and then the next line has
its turn. The exit code is 0 once every line is answered.`,
		Example: `  starter rule test --payload '{"branch": "main"}' \
      --conditions '[{"field": "payload.branch", "operator": "equals", "value": "main"}]'
  starter rule test --conditions @conditions.json --condition any --payload @payload.json -o json
  starter rule test --payload '{"n": 7}' --cel 'payload.n > 5' --params '{"text": "got {{ payload.n }}"}'
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
	flags.StringVar(&t.cel, "cel", "", "`EXPRESSION` in CEL that must hold: itself, @FILE, or - for the standard input")
	flags.StringVar(&t.params, "params", "", "parameters of an action to render: `JSON`, @FILE, or - for the standard input")
	flags.StringVar(&t.payload, "payload", "", "payload of the event: `JSON`, @FILE, or - for the standard input")
	flags.StringVar(&t.cases, "cases", "", "evaluate each line of this `FILE`, or of the standard input for -")
	c.MarkFlagsOneRequired("payload", "cases")
	c.MarkFlagsOneRequired("conditions", "cel", "params", "cases")
	for _, single := range []string{"conditions", "condition", "cel", "params", "payload"} {
		c.MarkFlagsMutuallyExclusive("cases", single)
	}
	complete(c, "condition", string(condition.All), string(condition.Any))
	return c
}

func (s *session) testRule(ctx context.Context, t ruleTest) error {
	r, payload, err := s.ruleOf(t)
	if err != nil {
		return err
	}
	compiled, err := rule.Compile(&r)
	if err != nil {
		return err
	}
	value, err := condition.Decode(payload)
	if err != nil {
		return fmt.Errorf("--payload: %w", err)
	}
	result, err := try(ctx, compiled, condition.Document{condition.Payload: value})
	if err != nil {
		return err
	}
	if err := s.explain(result, t.condition); err != nil {
		return err
	}
	if !result.Matched || result.Failure != "" {
		return no{}
	}
	return nil
}

// ruleOf reads what the flags say.
func (s *session) ruleOf(t ruleTest) (r sensor.Rule, payload []byte, err error) {
	r = sensor.Rule{Condition: t.condition, Conditions: json.RawMessage("[]")}
	inputs := 0
	for _, input := range []struct {
		flag, value string
		take        func([]byte)
	}{
		{"--conditions", t.conditions, func(b []byte) { r.Conditions = b }},
		{"--cel", t.cel, func(b []byte) { r.CEL = string(b) }},
		{"--params", t.params, func(b []byte) { r.ActionParams = b }},
		{"--payload", t.payload, func(b []byte) { payload = b }},
	} {
		if input.value == "" && input.flag != "--payload" {
			continue
		}
		if input.value == "-" {
			inputs++
		}
		if inputs > 1 {
			return r, nil, errors.New("only one of --conditions, --cel, --params and --payload can be the standard input: write the others as @FILE")
		}
		text, err := s.read(input.flag, input.value)
		if err != nil {
			return r, nil, err
		}
		input.take(text)
	}
	return r, payload, nil
}

func (s *session) explain(t tried, mode string) error {
	if s.format != formatTable {
		return s.format.encode(s.env.Stdout, t)
	}
	table := [][]string{{"MATCHED", "CONDITION", "ACTUAL", "REASON"}}
	if err := writeAligned(s.env.Stdout, append(table, explanationRows(t.Explanation)...)); err != nil {
		return err
	}
	answer := "no match"
	if t.Matched {
		answer = "match"
	}
	of := fmt.Sprintf("%s of %s", mode, count(len(t.Verdicts), "condition", "conditions"))
	switch {
	case t.CEL != nil && len(t.Verdicts) == 0:
		of = "the expression"
	case t.CEL != nil:
		of += " and the expression"
	}
	s.say("\n%s: %s", answer, of)
	switch {
	case t.Failure != "":
		s.say("no parameters: %s", t.Failure)
	case t.Params != nil:
		s.say("params: %s", compactJSON(t.Params))
	}
	return nil
}

// explanationRows returns a row a condition, and those of the expression below them.
func explanationRows(e rule.Explanation) [][]string {
	rows := verdictRows("", e.Verdicts)
	if e.CEL != nil {
		rows = append(rows, celRows("cel: ", *e.CEL)...)
	}
	return rows
}

func celRows(prefix string, v expression.Verdict) [][]string {
	rows := [][]string{{yesNo(v.Matched), prefix + shorten(v.Expression), shorten(string(v.Actual)), shorten(v.Reason)}}
	for _, part := range v.All {
		rows = append(rows, celRows("  ", part)...)
	}
	return rows
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
