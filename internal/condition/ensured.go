package condition

import "slices"

// Ensured is a field that every event has which a program matches.
type Ensured struct {
	Keys    []string // that lead to it from the payload
	NotNull bool
}

// Ensured returns fields of the payload that are there in every event that the program matches. There may be more.
func (p *Program) Ensured() []Ensured { return ensured(p.rule, true) }

// ensured returns the fields that are there if the condition holds, or if it does not.
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
		if own && holds != c.operator.negative { // StackStorm's have their own ways with null
			return c.ensured()
		}
	}
	return nil
}

// both returns what is in both lists.
func both(a, b []Ensured) []Ensured {
	var found []Ensured
	for _, e := range a {
		for _, other := range b {
			if slices.Equal(e.Keys, other.Keys) {
				found = append(found, Ensured{e.Keys, e.NotNull && other.NotNull})
			}
		}
	}
	return found
}

// ensured returns what is there if the positive test passes.
func (c *clause) ensured() []Ensured {
	nullable := c.value.kind() == kindNull
	switch c.operator.name {
	case "exists", "not_exists", "is_null", "one_of_types":
		nullable = true
	}
	if c.from != nil {
		nullable = true
	}
	all := c.path.ensured(!nullable)
	if c.from != nil {
		all = append(all, c.from.path.ensured(false)...)
	}
	return all
}

// ensured returns what is there if the path leads to a value: what it passes through, and itself.
func (p path) ensured(notNull bool) []Ensured {
	if p.root != Payload {
		return nil
	}
	var all []Ensured
	var keys []string
	for i, s := range p.segments {
		if s.kind != segmentName {
			break
		}
		keys = append(keys, s.key)
		all = append(all, Ensured{Keys: slices.Clone(keys), NotNull: notNull || i < len(p.segments)-1})
		if s.index >= 0 {
			return all[:len(all)-1] // .0 may have been an index
		}
	}
	return all
}
