package expression

import (
	"math"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
)

// assume is the scope with what is known if an expression has a result, and that is true, or false.
func (a *analysis) assume(e ast.Expr, truth bool, s scope) scope {
	if a.steps > maxSteps || a.effort.spent() {
		return s
	}
	s = a.evaluated(e, s)
	switch e.Kind() {
	case ast.SelectKind:
		if sel := e.AsSelect(); sel.IsTestOnly() && truth {
			return a.has(sel.Operand(), sel.FieldName(), s)
		}
	case ast.ComprehensionKind:
		return a.assumeLoop(e, truth, s)
	case ast.CallKind:
		return a.assumeCall(e, truth, s)
	}
	return s
}

// has is the scope with a field that is there.
func (a *analysis) has(object ast.Expr, name string, s scope) scope {
	if p := pathOf(object); p != nil {
		return s.object(a, object).knowing(placeOf(p.root, append(p.steps, name)...), present())
	}
	return s
}

func present() *shape {
	s := anything(isAny)
	s.there = true
	return s
}

// assumeLoop knows that exists is true of no empty list, and all is not false of one.
func (a *analysis) assumeLoop(e ast.Expr, truth bool, s scope) scope {
	macro, ok := a.ast.NativeRep().SourceInfo().GetMacroCall(e.ID())
	if !ok || macro.Kind() != ast.CallKind {
		return s
	}
	switch name := macro.AsCall().FunctionName(); {
	case truth && (name == "exists" || name == "exists_one" || name == "existsOne"), !truth && name == "all":
		some := anything(isAny)
		some.fewest = 1
		return s.knowing(a.place(e.AsComprehension().IterRange()), some)
	}
	return s
}

func (a *analysis) assumeCall(e ast.Expr, truth bool, s scope) scope {
	call := e.AsCall()
	args := call.Args()
	switch name := call.FunctionName(); name {
	case operators.LogicalNot:
		return a.assume(args[0], !truth, s)
	case operators.LogicalAnd, operators.LogicalOr:
		if (name == operators.LogicalAnd) == truth {
			return a.assume(args[1], truth, a.assume(args[0], truth, s))
		}
		return a.assume(args[0], truth, s).either(a.assume(args[1], truth, s))
	case operators.Equals, operators.NotEquals:
		equal := truth == (name == operators.Equals)
		return a.equal(args[1], args[0], equal, a.equal(args[0], args[1], equal, s))
	case operators.Less, operators.LessEquals, operators.Greater, operators.GreaterEquals:
		if !truth {
			name = opposite[name]
		}
		return a.compare(args[1], mirrored[name], args[0], a.compare(args[0], name, args[1], s))
	case operators.In:
		if truth {
			return a.in(args[0], args[1], s)
		}
	case "hasValue":
		if truth && call.IsMemberFunction() {
			full := anything(isAny)
			full.fewest = 1
			if object, name := member(call.Target()); object != nil && a.quietly(object, s).kinds&isOptional == 0 {
				s = a.has(object, name, s)
			}
			return a.reached(call.Target(), s).knowing(a.place(call.Target()), full)
		}
	}
	return s
}

// reached is the scope if there is a value under an index in brackets with `?`: it is that of a list.
func (a *analysis) reached(e ast.Expr, s scope) scope {
	if e.Kind() != ast.CallKind || e.AsCall().FunctionName() != operators.OptIndex {
		return s
	}
	operand := e.AsCall().Args()[0]
	n, literal := literalInt(e.AsCall().Args()[1])
	if !literal || n < 0 || a.quietly(operand, s).kinds&isOptional != 0 {
		return s
	}
	long := anything(isList)
	long.fewest = n + 1
	return s.knowing(a.place(operand), long)
}

var (
	opposite = map[string]string{
		operators.Less: operators.GreaterEquals, operators.GreaterEquals: operators.Less,
		operators.Greater: operators.LessEquals, operators.LessEquals: operators.Greater,
	}
	mirrored = map[string]string{
		operators.Less: operators.Greater, operators.Greater: operators.Less,
		operators.LessEquals: operators.GreaterEquals, operators.GreaterEquals: operators.LessEquals,
	}
)

// quietly is what is known of a value, of which what may fail is not noted: it is elsewhere.
func (a *analysis) quietly(e ast.Expr, s scope) *shape {
	if a.steps > maxSteps || a.effort.spent() {
		return anything(isAny)
	}
	from := len(a.risks)
	v := a.value(e, s)
	a.risks = a.risks[:from]
	return v
}

// learn is the scope with a fact about a value, and what follows from it: of a size for what has it, of a type for what is of it.
func (a *analysis) learn(e ast.Expr, fact *shape, s scope) scope {
	if e.Kind() == ast.LiteralKind {
		return s
	}
	s = s.knowing(a.place(e), fact)
	if e.Kind() != ast.CallKind {
		return s
	}
	call := e.AsCall()
	if call.FunctionName() != "size" {
		return s
	}
	of := anything(isAny)
	of.fewest = int(max(0, min(math.Ceil(fact.least), math.MaxInt32)))
	if fact.notZero {
		of.fewest = max(of.fewest, 1)
	}
	if fact.most < math.MaxInt32 {
		of.many = int(fact.most)
	}
	if call.IsMemberFunction() {
		return s.knowing(a.place(call.Target()), of)
	}
	return s.knowing(a.place(call.Args()[0]), of)
}

// equal is the scope if one value equals another, or does not.
func (a *analysis) equal(e, other ast.Expr, equal bool, s scope) scope {
	if e.Kind() == ast.LiteralKind {
		return s
	}
	if call := e; call.Kind() == ast.CallKind && call.AsCall().FunctionName() == "type" {
		return a.typed(call.AsCall().Args()[0], other, equal, s)
	}
	v := a.quietly(other, s)
	fact := anything(isAny)
	switch {
	case equal:
		fact.kinds = v.kinds
		if v.kinds&isNumber != 0 {
			fact.kinds |= isNumber
		}
		fact.stated = v.stated
		fact.least, fact.most, fact.notZero = v.least, v.most, !v.mayBeZero()
		if v.kinds&isNumber == 0 {
			fact.least, fact.most, fact.notZero = math.Inf(-1), math.Inf(1), false
			fact.constants = v.constants
		}
		if v.kinds&isNumber != 0 && v.kinds&^isNumber != 0 {
			fact.least, fact.most, fact.notZero = math.Inf(-1), math.Inf(1), false
		}
		if v.kinds&^isSized == 0 {
			fact.fewest, fact.many = v.fewest, v.many
		}
	case v.kinds == isNull:
		fact.kinds = isAny &^ isNull
	case v.kinds&^isNumber == 0 && v.least == 0 && v.most == 0:
		fact.notZero = true
	case v.kinds&^isNumber == 0 && v.least == v.most:
		switch known := a.quietly(e, s); {
		case known.kinds&^(isInt|isUint) != 0:
			return s
		case known.least == v.least: // the least is out, and so it is one more
			fact.least = v.least + 1
		case known.most == v.most:
			fact.most = v.most - 1
		default:
			return s
		}
	case v.kinds&^isSized == 0 && v.many == 0:
		fact.fewest = 1
		if a.quietly(e, s).kinds != v.kinds {
			return s // what is of another type differs, too
		}
	default:
		return s
	}
	return a.learn(e, fact, s)
}

// typed is the scope if a value is of a type, or is not.
func (a *analysis) typed(e, of ast.Expr, equal bool, s scope) scope {
	if of.Kind() != ast.IdentKind {
		return s
	}
	k, ok := typeNames[of.AsIdent()]
	if !ok {
		return s
	}
	fact := anything(k)
	fact.stated = equal
	if !equal {
		fact.kinds = isAny &^ k
	}
	return a.learn(e, fact, s)
}

// compare is the scope if a comparison with another value is true.
func (a *analysis) compare(e ast.Expr, operator string, other ast.Expr, s scope) scope {
	if e.Kind() == ast.LiteralKind {
		return s
	}
	v := a.quietly(other, s)
	fact := anything(v.kinds)
	fact.stated = v.stated
	if v.kinds&isNumber != 0 {
		fact.kinds |= isNumber
	}
	if v.kinds&^isNumber != 0 || v.kinds == 0 {
		return a.learn(e, fact, s)
	}
	whole := a.quietly(e, s).kinds&^(isInt|isUint) == 0
	switch operator {
	case operators.Less:
		fact.most, fact.notZero = v.most, v.most <= 0
		if whole {
			fact.most = math.Ceil(v.most) - 1
		}
		if size := sizeOf(other); size != nil {
			fact.below = a.place(size)
		}
	case operators.LessEquals:
		fact.most, fact.notZero = v.most, v.most < 0
	case operators.Greater:
		fact.least, fact.notZero = v.least, v.least >= 0
		if whole {
			fact.least = math.Floor(v.least) + 1
		}
	case operators.GreaterEquals:
		fact.least, fact.notZero = v.least, v.least > 0
	}
	return a.learn(e, fact, s)
}

// sizeOf returns what an expression is the size of; nil: it is none.
func sizeOf(e ast.Expr) ast.Expr {
	if e.Kind() != ast.CallKind || e.AsCall().FunctionName() != "size" {
		return nil
	}
	if call := e.AsCall(); !call.IsMemberFunction() {
		return call.Args()[0]
	}
	return e.AsCall().Target()
}

// in is the scope if a value is in a list, or a key in an object.
func (a *analysis) in(e, of ast.Expr, s scope) scope {
	v := a.quietly(of, s)
	some := anything(isAny)
	some.fewest = 1
	s = a.learn(of, some, s)
	if name, literal := literalText(e); literal {
		if v.kinds == isMap {
			return a.has(of, name, s)
		}
		return s
	}
	fact := anything(isAny)
	if v.kinds == isMap {
		fact.keyOf = a.place(of)
	} else if element := v.element(); v.kinds == isList && element.stated {
		fact.kinds, fact.stated, fact.constants = element.kinds, true, element.constants
		if element.kinds&isNumber != 0 {
			fact.kinds |= isNumber
			fact.constants = nil
		}
		if element.kinds&^isNumber == 0 {
			fact.least, fact.most, fact.notZero = element.least, element.most, !element.mayBeZero()
		}
	}
	return a.learn(e, fact, s)
}

// evaluated is the scope with what must be there for an expression to have a result.
func (a *analysis) evaluated(e ast.Expr, s scope) scope {
	if !a.effort.take(1) {
		return s
	}
	a.steps++
	switch e.Kind() {
	case ast.SelectKind:
		s = a.evaluated(e.AsSelect().Operand(), s)
		if e.AsSelect().IsTestOnly() {
			return s
		}
		if pathOf(e) != nil {
			s = s.knowing(a.place(e), present())
		}
		return s.object(a, e.AsSelect().Operand())
	case ast.ListKind:
		for _, element := range e.AsList().Elements() {
			s = a.evaluated(element, s)
		}
	case ast.MapKind:
		for _, entry := range e.AsMap().Entries() {
			s = a.evaluated(entry.AsMapEntry().Value(), a.evaluated(entry.AsMapEntry().Key(), s))
		}
	case ast.ComprehensionKind:
		return a.evaluated(e.AsComprehension().IterRange(), s)
	case ast.CallKind:
		return a.evaluatedCall(e, s)
	}
	return s
}

// object is the scope with a value that has fields.
func (s scope) object(a *analysis, e ast.Expr) scope {
	if p := pathOf(e); p == nil {
		return s
	}
	return s.knowing(a.place(e), anything(isMap|isOptional))
}

func (a *analysis) evaluatedCall(e ast.Expr, s scope) scope {
	call := e.AsCall()
	args := call.Args()
	switch call.FunctionName() {
	case operators.Conditional:
		s = a.evaluated(args[0], s)
		return a.evaluated(args[1], s).either(a.evaluated(args[2], s))
	case operators.LogicalAnd, operators.LogicalOr: // the one may decide without the other
		return a.evaluated(args[0], s).either(a.evaluated(args[1], s))
	case operators.OptSelect, operators.OptIndex:
		return a.evaluated(args[0], s)
	case "or", "orValue":
		return a.evaluated(call.Target(), s)
	}
	if call.IsMemberFunction() {
		args = append([]ast.Expr{call.Target()}, args...)
	}
	for _, arg := range args {
		s = a.evaluated(arg, s)
	}
	if n, literal := literalInt(args[len(args)-1]); literal && n >= 0 && call.FunctionName() == operators.Index && a.quietly(args[0], s).kinds == isList {
		long := anything(isList)
		long.fewest = n + 1
		s = s.knowing(a.place(args[0]), long)
	}
	if pathOf(e) != nil {
		return s.knowing(a.place(e), present())
	}
	taken := a.taken(call.FunctionName(), args, s)
	for i, arg := range args {
		if taken != nil && arg.Kind() != ast.LiteralKind {
			s = s.knowing(a.place(arg), anything(taken[i]))
		}
	}
	return s
}
