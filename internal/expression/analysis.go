package expression

import (
	"maps"
	"slices"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
)

// An analysis finds the parts of an expression that may fail, by going over it with all that is known of the values that its
// parts may have. Whatever is not known to succeed may fail; so an expression without risks has a result on every event of
// which the schema, the rule's conditions and its expression are true, within the limits of what it may cost.
type analysis struct {
	program *Program
	ast     *cel.Ast
	env     *environ
	effort  *Effort // of the whole rule
	risks   []risk
	ahead   int // how many operands of && and || are looked at before their time
	steps   int // that it took so far
	places  map[int64]string
}

// maxSteps is after how many steps nothing is looked at twice any more: what is known is less then, and the end is near.
const maxSteps = 10_000

// value returns what is known of what an expression yields, and notes what may fail.
func (a *analysis) value(e ast.Expr, s scope) *shape {
	if !a.effort.take(1) {
		return waived()
	}
	a.steps++
	var v *shape
	switch e.Kind() {
	case ast.LiteralKind:
		return literalShape(e.AsLiteral())
	case ast.IdentKind:
		v = a.ident(e, s)
	case ast.SelectKind:
		v = a.selected(e, s)
	case ast.CallKind:
		v = a.call(e, s)
	case ast.ListKind:
		return a.list(e.AsList(), s)
	case ast.MapKind:
		return a.object(e.AsMap(), s)
	case ast.ComprehensionKind:
		v = a.loop(e, s)
	default:
		return unknown()
	}
	if len(s.facts) == 0 {
		return v
	}
	return s.known(a.place(e), v)
}

func (a *analysis) ident(e ast.Expr, s scope) *shape {
	if v := s.names[pathOf(e).root]; v != nil {
		return v
	}
	return sure(isType) // the name of a type
}

func (a *analysis) selected(e ast.Expr, s scope) *shape {
	operand, name := member(e)
	of := a.value(operand, s)
	if e.AsSelect().IsTestOnly() {
		a.needs(e, operand, of, isAny&^isList, "has()")
		return sure(isBool)
	}
	return a.field(e, operand, of, name, s)
}

// field is an access to the field of a value.
func (a *analysis) field(e, operand ast.Expr, of *shape, name string, s scope) *shape {
	if of.source != FromSensor && of.kinds&isNull != 0 {
		if a.sourceless(e, of.source); of.kinds == isNull {
			return waived() // the rest follows from that
		}
		return of.field(name)
	}
	a.needs(e, operand, of, isMap|isOptional, "."+name)
	if of.kinds&isOptional != 0 && of.kinds&isMap == 0 {
		return a.optionalField(e, operand, of, name)
	}
	v := of.field(name)
	if of.kinds&isMap == 0 || of.required[name] || v.there {
		return v
	}
	if fact := s.facts[a.place(e)]; fact != nil && fact.there {
		return v
	}
	a.absent(e, operand, of, name)
	return v
}

// optionalField is the field of an object that may be there.
func (a *analysis) optionalField(e, operand ast.Expr, of *shape, name string) *shape {
	o := sure(isOptional)
	o.many = 1
	object := of
	if of.kinds&isMap == 0 {
		if of.items == nil {
			if of.kinds == isNull { // which has no fields
				o.items = anything(0)
			}
			return o
		}
		object = of.items
		a.needs(e, operand, object, isAny&^isList, "."+name)
		o.fewest = of.fewest
	} else {
		o.fewest = 1
	}
	o.items, o.stated = object.field(name), of.stated && object.stated && object.required != nil
	o.waived = of.waived
	if object.kinds == 0 {
		o.items = object
	}
	if object.kinds != isMap || !object.required[name] && !o.items.there {
		o.fewest = 0
	}
	return o
}

func (a *analysis) list(l ast.ListExpr, s scope) *shape {
	v := sure(isList)
	v.items, v.many, v.sized = anything(0), 0, true
	maybe := l.OptionalIndices()
	for i, e := range l.Elements() {
		element := a.value(e, s)
		v.many++
		if slices.Contains(maybe, int32(i)) {
			element = element.part(element.items)
			v.items = join(element, v.items)
			continue
		}
		v.fewest++
		v.items = join(element, v.items)
		if len(maybe) == 0 {
			v.prefix = append(v.prefix, element)
		}
	}
	return v
}

func (a *analysis) object(m ast.MapExpr, s scope) *shape {
	v := sure(isMap)
	v.fields, v.required, v.closed = map[string]*shape{}, map[string]bool{}, true
	v.many, v.sized = len(m.Entries()), true
	for _, entry := range m.Entries() {
		key, value := entry.AsMapEntry().Key(), entry.AsMapEntry().Value()
		k, of := a.value(key, s), a.value(value, s)
		a.needs(key, key, k, isString|isInt|isUint|isBool, "a key")
		if entry.AsMapEntry().IsOptional() {
			of = of.part(of.items)
		}
		name, literal := literalText(key)
		if !literal {
			v.closed, v.more = false, join(of, v.more)
			continue
		}
		v.fields[name] = of
		if !entry.AsMapEntry().IsOptional() {
			v.required[name] = true
			v.fewest = len(v.required)
		}
	}
	return v
}

// literalText returns the text that an expression is.
func literalText(e ast.Expr) (string, bool) {
	if e.Kind() != ast.LiteralKind {
		return "", false
	}
	s, ok := e.AsLiteral().(types.String)
	return string(s), ok
}

// loop is a comprehension: what macros such as map and exists are made of.
func (a *analysis) loop(e ast.Expr, s scope) *shape {
	c := e.AsComprehension()
	over := a.value(c.IterRange(), s)
	a.needs(c.IterRange(), c.IterRange(), over, isList|isMap, "a loop")
	init := a.value(c.AccuInit(), s)
	names := a.variables(c, over, s)
	once := over.kinds == isList && over.many == 0 // a value under a name, as optMap makes it
	inside := init
	if !once && init.kinds&isList == 0 {
		inside = sure(init.kinds)
	}
	inner := maps.Clone(names)
	inner[c.AccuVar()] = inside
	var step *shape
	if !once {
		a.branch(func() {
			sc := s.binding(inner)
			a.value(c.LoopCondition(), sc)
			step = a.value(c.LoopStep(), sc)
		})
	}
	sum := total(inside, step, over)
	if name := filteredPart(c); name != "" && over.items != nil && over.items.parts[name] != nil {
		sum.fewest = 1 // of each part that came there is an event
	}
	result := map[string]*shape{c.AccuVar(): sum}
	return a.value(c.Result(), s.binding(result))
}

// total is what has come together when a loop ends, if one turn makes step of init.
func total(init, step, over *shape) *shape {
	switch {
	case step == nil:
		return init
	case init.kinds != isList:
		return join(init, step)
	}
	all := sure(isList)
	all.items, all.sized = step.element(), over.sized && step.sized
	all.fewest, all.many = times(over.fewest, step.fewest), times(over.many, step.many)
	return all
}

func times(x, y int) int {
	if x == 0 || y == 0 {
		return 0
	}
	if x > unbounded/y {
		return unbounded
	}
	return x * y
}

// variables are what is known of the variables of a loop.
func (a *analysis) variables(c ast.ComprehensionExpr, over *shape, s scope) map[string]*shape {
	element := a.element(over)
	key := sure(0)
	if over.kinds&isList != 0 {
		index := sure(isInt)
		index.least, index.below = 0, a.place(c.IterRange())
		key = join(key, index)
	}
	if over.kinds&isMap != 0 {
		name := sure(isString)
		name.keyOf = a.place(c.IterRange())
		key = join(key, name)
	}
	if c.HasIterVar2() {
		return map[string]*shape{c.IterVar(): key, c.IterVar2(): element}
	}
	switch {
	case over.kinds&isMap == 0:
		return map[string]*shape{c.IterVar(): element}
	case over.kinds&isList == 0:
		return map[string]*shape{c.IterVar(): key}
	}
	return map[string]*shape{c.IterVar(): join(key, element)}
}

// element is what is known of the elements of a value.
func (a *analysis) element(of *shape) *shape {
	a.effort.take(len(of.fields) + len(of.prefix))
	return of.element()
}

// branch looks at what may not be evaluated: what may fail in it is not certain to.
func (a *analysis) branch(look func()) []risk {
	from := len(a.risks)
	look()
	for i := from; i < len(a.risks); i++ {
		a.risks[i].sure = false
	}
	return a.risks[from:]
}

// both looks at two parts of which at least one is evaluated, and which may do for the other: what may fail in both
// is certain to.
func (a *analysis) both(one, other func() *shape) (*shape, *shape) {
	from := len(a.risks)
	x := one()
	between := len(a.risks)
	y := other()
	first, second := a.risks[from:between], a.risks[between:]
	for i := range first {
		match := slices.IndexFunc(second, func(r risk) bool { return r.same(first[i]) })
		first[i].sure = first[i].sure && match >= 0 && second[match].sure
	}
	for i := range second {
		second[i].sure = second[i].sure && slices.ContainsFunc(first, func(r risk) bool { return r.sure && r.same(second[i]) })
	}
	return x, y
}

func (a *analysis) call(e ast.Expr, s scope) *shape {
	call := e.AsCall()
	args := call.Args()
	switch call.FunctionName() {
	case operators.Conditional:
		a.needs(args[0], args[0], a.value(args[0], s), isBool, "?")
		return join(a.both(
			func() *shape { return a.value(args[1], a.assume(args[0], true, s)) },
			func() *shape { return a.value(args[2], a.assume(args[0], false, s)) }))
	case operators.LogicalAnd, operators.LogicalOr:
		and := call.FunctionName() == operators.LogicalAnd
		left := s
		if a.free(args[1], s) {
			left = a.assume(args[1], and, s)
		}
		operand := func(e ast.Expr, s scope) func() *shape {
			return func() *shape {
				v := a.value(e, s)
				a.needs(e, e, v, isBool, call.FunctionName()[1:3])
				return v
			}
		}
		a.both(operand(args[0], left), operand(args[1], a.assume(args[0], and, s)))
		return sure(isBool)
	case operators.Index, operators.OptIndex, operators.OptSelect:
		return a.index(e, s)
	}
	return a.function(e, s)
}

// free says whether an expression cannot fail. It does not look far.
func (a *analysis) free(e ast.Expr, s scope) bool {
	const far = 3
	if a.ahead >= far || a.steps > maxSteps || a.effort.spent() {
		return false
	}
	a.ahead++
	from := len(a.risks)
	a.value(e, s)
	found := len(a.risks) > from
	a.risks = a.risks[:from]
	a.ahead--
	return !found
}
