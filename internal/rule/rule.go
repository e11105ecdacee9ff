// Package rule is where a rule is evaluated, whoever asks: the step that matches events, the audit, and the commands
// that try rules out. It compiles all that a rule consists of, once: its conditions, its expression in CEL, and the
// templates in its action's parameters. It says of an event whether the rule matches it, and why, and what the
// parameters are then.
package rule

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/attune-automation/sensors/internal/condition"
	"github.com/attune-automation/sensors/internal/expression"
	"github.com/attune-automation/sensors/internal/sensor"
	"github.com/attune-automation/sensors/internal/throttle"
	"github.com/attune-automation/sensors/internal/window"
)

// MaxParams is how many bytes of JSON the parameters of an enforcement may have once they are rendered.
const MaxParams = 256 << 10

// Compiled is a rule that is ready to be evaluated. It is immutable and safe for concurrent use.
type Compiled struct {
	// Rule is what was compiled.
	Rule *sensor.Rule

	conditions *condition.Program
	active     window.Windows
	cel        *expression.Program  // nil: it has none
	params     *expression.Template // nil: they are the same for every event
	throttle   *throttle.Throttle   // nil: each match orders
	member     member               // of a correlation
}

// Compile checks a rule and prepares it. The rule must not be changed afterwards. The error is *Invalid, with everything
// that is wrong.
func Compile(r *sensor.Rule) (*Compiled, error) {
	c := &Compiled{Rule: r}
	var invalid Invalid
	var err, untimely error
	c.conditions, err = condition.Compile(condition.Mode(r.Condition), r.Conditions)
	c.active, untimely = compileTimes(r)
	var unlimited, unrelated error
	c.throttle, unlimited = compileThrottle(r)
	c.member, unrelated = compileCorrelation(r)
	if err := join(err, untimely, unlimited, unrelated); err != nil && !errors.As(err, &invalid.Conditions) {
		return nil, err
	}
	about := expression.Rule{Ref: r.Ref, Label: r.Label}
	if r.CEL != "" {
		if c.cel, err = expression.CompileCondition(about, r.CEL); err != nil && !errors.As(err, &invalid.CEL) {
			return nil, err
		}
	}
	c.groupsOf(&about)
	about.Texts = texts(r)
	if c.params, err = expression.CompileTemplate(about, r.ActionParams); err != nil && !errors.As(err, &invalid.Params) {
		return nil, err
	}
	if !invalid.empty() {
		return nil, &invalid
	}
	return c, nil
}

// texts are the parameters that must be texts, of the action that this service carries out itself.
func texts(r *sensor.Rule) map[string]bool {
	if r.ActionRef != sensor.ActionTemporal {
		return nil
	}
	action, err := sensor.ParseTemporalAction(r.ActionParams)
	if err != nil {
		return nil // which is said where the rule is written
	}
	starts, names := action.Operation.Starts(), action.Operation.Names()
	return map[string]bool{"workflow": starts, "task_queue": starts, "name": names, "id": !starts, "profile": false, "namespace": false}
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
func (c *Compiled) Uses(root condition.Root) bool {
	return c.conditions.Uses(root) || c.cel != nil && c.cel.Uses(root) || c.params != nil && c.params.Uses(root) ||
		c.throttle != nil && c.throttle.By.Uses(root) || c.member.uses(root)
}

// Match reports whether the rule matches, which says the same as Explain and is fast: it is the time for it, the conditions
// hold, and so does the expression. One that has no result for the event does not hold. The error is that of the context, and means that
// nobody knows.
func (c *Compiled) Match(ctx context.Context, doc *Document) (bool, error) {
	matched, _, err := c.Evaluate(ctx, doc)
	return matched, err
}

// Evaluate is Match, and says why the expression has no result for the event, if all else about the rule holds; nil: it has
// one, or was not asked.
func (c *Compiled) Evaluate(ctx context.Context, doc *Document) (matched bool, failure *expression.Failure, err error) {
	if !c.inTime(doc.At) || !c.conditions.Match(&doc.Values) {
		return false, nil, nil
	}
	if c.cel == nil {
		return true, nil, nil
	}
	matched, err = c.cel.Match(ctx, doc.expressions())
	if err == nil {
		return matched, nil, nil
	}
	if failure, failed := errors.AsType[*expression.Failure](err); failed {
		return false, failure, nil
	}
	return false, nil, err
}

// Params returns the parameters of the action for an event that the rule matches, and that stands for no other: nil, if they
// are those of the rule. If they cannot be rendered, the reason says why, and it is the same each time. The error is that of
// the context.
func (c *Compiled) Params(ctx context.Context, doc *Document) (params json.RawMessage, reason string, err error) {
	if c.params == nil {
		return nil, "", nil
	}
	if c.Rule.Groups() {
		return c.GroupParams(ctx, doc, c.alone(doc))
	}
	return c.render(ctx, doc.expressions())
}

func (c *Compiled) render(ctx context.Context, in *expression.Input) (params json.RawMessage, reason string, err error) {
	params, err = c.params.Render(ctx, in)
	if failure, failed := errors.AsType[*expression.Failure](err); failed {
		return nil, "action.params." + failure.Message, nil
	}
	if err == nil && len(params) > MaxParams {
		return nil, fmt.Sprintf("action.params would have %d bytes: at most %d are allowed", len(params), MaxParams), nil
	}
	return params, "", err
}

// Explanation says why an event matches a rule or does not.
type Explanation struct {
	Matched bool `json:"matched"`
	// Verdicts has one for each of the rule's conditions, in their order.
	Verdicts []condition.Verdict `json:"verdicts"`
	// CEL is how the rule's expression went, whether or not the conditions hold; nil: it has none.
	CEL *expression.Verdict `json:"cel,omitempty"`
	// Untimely says how the event's time misses those at which the rule matches; empty: it does not.
	Untimely string `json:"untimely,omitempty"`
}

// Explain evaluates all that the rule consists of and says how each part went. Its error is that of the context.
func (c *Compiled) Explain(ctx context.Context, doc *Document) (Explanation, error) {
	conditions := c.conditions.Explain(&doc.Values)
	untimely := c.untimely(doc.At)
	e := Explanation{Matched: conditions.Matched && untimely == "", Verdicts: conditions.Verdicts, Untimely: untimely}
	if c.cel == nil {
		return e, nil
	}
	verdict, err := c.cel.Explain(ctx, doc.expressions())
	e.CEL, e.Matched = &verdict, e.Matched && verdict.Matched
	return e, err
}
