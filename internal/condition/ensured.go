package condition

import (
	"math"
	"slices"
	"strconv"
)

// Ensured is what is known of a field in every event that a program matches.
type Ensured struct {
	Root  Root     // that its path begins at
	Steps []any    // that lead to it from there: keys are texts, indexes numbers
	There bool     // it is there; else the rest holds if it is
	Types []string // it is of one of these types of JSON: null, boolean, number, string, list, object

	Least, Most  float64 // of a number
	NotZero      bool
	Fewest, Many int // characters of a text, elements of a list, members of an object; Many -1: any number
}

// Ensured returns what is known of every event that the program matches. There may be more.
func (p *Program) Ensured() []Ensured { return ensured(p.rule, true) }

// ensured returns what is known if the condition holds, or if it does not.
func ensured(c condition, holds bool) []Ensured {
	switch c := c.(type) {
	case negation:
		return ensured(c.condition, !holds)
	case group:
		if len(c.conditions) == 0 {
			return nil
		}
		all := ensured(c.conditions[0], holds)
		for _, part := range c.conditions[1:] {
			if more := ensured(part, holds); (c.mode != Any) == holds { // all of them hold, or none
				all = append(all, more...)
			} else {
				all = both(all, more)
			}
		}
		return all
	case *clause:
		own := slices.ContainsFunc(operators, func(op operator) bool { return op.name == c.operator.name })
		switch {
		case !own: // StackStorm's have their own ways with null
		case holds != c.operator.negative:
			return c.ensured()
		default:
			return c.ruledOut()
		}
	}
	return nil
}

// both returns what is in both lists.
func both(a, b []Ensured) []Ensured {
	var found []Ensured
	for _, e := range a {
		for _, other := range b {
			if e.Root == other.Root && slices.Equal(e.Steps, other.Steps) {
				found = append(found, e.or(other))
			}
		}
	}
	return found
}

// anyValue is a field that is there, of which nothing is known.
func anyValue(takes kinds) Ensured {
	e := Ensured{There: true, Least: math.Inf(-1), Most: math.Inf(1), Many: -1}
	for k := kindNull; k <= kindObject; k++ {
		if takes.has(k) {
			e.Types = append(e.Types, typeNames[k])
		}
	}
	return e
}

var typeNames = [...]string{kindNull: "null", kindBoolean: "boolean", kindNumber: "number", kindString: "string", kindList: "list", kindObject: "object"}

// or is what is known of a field if one or the other is.
func (e Ensured) or(other Ensured) Ensured {
	either := e
	either.There = e.There && other.There
	either.Types = slices.Compact(slices.Sorted(slices.Values(slices.Concat(e.Types, other.Types))))
	either.Least, either.Most = min(e.Least, other.Least), max(e.Most, other.Most)
	either.NotZero = e.NotZero && other.NotZero
	either.Fewest = min(e.Fewest, other.Fewest)
	if either.Many = max(e.Many, other.Many); e.Many < 0 || other.Many < 0 {
		either.Many = -1
	}
	return either
}

// ensured returns what is known if the positive test passes.
func (c *clause) ensured() []Ensured {
	if c.from != nil {
		return append(c.path.ensured(anyValue(anything|setOf(kindNull))), c.from.path.ensured(anyValue(anything|setOf(kindNull)))...)
	}
	e := anyValue(c.test.takes)
	number, isNumber := c.number()
	switch c.operator.name {
	case "equals", "not_equals":
		if isNumber {
			e.Least, e.Most, e.NotZero = number, number, number != 0
		}
	case "in", "not_in":
		c.bounds(&e)
	case "greater_than":
		e.Least, e.NotZero = number, number >= 0
	case "greater_or_equal":
		e.Least, e.NotZero = number, number > 0
	case "less_than":
		e.Most, e.NotZero = number, number <= 0
	case "less_or_equal":
		e.Most, e.NotZero = number, number < 0
	case "length_equals":
		e.Fewest, e.Many = int(number), int(number)
	case "length_greater_than":
		e.Fewest = int(number) + 1
	case "length_greater_or_equal":
		e.Fewest = int(number)
	case "length_less_than":
		e.Many = int(number) - 1
	case "length_less_or_equal":
		e.Many = int(number)
	case "any", "none":
		e.Fewest = 1
	case "one_of_types":
		e.Types = nil
		for t, ok := c.value.first(); ok; t, ok = t.after(c.value) {
			e.Types = append(e.Types, typeNames[types[t.str()]])
		}
	case "between":
		if least, ok := c.value.first(); ok {
			e.Least, _ = strconv.ParseFloat(least.raw(), 64)
			e.NotZero = e.Least > 0
		}
	}
	return c.path.ensured(e)
}

// bounds says of a number that is in the clause's list what those in there are.
func (c *clause) bounds(e *Ensured) {
	e.Least, e.Most, e.NotZero = math.Inf(1), math.Inf(-1), true
	for v, ok := c.value.first(); ok; v, ok = v.after(c.value) {
		if v.kind() != kindNumber {
			continue
		}
		n, _ := strconv.ParseFloat(v.raw(), 64) // what is too large for it is infinite
		e.Least, e.Most, e.NotZero = min(e.Least, n), max(e.Most, n), e.NotZero && !isZero(v)
	}
}

// number is what the clause compares with, if that is a number.
func (c *clause) number() (float64, bool) {
	if c.value.kind() != kindNumber {
		return 0, false
	}
	f, err := strconv.ParseFloat(c.value.raw(), 64)
	return f, err == nil
}

// ensured returns what is known if the path leads to a value, of which this is known: that, and what the path passes through.
func (p path) ensured(last Ensured) []Ensured {
	if p.root == item {
		return nil
	}
	var all []Ensured
	if p.root != Payload && last.There { // payloads are objects anyway
		whole := last
		if len(p.segments) > 0 {
			whole = anyValue(setOf(kindObject))
		}
		whole.Root = p.root
		all = append(all, whole)
	}
	roots := len(all)
	var steps []any
	for i, segment := range p.segments {
		if i > 0 { // what it is a part of
			whole := anyValue(setOf(kindObject))
			switch {
			case segment.kind != segmentName:
				whole = anyValue(setOf(kindList))
				whole.Fewest = max(segment.index, 0) + 1
			case segment.index >= 0: // .0 may be a key
				whole = anyValue(setOf(kindList, kindObject))
			}
			before := &all[roots+i-1]
			whole.Root, whole.Steps = p.root, before.Steps
			*before = whole
		}
		switch {
		case segment.kind == segmentIndex:
			steps = append(steps, segment.index)
		case segment.kind == segmentName && segment.index < 0:
			steps = append(steps, segment.key)
		default:
			return all
		}
		e := last
		e.Root, e.Steps = p.root, slices.Clone(steps)
		all = append(all, e)
	}
	return all
}

func isZero(v Value) bool { return v.kind() == kindNumber && parseNumber(v.raw()).head == "" }
