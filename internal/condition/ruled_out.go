package condition

import (
	"math"
	"slices"
)

// ruledOut returns what is known if the positive test fails: if there is something, it is nothing that passes.
func (c *clause) ruledOut() []Ensured {
	if c.from != nil {
		return nil
	}
	e := anyValue(anything | setOf(kindNull))
	e.There = false
	number, _ := c.number()
	without := func(k kind) {
		e.Types = slices.DeleteFunc(e.Types, func(name string) bool { return name == typeNames[k] })
	}
	switch c.operator.name {
	case "is_empty":
		e.Fewest = 1
	case "is_null":
		without(kindNull)
	case "equals", "not_equals":
		if c.value.kind() == kindNull {
			without(kindNull)
		}
		e.NotZero = isZero(c.value)
	case "in", "not_in":
		for v, ok := c.value.first(); ok; v, ok = v.after(c.value) {
			e.NotZero = e.NotZero || isZero(v)
		}
	case "one_of_types":
		for t, ok := c.value.first(); ok; t, ok = t.after(c.value) {
			if t.str() != "integer" { // other numbers pass
				without(types[t.str()])
			}
		}
	case "greater_than":
		e.Most, e.NotZero = number, number < 0
	case "greater_or_equal":
		e.Most, e.NotZero = number, number <= 0
	case "less_than":
		e.Least, e.NotZero = number, number > 0
	case "less_or_equal":
		e.Least, e.NotZero = number, number >= 0
	case "length_equals":
		if number == 0 {
			e.Fewest = 1
		}
	case "length_less_than":
		e.Fewest = size(number)
	case "length_less_or_equal":
		e.Fewest = size(number) + 1
	case "length_greater_than":
		e.Many = size(number)
	case "length_greater_or_equal":
		e.Many = size(number) - 1
	default:
		return nil
	}
	all := c.path.ensured(e)
	if len(all) == 0 || len(all[len(all)-1].Steps) != len(c.path.segments) { // of the elements of a list, one may fail and others pass
		return nil
	}
	return all[len(all)-1:]
}

// size is a number as a size that a machine can count to.
func size(number float64) int { return int(min(max(number, 0), math.MaxInt32)) }
