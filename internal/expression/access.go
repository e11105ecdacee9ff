package expression

import (
	"fmt"
	"maps"
	"slices"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
)

// index is an access by a key or an index in brackets, and one by `?`.
func (a *analysis) index(e ast.Expr, s scope) *shape {
	call := e.AsCall()
	operand, key := call.Args()[0], call.Args()[1]
	of := a.value(operand, s)
	name, literal := literalText(key)
	if call.FunctionName() != operators.Index {
		return a.optionalIndex(e, of, s)
	}
	if literal {
		a.needs(e, operand, of, isMap|isOptional, "["+write(a.ast, key)+"]")
		return a.field(e, operand, of, name, s)
	}
	k := a.value(key, s)
	if of.kinds&isOptional != 0 && of.kinds&(isList|isMap) == 0 {
		return a.optionalIndex(e, of, s)
	}
	switch {
	case of.kinds&(isMap|isList) == 0:
		a.needs(e, operand, of, isMap|isList, "[...]")
		return unknown()
	case of.kinds == isMap:
		a.keyed(e, operand, key, of, k)
		return of.under(k)
	}
	a.needs(e, operand, of, isList, "["+write(a.ast, key)+"]")
	a.needs(key, key, k, isInt|isUint, "[...] of a list")
	return a.elementAt(e, operand, key, of, k, s)
}

// elementAt is an element of a list.
func (a *analysis) elementAt(e, operand, key ast.Expr, of, k *shape, s scope) *shape {
	v := a.element(of)
	i, literal := literalInt(key)
	if literal && i >= 0 {
		v = of.at(i)
	}
	if fact := s.facts[a.place(e)]; fact != nil && fact.there {
		return v
	}
	list := write(a.ast, operand)
	switch {
	case literal && (i < 0 || i >= of.many) && of.kinds == isList:
		r := risk{at: e, level: certain, what: fmt.Sprintf("%s has no element %d", list, i)}
		if r.fix = fmt.Sprintf("the last one is %s[size(%s) - 1]", list, list); i >= 0 {
			r.fix = fmt.Sprintf("it has %d at most%s, of which the first is element 0", of.many, a.by(operand))
		}
		a.note(r)
	case literal && i < of.fewest:
	case k.below != "" && k.below == a.place(operand) && k.least >= 0:
	case k.least >= 0 && k.most < float64(of.fewest):
	case literal:
		level := unsaid
		switch {
		case root(operand) == "": // what was made of an event
			level = content
		case of.stated && of.sized && !of.vague:
			level = of.allowed()
		}
		a.note(risk{at: e, level: level, waived: of.waived, about: list, lack: lackElement,
			what: fmt.Sprintf("%s may have no element %d%s", list, i, a.by(operand)),
			fix:  fmt.Sprintf("write %s[?%d].orValue(...), or size(%s) > %d ? ... : ..., %s", list, i, list, i, a.sizeRemedy(operand, i+1))})
	default:
		a.note(risk{at: e, level: content, waived: of.waived, what: fmt.Sprintf("%s may have no element %s", list, write(a.ast, key)),
			fix: fmt.Sprintf("write %s[?%s].orValue(...), or compare the index with size(%s)", list, write(a.ast, key), list)})
	}
	return v
}

// texts are the texts that a value is one of; nil: not known.
func (s *shape) texts() (all []string) {
	for _, c := range s.constants {
		text, ok := c.(types.String)
		if !ok {
			return nil
		}
		all = append(all, string(text))
	}
	return all
}

// under is what is known of what an object, or a list, has under a key.
func (s *shape) under(key *shape) *shape {
	names := key.texts()
	if names == nil || s.kinds != isMap {
		return s.element()
	}
	var all *shape
	for _, name := range names {
		all = join(s.field(name), all)
	}
	return all
}

// keyed is an access to a field whose name is computed.
func (a *analysis) keyed(e, operand, key ast.Expr, of, k *shape) {
	if k.keyOf != "" && k.keyOf == a.place(operand) {
		return
	}
	if names := k.texts(); names != nil && !slices.ContainsFunc(names, func(name string) bool { return !of.required[name] }) {
		return
	}
	object, name := write(a.ast, operand), write(a.ast, key)
	a.note(risk{at: e, level: content, waived: of.waived, what: fmt.Sprintf("%s may have no %s", object, name),
		fix: fmt.Sprintf("write %s[?%s].orValue(...), or %s in %s ? ... : ...", object, name, name, object)})
}

// optionalIndex is an access that yields an optional value.
func (a *analysis) optionalIndex(e ast.Expr, of *shape, s scope) *shape {
	operand, key := e.AsCall().Args()[0], e.AsCall().Args()[1]
	if name, literal := literalText(key); literal {
		a.needs(e, operand, of, isAny&^isList, "?"+name)
		return a.optionalField(e, operand, of, name)
	}
	k := a.value(key, s)
	a.needs(key, key, k, isString|isInt|isUint|isDouble|isBool, "[?...]")
	o := sure(isOptional)
	o.many, o.waived = 1, of.waived
	inside := of
	if of.kinds&isOptional != 0 {
		inside = of.part(of.items)
	}
	if inside.kinds&isList != 0 {
		a.needs(key, key, k, isInt|isUint, "[?...] of a list")
	}
	o.items = inside.under(k)
	if n, ok := literalInt(key); ok && inside.kinds == isList {
		if n >= 0 {
			o.items = inside.at(n)
		}
		if n >= 0 && n < inside.fewest && (of == inside || of.fewest > 0) {
			o.fewest = 1
		}
	}
	return o
}

func literalInt(e ast.Expr) (int, bool) {
	if e.Kind() != ast.LiteralKind {
		return 0, false
	}
	n, ok := e.AsLiteral().(types.Int)
	return int(n), ok
}

// absent notes that a field may not be there.
func (a *analysis) absent(e, operand ast.Expr, of *shape, name string) {
	text := write(a.ast, e)
	f, listed := of.fields[name]
	if f != nil && f.source != FromSensor {
		a.sourceless(e, f.source)
		return
	}
	level := unsaid
	switch {
	case of.stated && of.closed && !listed && !of.vague && of.kinds == isMap:
		a.note(risk{at: e, level: certain, what: fmt.Sprintf("%s has no field %q%s", write(a.ast, operand), name, a.by(operand)),
			fix: suggest(name, slices.Sorted(maps.Keys(of.fields)))})
		return
	case of.stated && of.fields != nil && of.more == nil && !listed && !of.vague && !of.waived:
		a.note(risk{at: e, level: content, what: fmt.Sprintf("%s has no field named %q%s", write(a.ast, operand), name, a.by(operand)),
			fix: suggest(name, slices.Sorted(maps.Keys(of.fields)))})
		return
	case of.stated && of.required != nil && !of.vague:
		level = of.allowed()
	}
	a.note(risk{at: e, level: level, waived: of.waived, about: text, lack: lackField,
		what: fmt.Sprintf("%s may be missing%s", text, a.by(operand)), fix: fmt.Sprintf("write %s, or add a condition on it", withDefault(text)),
		ask: fmt.Sprintf("ask for it by has(...), or write %s", withDefault(text))})
}
