package expression

import (
	"strings"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
)

// An absence is an access to a field that may not be there.
type absence struct {
	access ast.Expr
	known  bool // the schema says so: the object lists the fields that it always has, and this is none of them
}

// absentFinder looks for accesses to fields that may not be there, which end an evaluation.
type absentFinder struct {
	finder
	found []absence
	seen  map[string]bool
}

// absences returns the accesses of an expression to fields of payloads that may not be there, as far as schema and given
// say, and that it does not provide for by has(), an optional or a default. The first of each field counts.
func (p *Program) absences(s *shape, given Given) []absence {
	f := absentFinder{finder: finder{ast: p.ast, shapes: map[string]*shape{"payload": s}}, seen: map[string]bool{}}
	f.walk(p.ast.NativeRep().Expr(), given.there)
	return f.found
}

func (f *absentFinder) walk(e ast.Expr, there fields) {
	switch e.Kind() {
	case ast.SelectKind:
		f.walk(e.AsSelect().Operand(), there)
		if !e.AsSelect().IsTestOnly() {
			f.access(e, there)
		}
	case ast.CallKind:
		f.call(e, there)
	case ast.ListKind:
		f.walkAll(e.AsList().Elements(), there)
	case ast.MapKind:
		for _, entry := range e.AsMap().Entries() {
			f.walkAll([]ast.Expr{entry.AsMapEntry().Key(), entry.AsMapEntry().Value()}, there)
		}
	case ast.ComprehensionKind:
		f.comprehension(e.AsComprehension(), there)
	}
}

func (f *absentFinder) walkAll(parts []ast.Expr, there fields) {
	for _, part := range parts {
		f.walk(part, there)
	}
}

// call walks the parts of a call, each with what the others say of it.
func (f *absentFinder) call(e ast.Expr, there fields) {
	call := e.AsCall()
	args := call.Args()
	switch call.FunctionName() {
	case operators.Conditional:
		f.walk(args[0], there)
		f.walk(args[1], union(there, tested(args[0], true)))
		f.walk(args[2], union(there, tested(args[0], false)))
	case operators.LogicalAnd, operators.LogicalOr:
		and := call.FunctionName() == operators.LogicalAnd
		f.walk(args[0], union(there, tested(args[1], and)))
		f.walk(args[1], union(there, tested(args[0], and)))
	default:
		if call.IsMemberFunction() {
			f.walk(call.Target(), there)
		}
		f.walkAll(args, there)
		if call.FunctionName() == operators.Index {
			f.access(e, there)
		}
	}
}

// comprehension walks a loop: its variable is an element of the list that it goes over.
func (f *absentFinder) comprehension(c ast.ComprehensionExpr, there fields) {
	f.walk(c.IterRange(), there)
	inner := *f
	inner.shapes = map[string]*shape{}
	for name, s := range f.shapes {
		inner.shapes[name] = s
	}
	var element *shape
	if s := f.shape(c.IterRange()); s != nil {
		element = s.items
	}
	delete(inner.shapes, c.AccuVar())
	inner.shapes[c.IterVar()] = element
	if c.HasIterVar2() {
		inner.shapes[c.IterVar()], inner.shapes[c.IterVar2()] = nil, element
	}
	inner.walkAll([]ast.Expr{c.AccuInit(), c.LoopCondition(), c.LoopStep(), c.Result()}, there)
	f.found = inner.found
}

// access looks at one access to a field.
func (f *absentFinder) access(e ast.Expr, there fields) {
	operand, name := member(e)
	if operand == nil || optional(operand) {
		return
	}
	if key, ok := fieldOf(e); ok && there[key] {
		return
	}
	s := f.shape(operand)
	if s != nil && (s.required[name] || s.combined) {
		return
	}
	if s == nil || s.fields == nil {
		if p := pathOf(e); p == nil || p.root != "payload" {
			return
		}
		f.report(absence{access: e})
		return
	}
	if _, has := s.fields[name]; has {
		f.report(absence{e, s.required != nil})
	}
}

func (f *absentFinder) report(a absence) {
	text := write(f.ast, a.access)
	for known := range f.seen {
		if strings.HasPrefix(text, known+".") || strings.HasPrefix(text, known+"[") {
			return // it is there if what leads to it is, as far as anybody can know
		}
	}
	if !f.seen[text] {
		f.seen[text] = true
		f.found = append(f.found, a)
	}
}

// optional says whether an access leads on from an optional value, and so has an optional result.
func optional(e ast.Expr) bool {
	switch e.Kind() {
	case ast.SelectKind:
		return optional(e.AsSelect().Operand())
	case ast.CallKind:
		switch call := e.AsCall(); call.FunctionName() {
		case operators.OptSelect, operators.OptIndex:
			return true
		case operators.Index:
			return optional(call.Args()[0])
		}
	}
	return false
}
