package expression

import (
	"maps"
	"slices"
	"strings"

	"cel.dev/cel-go/common/types"
)

// known is what the scope says of a value at a place, beside what is known of it anyway.
func (s scope) known(place string, v *shape) *shape {
	if len(s.facts) == 0 {
		return v
	}
	key := memoKey{place, v}
	if k, done := s.memo[key]; done {
		return k
	}
	if s.effort.spent() {
		return v
	}
	s.effort.take(len(s.facts) / factsPerStep)
	about := &facts{self: s.facts[place]}
	below := place + "\x00"
	for at, fact := range s.facts {
		if strings.HasPrefix(at, below) && !strings.Contains(at, "\x00[") {
			s.effort.take(1)
			about.add(at[len(below):], fact)
		}
	}
	k := v.with(about)
	s.effort.take(len(k.fields) / factsPerStep)
	s.memo[key] = k
	return k
}

// facts are what else is known of a value, and of what is below it.
type facts struct {
	self   *shape
	fields map[string]*facts
}

// add takes a fact about what keys lead to, which a NUL divides.
func (f *facts) add(keys string, fact *shape) {
	for more := true; more; {
		var key string
		key, keys, more = strings.Cut(keys, "\x00")
		next := f.fields[key]
		if next == nil {
			if next = (&facts{}); f.fields == nil {
				f.fields = map[string]*facts{}
			}
			f.fields[key] = next
		}
		f = next
	}
	f.self = fact
}

// with returns the shape with what else is known of it.
func (s *shape) with(about *facts) *shape {
	if about.self != nil {
		s = meet(s, about.self)
	}
	if len(about.fields) == 0 {
		return s
	}
	w := *s
	w.fields = maps.Clone(s.fields)
	if w.fields == nil {
		w.fields = map[string]*shape{}
	}
	for _, name := range slices.Sorted(maps.Keys(about.fields)) {
		w.fields[name] = w.field(name).with(about.fields[name])
		if name == partField && w.parts != nil {
			w.ofPart(w.fields[name])
		}
	}
	return &w
}

// ofPart takes it that an event of a correlation is of the parts that a text may name.
func (s *shape) ofPart(text *shape) {
	var one *shape
	for _, c := range text.constants {
		if p, ok := c.(types.String); ok {
			one = join(s.parts[string(p)], one)
		}
	}
	if one != nil {
		s.fields["payload"], s.parts = one, nil
	}
}
