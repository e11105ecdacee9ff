package expression

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"cel.dev/cel-go/common/ast"
)

// Check compares the expression with what payloads are like. Problems are certain: no payload of that schema could do.
// Warnings are probably slips, such as a field that the schema does not have.
func (p *Program) Check(s *Schema) (problems, warnings Problems) {
	return (&view{schema: s}).check(p)
}

func (v *view) check(p *Program) (problems, warnings Problems) {
	s := v.schema
	if s.payload == nil {
		return nil, nil
	}
	f := finder{ast: p.ast, shapes: map[string]*shape{"payload": s.payload}, where: "the trigger's out_schema"}
	f.visit()
	return v.checkTypes(p), f.found
}

// use is what becomes of what an expression yields.
type use int

const (
	asCondition use = iota // it must be true or false
	asValue                // it becomes JSON
	asText                 // it becomes a part of a text
	asName                 // it is a parameter that must be a text
	asFullName             // which must not be empty
)

// risksOf returns what may fail when the expression is evaluated for that use.
func (a *analysis) risksOf(start scope, purpose use) []risk {
	p := a.program
	e := p.ast.NativeRep().Expr()
	v := a.value(e, start)
	if v.kinds&isOptional != 0 {
		if v.fewest == 0 {
			r := risk{at: e, level: content, waived: v.waived, what: write(p.ast, e) + " may have no value" + a.by(e), fix: "give it a default by .orValue(...)"}
			if v.stated {
				r.level = v.allowed()
			}
			a.note(r)
		}
		v = v.part(v.items)
	}
	switch purpose {
	case asCondition:
		a.needs(e, e, v, isBool, "a condition")
	case asValue:
		a.needs(e, e, v, isAny&^(isType|isOptional), "JSON")
	case asText:
		a.needs(e, e, v, isAny&^(isType|isOptional|isNull), "a text")
	case asName:
		a.needs(e, e, v, isString|isNull|isBytes|isTime|isDuration, "the parameter")
	case asFullName:
		a.needs(e, e, v, isString|isBytes|isTime|isDuration, "the parameter")
		if v.kinds&isString != 0 && v.fewest == 0 {
			a.depends(e, v, write(p.ast, e)+" may be empty, and the parameter must not be", "add a condition such as length_greater_than 0, or say minLength in the trigger's out_schema")
		}
	}
	return distinct(a.risks)
}

// look returns what is wrong with the expression, what is probably a slip, and what else may fail.
func (v *view) look(p *Program, purpose use) (wrong, slips Problems, risks []risk) {
	wrong, slips = v.check(p)
	a := v.analysis(p)
	if a == nil || v.effort.spent() {
		return wrong, slips, nil
	}
	found := a.risksOf(v.scope(a), purpose)
	if v.effort.spent() {
		slips = append(slips, p.problemAt(p.ast.NativeRep().Expr(), "%s", endOfEffort))
	}
	for _, r := range found {
		at := p.problemAt(r.at, "")
		here := func(q Problem) bool { return q.Line == at.Line && q.Column == at.Column }
		switch {
		case slices.ContainsFunc(wrong, here):
			continue
		case r.level == certain:
			slips = slices.DeleteFunc(slips, here)
		case slices.ContainsFunc(slips, here):
			continue
		}
		risks = append(risks, r)
	}
	return wrong, slips, risks
}

// CheckCondition is Check for the condition of a rule, which does not hold where it has no result: that is a warning where it
// is known that it may have none.
func (p *Program) CheckCondition(s *Schema, given Given, effort *Effort) (problems, warnings Problems) {
	v := &view{schema: s, given: given, effort: effort}
	problems, warnings, risks := v.look(p, asCondition)
	for _, r := range risks {
		switch r.level {
		case unsaid:
		case certain:
			problems = append(problems, p.problemAt(r.at, "%s", r))
		default:
			warnings = append(warnings, p.problemAt(r.at, "%s, and then the expression does not hold: %s", r.what, cmp.Or(r.ask, r.fix)))
		}
	}
	return problems, warnings
}

// Check compares the expressions with what payloads are like, see Program.Check. Beyond that, it is a problem if one is
// certain to fail on a payload that the schema allows, and a warning if one may fail. Where nobody says whether something
// is there, or of what type, one warning for all of these says so.
func (t *Template) Check(s *Schema, given Given, effort *Effort) (problems, warnings PathProblems) {
	v := &view{schema: s, given: given, effort: effort}
	unsaids := map[lack]*unsaidThings{lackField: {}, lackElement: {}, lackType: {}}
	for _, p := range t.programs {
		bad, odd, risks := v.look(p.Program, p.use())
		for _, r := range risks {
			switch found := p.problemAt(r.at, "%s", r); {
			case r.level == unsaid:
				unsaids[r.lack].add(p, r)
			case r.level == certain, r.level == allowed && r.sure:
				bad = append(bad, found)
			default:
				odd = append(odd, found)
			}
		}
		problems, warnings = append(problems, p.at(bad)...), append(warnings, p.at(odd)...)
	}
	unsaids[lackType].without(unsaids[lackField])
	for _, of := range []lack{lackField, lackElement, lackType} {
		warnings = append(warnings, unsaids[of].warning(of)...)
	}
	return problems, warnings
}

func (l *located) use() use {
	if l.part {
		return asText
	}
	if len(l.path) == 1 {
		switch full, name := l.rule.Texts[l.path[0]]; {
		case full:
			return asFullName
		case name:
			return asName
		}
	}
	return asValue
}

// unsaidThings are fields, elements or types of which nobody says anything.
type unsaidThings struct {
	names []string
	first *located
	at    ast.Expr
}

func (u *unsaidThings) add(p *located, r risk) {
	if u.first == nil {
		u.first, u.at = p, r.at
	}
	name := r.about
	if r.lack == lackElement {
		name = write(p.ast, r.at)
	}
	if !slices.Contains(u.names, name) {
		u.names = append(u.names, name)
	}
}

// without leaves out what something else is not said of, either.
func (u *unsaidThings) without(other *unsaidThings) {
	if u.names = slices.DeleteFunc(u.names, func(name string) bool { return slices.Contains(other.names, name) }); len(u.names) == 0 {
		u.first = nil
	}
}

// maxUnsaid is how many of them are named.
const maxUnsaid = 5

func (u *unsaidThings) warning(of lack) PathProblems {
	if u.first == nil {
		return nil
	}
	names, more := u.names, ""
	if len(names) > maxUnsaid {
		names, more = names[:maxUnsaid], fmt.Sprintf(" and %d more", len(u.names)-maxUnsaid)
	}
	format := "nothing says that an event has %s%s, and without it there are no parameters: " +
		"list it as required in the trigger's out_schema, add a condition on it, or write a default, such as %s"
	example := withDefault(names[0])
	switch of {
	case lackElement:
		format = "nothing says that the list of %s%s is long enough, and otherwise there are no parameters: " +
			"say minItems in the trigger's out_schema, add a condition such as length_greater_or_equal, or write a default, such as %s"
	case lackType:
		format = "nothing says of which type %s%s is, and of another one there are no parameters: " +
			"say its type in the trigger's out_schema, add a condition such as one_of_types, or convert it by what takes any type, such as %s"
		example = "json.encode(" + names[0] + ")"
	}
	return u.first.at(Problems{u.first.problemAt(u.at, format, strings.Join(names, ", "), more, example)})
}

// withDefault writes an access to a field as it is written with a default.
func withDefault(text string) string {
	if i := strings.LastIndexByte(text, '['); i > 0 && strings.HasSuffix(text, "]") {
		return text[:i] + "[?" + text[i+1:] + ".orValue(...)"
	}
	i := strings.LastIndexByte(text, '.')
	return text[:i+1] + "?" + text[i+1:] + ".orValue(...)"
}

func (p *Program) problemAt(e ast.Expr, format string, args ...any) Problem {
	at := p.ast.NativeRep().SourceInfo().GetStartLocation(e.ID())
	return Problem{Line: max(at.Line(), 1), Column: max(at.Column(), 0) + 1, Message: fmt.Sprintf(format, args...)}
}
