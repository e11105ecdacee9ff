package expression

import (
	"context"
	"encoding/json"
	"errors"
	"slices"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
)

// Verdict says how a condition went on an event.
type Verdict struct {
	Expression string `json:"expression"`
	// Actual is what the left side of a comparison was.
	Actual  json.RawMessage `json:"actual,omitempty"`
	Matched bool            `json:"matched"`
	// Reason says how it went: "is true", "is false", or why it has no result, which counts as false.
	Reason string `json:"reason"`
	// Failed is set if it has no result.
	Failed bool `json:"failed,omitempty"`
	// All are the verdicts of what && combines, if the expression is such a combination.
	All []Verdict `json:"all,omitempty"`
}

// Explain evaluates a condition, and each part that && combines, whether or not it decides. The error is the context's.
func (p *Program) Explain(ctx context.Context, in *Input) (Verdict, error) {
	v, err := p.verdict(ctx, in)
	if err != nil {
		return v, err
	}
	parts := p.conjuncts()
	if len(parts) == 1 {
		v.Actual = p.actual(ctx, in)
		return v, nil
	}
	for _, part := range parts {
		program, err := CompileCondition(p.rule, part)
		if err != nil {
			return v, nil // it makes sense only as a part of the whole, which is explained already
		}
		verdict, err := program.verdict(ctx, in)
		if err != nil {
			return v, err
		}
		verdict.Actual = program.actual(ctx, in)
		v.All = append(v.All, verdict)
	}
	return v, nil
}

func (p *Program) verdict(ctx context.Context, in *Input) (Verdict, error) {
	v := Verdict{Expression: p.text, Reason: "is false"}
	matched, err := p.Match(ctx, in)
	if failure, ok := errors.AsType[*Failure](err); ok {
		v.Reason, v.Failed = failure.Message, true
		return v, nil
	}
	if matched {
		v.Matched, v.Reason = true, "is true"
	}
	return v, err
}

// conjuncts returns what && combines at the top of the expression, each as it could be written.
func (p *Program) conjuncts() []string {
	var parts []string
	var visit func(e ast.Expr)
	visit = func(e ast.Expr) {
		if e.Kind() == ast.CallKind && e.AsCall().FunctionName() == operators.LogicalAnd {
			for _, arg := range e.AsCall().Args() {
				visit(arg)
			}
			return
		}
		parts = append(parts, write(p.ast, e))
	}
	visit(p.ast.NativeRep().Expr())
	return parts
}

// comparisons are the operators whose left side is worth to be shown.
var comparisons = []string{
	operators.Equals, operators.NotEquals, operators.Less, operators.LessEquals, operators.Greater, operators.GreaterEquals,
	operators.In, "startsWith", "endsWith", "contains", "matches",
}

// actual returns the left side of a comparison; nil if the expression is none, or the side has no value.
func (p *Program) actual(ctx context.Context, in *Input) json.RawMessage {
	e := p.ast.NativeRep().Expr()
	if e.Kind() != ast.CallKind || !slices.Contains(comparisons, e.AsCall().FunctionName()) {
		return nil
	}
	call := e.AsCall()
	left := call.Target()
	if !call.IsMemberFunction() {
		left = call.Args()[0]
	}
	program, err := Compile(p.rule, write(p.ast, left))
	if err != nil {
		return nil
	}
	value, err := program.JSON(ctx, in)
	if err != nil {
		return nil
	}
	return value
}
