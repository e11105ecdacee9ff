// Package expression evaluates CEL, the Common Expression Language (https://cel.dev), on events: as the condition of a
// rule, and inside `{{ }}` in the parameters of its action.
//
// An expression begins at payload, event, trigger, sensor, config or rule, and in a rule that groups its matches also at
// group or events. It has no side effects, no clock, no random
// numbers and no access to secrets: the same event gives the same result for ever. What it may cost is limited, when it
// is compiled and when it is evaluated. A field that is missing is an error, unless the expression provides for it.
package expression

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/interpreter"

	"github.com/attune-automation/sensors/internal/condition"
)

// Limits of one expression.
const (
	// MaxLength is the longest expression, in characters.
	MaxLength = 10_000
	// MaxNodes is how many parts an expression may have once its macros are expanded.
	MaxNodes = 2_000
	// MaxCost is what one evaluation may cost, in CEL's units: about one for each step, each element of a list that is
	// looped over, and each ten bytes of text that are read.
	MaxCost = 200_000
	// MaxTemplateCost is what all expressions of a template may cost together.
	MaxTemplateCost = 5 * MaxCost
	// MaxText is the longest text that a function may write, in bytes.
	MaxText = 1 << 20
	// MaxMatched is the longest text that a regular expression reads, in bytes, and MaxRegex the largest such
	// expression, in instructions.
	MaxMatched = 64 << 10
	MaxRegex   = 1_000
	// MaxPairs is how many pairs of elements a function may compare, such as those that look for duplicates.
	MaxPairs = 1_000_000
	// MaxRange is the longest list that lists.range makes.
	MaxRange = 10_000
)

// interruptEvery is after how many turns of a loop the context is looked at.
const interruptEvery = 100

// Rule is what expressions see of the rule that they are in.
type Rule struct {
	Ref, Label string
	// Groups says that its expressions also know group and events: what the match that they are evaluated for stands for.
	Groups bool
	// GroupBy are the fields that group.by has; nil: nobody knows.
	GroupBy []string
	// Least and Most are how many matches such a group has; Most is 0 if there is no limit.
	Least, Most int
	// Texts are the parameters that must be texts; true: and not be empty.
	Texts map[string]bool
	// Parts says that each of events names the part of a correlation that it is.
	Parts bool
}

// Program is a compiled expression. It is immutable and safe for concurrent use.
type Program struct {
	text    string
	rule    Rule
	ast     *cel.Ast
	program cel.Program
	uses    [roots]bool
	path    *path // nil: it is more than a path
}

// Compile checks and prepares an expression of a rule. The error is Problems.
func Compile(rule Rule, text string) (*Program, error) {
	return compile(rule, text, false)
}

// CompileCondition is Compile for an expression that is true or false.
func CompileCondition(rule Rule, text string) (*Program, error) {
	return compile(rule, text, true)
}

func compile(rule Rule, text string, condition bool) (*Program, error) {
	if strings.TrimSpace(text) == "" {
		return nil, Problems{{Line: 1, Column: 1, Message: "is empty: write an expression, such as payload.branch"}}
	}
	env, err := rule.environment()
	if err != nil {
		return nil, fmt.Errorf("setting CEL up: %w", err)
	}
	ast, issues := env.cel.Compile(text)
	if issues.Err() != nil {
		return nil, env.problems(issues)
	}
	if kind := ast.OutputType().Kind(); condition && kind != types.BoolKind && kind != types.DynKind {
		return nil, Problems{{Line: 1, Column: 1, Message: fmt.Sprintf(
			"is %s: a condition is true or false, such as payload.branch == \"main\"", kindName(ast.OutputType()))}}
	}
	if found := knownFields(rule, ast); len(found) > 0 {
		return nil, found
	}
	if found := env.constantFailures(ast); len(found) > 0 {
		return nil, found
	}
	if estimate, err := env.cel.EstimateCost(ast, nil); err == nil && estimate.Min > MaxCost {
		return nil, Problems{{Line: 1, Column: 1, Message: fmt.Sprintf(
			"costs at least %d, and an expression may cost %d: use smaller loops", estimate.Min, MaxCost)}}
	}
	program, err := env.program(ast)
	if err != nil {
		return nil, Problems{{Line: 1, Column: 1, Message: err.Error()}}
	}
	return &Program{
		text: text, rule: rule, ast: ast, program: program, uses: usedRoots(ast), path: pathOf(ast.NativeRep().Expr()),
	}, nil
}

// Text returns the expression as it was written.
func (p *Program) Text() string { return p.text }

// Uses reports whether the expression begins at the root. An input does not need the others.
func (p *Program) Uses(root condition.Root) bool { return p.uses[root] }

// Failure says why an expression has no result for an event. It is the same each time.
type Failure struct {
	// Message says what went wrong, and in which part of the expression. It may quote the event.
	Message string
	// Cause is what went wrong in a word, which quotes nothing.
	Cause Cause
	// Part is that part of the expression, as the rule has it; empty: the whole, or it is not known.
	Part string
}

// Cause is what kind of a failure it is.
type Cause string

// The causes that are told apart.
const (
	CauseCost    Cause = "cost"    // it was ended at MaxCost, or MaxTemplateCost
	CauseMissing Cause = "missing" // a field, an element or the value of an optional
	CauseTypes   Cause = "types"   // values of other types than what is done with them takes
	CauseOther   Cause = "other"
)

// Error returns the message.
func (f *Failure) Error() string { return f.Message }

// Match evaluates a condition. The error is a *Failure, or that of the context.
func (p *Program) Match(ctx context.Context, in *Input) (bool, error) {
	v, _, err := p.eval(ctx, in)
	if err != nil {
		return false, err
	}
	b, ok := v.(types.Bool)
	if !ok {
		return false, &Failure{Message: fmt.Sprintf("is %s: a condition is true or false", valueName(v)), Cause: CauseTypes}
	}
	return bool(b), nil
}

// JSON evaluates the expression and returns its result as JSON. The error is a *Failure, or that of the context.
func (p *Program) JSON(ctx context.Context, in *Input) (json.RawMessage, error) {
	var e encoder
	if err := p.encode(ctx, in, &e); err != nil {
		return nil, err
	}
	return e.out.Bytes(), nil
}

// encode writes the result. What a mere path leads to is written as it stands in the event, digit by digit.
func (p *Program) encode(ctx context.Context, in *Input, e *encoder) error {
	if p.path != nil {
		if v, ok := p.path.find(in, p.rule); ok {
			return e.native(v)
		}
	}
	v, cost, err := p.eval(ctx, in)
	if err != nil {
		return err
	}
	if e.spent += cost; e.spent > MaxTemplateCost {
		return &Failure{
			Message: fmt.Sprintf("the templates so far cost more than %d on this event: use smaller loops, or fewer", MaxTemplateCost), Cause: CauseCost,
		}
	}
	return e.value(v)
}

// eval evaluates the expression, and says what that cost; an optional that has a value is that value.
func (p *Program) eval(ctx context.Context, in *Input) (v ref.Val, cost uint64, err error) {
	if ctx.Err() != nil { // which CEL looks at in loops only
		return nil, 0, ctx.Err()
	}
	v, details, err := p.program.ContextEval(ctx, activation{in, p.rule})
	switch {
	case err != nil && ctx.Err() != nil:
		return nil, 0, ctx.Err()
	case err != nil:
		return nil, 0, p.failure(err)
	case types.IsUnknown(v):
		return nil, 0, &Failure{Message: "has no known value", Cause: CauseOther}
	}
	if spent := details.ActualCost(); spent != nil {
		cost = *spent
	}
	if o, ok := v.(*types.Optional); ok {
		if !o.HasValue() {
			part := shorten(strings.TrimSpace(p.text))
			return nil, cost, &Failure{Message: part + " is missing: give it a default by .orValue(...)", Cause: CauseMissing, Part: part}
		}
		v = o.GetValue()
	}
	return v, cost, nil
}

// failure says what an error of CEL means, and which part of the expression it is about.
func (p *Program) failure(err error) error {
	var cancelled interpreter.EvalCancelledError
	if errors.As(err, &cancelled) {
		return &Failure{
			Message: fmt.Sprintf("costs more than %d on this event: use smaller loops, or narrow the event by conditions first", MaxCost), Cause: CauseCost,
		}
	}
	f := &Failure{Message: plainError(err.Error()), Cause: cause(err.Error())}
	var located *types.Err
	if errors.As(err, &located) {
		if f.Part = shorten(partText(p.ast, located.NodeID())); f.Part != "" {
			f.Message = f.Part + ": " + f.Message
		}
	}
	f.Message = shortenTo(f.Message, 500)
	return f
}
