package expression

import (
	"regexp"
	"slices"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
)

// maxConstants is how many parts of an expression are evaluated before there is an event.
const maxConstants = 50

// constantFailures finds parts of an expression that have no result on any event: those that look at no event, and
// functions with an argument that they do not take.
func (e *environ) constantFailures(a *cel.Ast) Problems {
	c := constants{env: e, ast: a}
	c.visit(a.NativeRep().Expr())
	return c.found
}

type constants struct {
	env   *environ
	ast   *cel.Ast
	tried int
	found Problems
}

// visit looks at the largest parts first: a part of a constant is one, too.
func (c *constants) visit(e ast.Expr) {
	if k := e.Kind(); (k == ast.CallKind || k == ast.SelectKind) && constant(e) {
		c.try(e, write(c.ast, e))
		return
	}
	if e.Kind() == ast.CallKind {
		c.arguments(e)
	}
	for _, part := range parts(e) {
		c.visit(part)
	}
}

// constant says whether an expression is the same whatever the event.
func constant(e ast.Expr) bool {
	same := true
	ast.PostOrderVisit(e, ast.NewExprVisitor(func(e ast.Expr) {
		same = same && e.Kind() != ast.IdentKind && e.Kind() != ast.ComprehensionKind
	}))
	return same
}

// try reports a part if this text has no result.
func (c *constants) try(e ast.Expr, text string) {
	if c.tried++; c.tried > maxConstants {
		return
	}
	compiled, issues := c.env.cel.Compile(text)
	if issues.Err() != nil {
		return // it makes sense only as a part of the whole
	}
	program, err := c.env.program(compiled)
	if err == nil {
		_, _, err = program.Eval(map[string]any{})
	}
	if err != nil {
		c.report(e, plainError(err.Error()))
	}
}

func (c *constants) report(e ast.Expr, reason string) {
	at := c.ast.NativeRep().SourceInfo().GetStartLocation(e.ID())
	c.found = append(c.found, Problem{Line: max(at.Line(), 1), Column: max(at.Column(), 0) + 1,
		Message: shorten(write(c.ast, e)) + " fails on every event: " + reason})
}

// zoned are the functions of times that take a zone.
var zoned = []string{"getFullYear", "getMonth", "getDate", "getDayOfMonth", "getDayOfWeek", "getDayOfYear", "getHours",
	"getMinutes", "getSeconds", "getMilliseconds"}

// arguments looks at arguments that are the same on every event, where others are not.
func (c *constants) arguments(e ast.Expr) {
	call := e.AsCall()
	args := call.Args()
	switch name := call.FunctionName(); {
	case strings.HasPrefix(name, "regex.") && len(args) > 1 && args[1].Kind() == ast.LiteralKind:
		if pattern, ok := args[1].AsLiteral().(types.String); ok {
			if _, err := regexp.Compile(string(pattern)); err != nil {
				c.report(e, err.Error())
			}
		}
	case slices.Contains(zoned, name) && len(args) == 1 && args[0].Kind() == ast.LiteralKind:
		c.try(e, `timestamp("2026-01-31T08:00:00Z").getHours(`+write(c.ast, args[0])+`)`)
	case (name == operators.Divide || name == operators.Modulo) && args[1].Kind() == ast.LiteralKind:
		if args[1].AsLiteral() == types.Int(0) {
			c.report(e, "it divides by zero")
		}
	}
}

// parts returns what an expression is made of.
func parts(e ast.Expr) []ast.Expr {
	switch e.Kind() {
	case ast.SelectKind:
		return []ast.Expr{e.AsSelect().Operand()}
	case ast.CallKind:
		if call := e.AsCall(); call.IsMemberFunction() {
			return append([]ast.Expr{call.Target()}, call.Args()...)
		}
		return e.AsCall().Args()
	case ast.ListKind:
		return e.AsList().Elements()
	case ast.MapKind:
		var all []ast.Expr
		for _, entry := range e.AsMap().Entries() {
			all = append(all, entry.AsMapEntry().Key(), entry.AsMapEntry().Value())
		}
		return all
	case ast.ComprehensionKind:
		c := e.AsComprehension()
		return []ast.Expr{c.IterRange(), c.AccuInit(), c.LoopCondition(), c.LoopStep(), c.Result()}
	}
	return nil
}
