// Package rule is where a rule is evaluated, whoever asks: the step that matches events, the audit, and the commands
// that try rules out. It compiles all that a rule consists of, once, and says of an event whether the rule matches it,
// and why.
package rule

import (
	"context"
	"errors"

	"github.com/attune-automation/sensors/internal/condition"
	"github.com/attune-automation/sensors/internal/sensor"
	"github.com/attune-automation/sensors/internal/window"
)

// Compiled is a rule that is ready to be evaluated. It is immutable and safe for concurrent use.
type Compiled struct {
	// Rule is what was compiled.
	Rule *sensor.Rule

	conditions *condition.Program
	active     window.Windows
}

// Compile checks a rule and prepares it. The rule must not be changed afterwards. The error is condition.Problems, with
// everything that is wrong.
func Compile(r *sensor.Rule) (*Compiled, error) {
	conditions, err := condition.Compile(condition.Mode(r.Condition), r.Conditions)
	active, untimely := compileTimes(r)
	if err := join(err, untimely); err != nil {
		return nil, err
	}
	return &Compiled{Rule: r, conditions: conditions, active: active}, nil
}

// join returns all problems of several errors as one.
func join(errs ...error) error {
	var all condition.Problems
	for _, err := range errs {
		if err == nil {
			continue
		}
		problems, ok := errors.AsType[condition.Problems](err)
		if !ok {
			return err
		}
		all = append(all, problems...)
	}
	if len(all) == 0 {
		return nil
	}
	return all
}

// Uses reports whether the rule looks at what begins at the root. A document does not need the others.
func (c *Compiled) Uses(root condition.Root) bool { return c.conditions.Uses(root) }

// Match reports whether the rule matches, which says the same as Explain and is fast. Its error is that of the context,
// and means that nobody knows.
func (c *Compiled) Match(_ context.Context, doc *Document) (bool, error) {
	return c.inTime(doc.At) && c.conditions.Match(&doc.Values), nil
}

// Explanation says why an event matches a rule or does not.
type Explanation struct {
	Matched bool `json:"matched"`
	// Verdicts has one for each of the rule's conditions, in their order.
	Verdicts []condition.Verdict `json:"verdicts"`
	// Untimely says how the event's time misses those at which the rule matches; empty: it does not.
	Untimely string `json:"untimely,omitempty"`
}

// Explain evaluates all that the rule consists of and says how each part went. Its error is that of the context.
func (c *Compiled) Explain(_ context.Context, doc *Document) (Explanation, error) {
	e := c.conditions.Explain(&doc.Values)
	untimely := c.untimely(doc.At)
	return Explanation{Matched: e.Matched && untimely == "", Verdicts: e.Verdicts, Untimely: untimely}, nil
}
