package expression

import (
	"maps"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"

	"github.com/attune-automation/sensors/internal/condition"
)

// Given is what is known of the payloads that an expression is evaluated on, besides their schema: fields that are there,
// because otherwise it would not come to that. The zero Given knows nothing.
type Given struct {
	there   fields
	notNull fields
}

// fields are paths below the payload, as keyOf writes them.
type fields map[string]bool

// GivenBy returns what is known if a rule's conditions hold, and its expression, if it has one.
func GivenBy(conditions *condition.Program, cel *Program) Given {
	g := Given{there: fields{}, notNull: fields{}}
	for _, e := range conditions.Ensured() {
		key := keyOf("payload", e.Keys...)
		g.there[key] = true
		if e.NotNull {
			g.notNull[key] = true
		}
	}
	if cel != nil {
		e := cel.ast.NativeRep().Expr()
		maps.Copy(g.there, evaluated(e, true))
		maps.Copy(g.there, tested(e, true))
		maps.Copy(g.notNull, comparedWithNull(e))
	}
	return g
}

// keyOf writes a path so that no two are the same.
func keyOf(root string, keys ...string) string {
	for _, key := range keys {
		root += "\x00" + key
	}
	return root
}

// fieldOf returns the path of an access to a field that leads from the payload by keys alone.
func fieldOf(e ast.Expr) (key string, ok bool) {
	p := pathOf(e)
	if p == nil || p.root != "payload" {
		return "", false
	}
	keys := make([]string, len(p.steps))
	for i, step := range p.steps {
		if keys[i], ok = step.(string); !ok {
			return "", false
		}
	}
	return keyOf(p.root, keys...), true
}

func union(sets ...fields) fields {
	all := fields{}
	for _, s := range sets {
		maps.Copy(all, s)
	}
	return all
}

func common(a, b fields) fields {
	both := fields{}
	for key := range a {
		if b[key] {
			both[key] = true
		}
	}
	return both
}

// below returns the field of an object that a path leads to.
func below(object ast.Expr, name string) fields {
	if key, ok := fieldOf(object); ok {
		return fields{keyOf(key, name): true}
	}
	return nil
}

// tested returns the fields of which an expression asks by has() whether they are there, and that are if it is true, or
// if it is false.
func tested(e ast.Expr, value bool) fields {
	switch e.Kind() {
	case ast.SelectKind:
		if s := e.AsSelect(); s.IsTestOnly() && value {
			return below(s.Operand(), s.FieldName())
		}
	case ast.CallKind:
		call := e.AsCall()
		switch call.FunctionName() {
		case operators.LogicalNot:
			return tested(call.Args()[0], !value)
		case operators.LogicalAnd, operators.LogicalOr:
			a, b := tested(call.Args()[0], value), tested(call.Args()[1], value)
			if (call.FunctionName() == operators.LogicalAnd) == value {
				return union(a, b)
			}
			return common(a, b)
		case operators.In: // "x" in payload
			if literal := call.Args()[0]; literal.Kind() == ast.LiteralKind && value {
				if key, ok := literal.AsLiteral().(types.String); ok {
					return below(call.Args()[1], string(key))
				}
			}
		}
	}
	return nil
}

// evaluated returns the fields that are there if an expression has a result; if isTrue, one that is true.
func evaluated(e ast.Expr, isTrue bool) fields {
	switch e.Kind() {
	case ast.SelectKind:
		s := e.AsSelect()
		found := evaluated(s.Operand(), false)
		if key, ok := fieldOf(e); ok && !s.IsTestOnly() {
			found = union(found, fields{key: true})
		}
		return found
	case ast.ComprehensionKind:
		return evaluated(e.AsComprehension().IterRange(), false)
	case ast.ListKind:
		return evaluatedAll(e.AsList().Elements())
	case ast.CallKind:
		return evaluatedCall(e, isTrue)
	}
	return nil
}

func evaluatedAll(parts []ast.Expr) fields {
	all := fields{}
	for _, part := range parts {
		maps.Copy(all, evaluated(part, false))
	}
	return all
}

func evaluatedCall(e ast.Expr, isTrue bool) fields {
	call := e.AsCall()
	args := call.Args()
	switch call.FunctionName() {
	case operators.Conditional:
		return union(evaluated(args[0], false), common(evaluated(args[1], isTrue), evaluated(args[2], isTrue)))
	case operators.LogicalAnd, operators.LogicalOr: // the one may decide without the other
		a, b := evaluated(args[0], isTrue), evaluated(args[1], isTrue)
		if call.FunctionName() == operators.LogicalAnd && isTrue {
			return union(a, b)
		}
		return common(a, b)
	case operators.OptSelect, operators.OptIndex:
		return evaluated(args[0], false)
	case "or", "orValue": // of an optional
		return evaluatedAll([]ast.Expr{call.Target()})
	}
	all := evaluatedAll(args)
	if call.IsMemberFunction() {
		maps.Copy(all, evaluated(call.Target(), false))
	}
	if key, ok := fieldOf(e); ok { // payload["x"]
		all[key] = true
	}
	return all
}

// comparedWithNull returns the fields that an expression compares with null, or whose type it asks for: it seems to know
// what they may be.
func comparedWithNull(e ast.Expr) fields {
	found := fields{}
	ast.PostOrderVisit(e, ast.NewExprVisitor(func(e ast.Expr) {
		if e.Kind() != ast.CallKind {
			return
		}
		call := e.AsCall()
		switch call.FunctionName() {
		case operators.Equals, operators.NotEquals, "type":
			for _, arg := range call.Args() {
				if key, ok := fieldOf(arg); ok {
					found[key] = true
				}
			}
		}
	}))
	return found
}
