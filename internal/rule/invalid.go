package rule

import (
	"strings"

	"github.com/attune-automation/sensors/internal/condition"
	"github.com/attune-automation/sensors/internal/expression"
)

// Invalid is all that is wrong with a rule, as Compile's error: at least one of its lists has something.
type Invalid struct {
	Conditions condition.Problems
	CEL        expression.Problems     // in the text of the expression
	Params     expression.PathProblems // below action.params
}

func (i *Invalid) empty() bool { return len(i.Conditions)+len(i.CEL)+len(i.Params) == 0 }

// Error lists the problems, one a line.
func (i *Invalid) Error() string {
	var lines []string
	if len(i.Conditions) > 0 {
		lines = append(lines, i.Conditions.Error())
	}
	for _, p := range i.CEL {
		lines = append(lines, "cel: "+p.String())
	}
	for _, p := range i.Params {
		lines = append(lines, "action.params."+p.String())
	}
	return strings.Join(lines, "\n")
}

// Unwrap returns the lists that have something.
func (i *Invalid) Unwrap() []error {
	var all []error
	if len(i.Conditions) > 0 {
		all = append(all, i.Conditions)
	}
	if len(i.CEL) > 0 {
		all = append(all, i.CEL)
	}
	if len(i.Params) > 0 {
		all = append(all, i.Params)
	}
	return all
}

// Check compares the rule with what payloads of its trigger are like. What is wrong is certain: no payload of that
// schema could do, or one could for which parameters cannot be rendered though the rule matches it. A warning is probably a
// slip. Both are nil if there is nothing to say.
func (c *Compiled) Check(s *expression.Schema) (wrong, warnings *Invalid) {
	return c.CheckWithin(s, &expression.Effort{})
}

// CheckWithin is Check, and counts what it takes.
func (c *Compiled) CheckWithin(s *expression.Schema, effort *expression.Effort) (wrong, warnings *Invalid) {
	wrong, warnings = &Invalid{}, &Invalid{}
	if c.cel != nil {
		wrong.CEL, warnings.CEL = c.cel.CheckCondition(s, expression.GivenBy(c.conditions, nil), effort)
	}
	if c.params != nil {
		wrong.Params, warnings.Params = c.params.Check(s, expression.GivenBy(c.conditions, c.cel), effort)
	}
	if wrong.empty() {
		wrong = nil
	}
	if warnings.empty() {
		warnings = nil
	}
	return wrong, warnings
}

// Matched returns what is known of the payloads that the rule matches, of those that a schema describes.
func (c *Compiled) Matched(s *expression.Schema) *expression.Schema {
	return s.Matched(expression.GivenBy(c.conditions, c.cel))
}
