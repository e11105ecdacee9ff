package expression

import (
	"maps"
	"math"
	"slices"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
)

// A shape is what is known of a value. It is never changed once it is made; what is learnt makes another one.
type shape struct {
	kinds  kinds // that it may be of; none: there is no such value
	stated bool  // somebody says so: a schema, the rule or the language
	vague  bool  // more is said of it, in ways that are not looked at
	waived bool  // nobody can say, and nothing is to be said of it
	either bool  // it is one of several objects, and others of its fields may say which

	there        bool    // of a field or an element: it is there
	least, most  float64 // of a number
	notZero      bool
	fewest, many int  // the size of a text, a list, an object; whether an optional has a value: 0 or 1
	sized        bool // somebody says so

	fields   map[string]*shape
	required map[string]bool // the fields that an object always has; nil: nobody says which
	more     *shape          // of the fields that are not listed; nil: nobody speaks of any
	closed   bool            // there are none

	items  *shape   // of a list, beyond the first ones; the value of an optional. nil: not known
	prefix []*shape // the first ones of a list

	constants       []ref.Val         // it is one of these; nil: not known
	format, pattern string            // of a text
	below           string            // the place of a list that has more elements than this number says
	keyOf           string            // the place of an object that has this key
	parts           map[string]*shape // of an event of a correlation, by part
	source          Source            // of an event, where that is why it may not have this
}

const unbounded = math.MaxInt

// anything is what is known of a value of these kinds and no more.
func anything(k kinds) *shape {
	return &shape{kinds: k, least: math.Inf(-1), most: math.Inf(1), many: unbounded}
}

// sure is a value of these kinds, which is certain.
func sure(k kinds) *shape {
	s := anything(k)
	s.stated = true
	return s
}

// unknown is a value of an event of which nobody says anything.
func unknown() *shape { return anything(isJSON) }

// literalShape is what is known of a value.
func literalShape(v ref.Val) *shape {
	s := sure(isAny)
	s.constants = []ref.Val{v}
	switch v := v.(type) {
	case types.Null:
		s.kinds = isNull
	case types.Bool:
		s.kinds = isBool
	case types.Int:
		s.kinds, s.least, s.most = isInt, float64(v), float64(v)
	case types.Uint:
		s.kinds, s.least, s.most = isUint, float64(v), float64(v)
	case types.Double:
		s.kinds, s.least, s.most = isDouble, float64(v), float64(v)
	case types.String:
		s.kinds = isString
		s.fewest = len([]rune(string(v)))
		s.many, s.sized = s.fewest, true
	case types.Bytes:
		s.kinds, s.fewest, s.many, s.sized = isBytes, len(v), len(v), true
	default:
		s.constants = nil
	}
	return s
}

// mayBeZero says whether a number may be 0.
func (s *shape) mayBeZero() bool {
	if s.constants != nil {
		return slices.ContainsFunc(s.constants, func(v ref.Val) bool { return types.Int(0).Equal(v) == types.True })
	}
	return s.least <= 0 && s.most >= 0 && !s.notZero
}

// element is what is known of the elements of a list, or the fields of an object.
func (s *shape) element() *shape {
	var all *shape
	if s.kinds&isList != 0 {
		if all = s.items; all == nil && s.many > len(s.prefix) {
			all = unknown()
		}
		for _, p := range s.prefix {
			all = join(p, all)
		}
	}
	if s.kinds&isMap != 0 {
		rest := s.more
		if rest == nil && !s.closed {
			rest = unknown()
		}
		all = join(rest, all)
		for _, name := range slices.Sorted(maps.Keys(s.fields)) {
			all = join(s.fields[name], all)
		}
	}
	return s.part(all)
}

// part is what is known of a part of a value.
func (s *shape) part(p *shape) *shape {
	if p == nil {
		p = unknown()
	}
	if s.waived && !p.waived || s.either && !p.either {
		q := *p
		q.waived, q.either = q.waived || s.waived, q.either || s.either
		return &q
	}
	return p
}

// allowed is how it is known that a value may be what it is said to be.
func (s *shape) allowed() level {
	if s.either {
		return content
	}
	return allowed
}

// at is what is known of the element of a list.
func (s *shape) at(i int) *shape {
	if i < len(s.prefix) {
		return s.part(s.prefix[i])
	}
	return s.part(s.items)
}

// field is what is known of the field of an object.
func (s *shape) field(name string) *shape {
	if f, ok := s.fields[name]; ok {
		return s.part(f)
	}
	if s.closed {
		return anything(0)
	}
	return s.part(s.more)
}

// join is what is known of a value that is one or the other; nil: there is no other.
func join(x, y *shape) *shape {
	switch {
	case x == nil:
		return y
	case y == nil, x == y:
		return x
	case x.kinds == 0:
		return y
	case y.kinds == 0:
		return x
	}
	j := &shape{
		kinds: x.kinds | y.kinds, stated: x.stated && y.stated, vague: x.vague || y.vague, waived: x.waived || y.waived,
		either: x.either || y.either, there: x.there && y.there,
		least: math.Inf(1), most: math.Inf(-1), notZero: true, fewest: unbounded, sized: true,
	}
	for _, s := range []*shape{x, y} {
		if s.kinds&isNumber != 0 {
			j.least, j.most = min(j.least, s.least), max(j.most, s.most)
			j.notZero = j.notZero && !s.mayBeZero()
		}
		if s.kinds&isSized != 0 {
			j.fewest, j.many, j.sized = min(j.fewest, s.fewest), max(j.many, s.many), j.sized && s.sized
		}
	}
	j.constants = either(x.constants, y.constants)
	if x.below == y.below {
		j.below = x.below
	}
	if x.keyOf == y.keyOf {
		j.keyOf = x.keyOf
	}
	if x.format == y.format {
		j.format = x.format
	}
	if x.pattern == y.pattern {
		j.pattern = x.pattern
	}
	if j.kinds&isSized == 0 {
		j.fewest, j.many, j.sized = 0, unbounded, false
	}
	j.joinFields(x, y)
	j.joinItems(x, y)
	return j
}

// maxValues is how many values are kept of which a value is one.
const maxValues = 50

// either are the values of both lists; nil: not known.
func either(x, y []ref.Val) []ref.Val {
	if x == nil || y == nil || len(x)+len(y) > maxValues {
		return nil
	}
	all := slices.Clone(x)
	for _, v := range y {
		if !slices.ContainsFunc(all, func(w ref.Val) bool { return w.Type() == v.Type() && w.Equal(v) == types.True }) {
			all = append(all, v)
		}
	}
	return all
}

func (s *shape) joinFields(x, y *shape) {
	switch {
	case y.kinds&isMap == 0:
		s.fields, s.required, s.more, s.closed, s.parts = x.fields, x.required, x.more, x.closed, x.parts
		return
	case x.kinds&isMap == 0:
		s.joinFields(y, x)
		return
	}
	if x.fields != nil || y.fields != nil {
		s.fields = map[string]*shape{}
	}
	for _, names := range []map[string]*shape{x.fields, y.fields} {
		for name := range names {
			s.fields[name] = join(x.field(name), y.field(name))
		}
	}
	s.closed = x.closed && y.closed
	if x.more != nil || y.more != nil {
		s.more = join(x.part(x.more), y.part(y.more))
	}
	if x.required != nil && y.required != nil {
		s.required = map[string]bool{}
		for name := range x.required {
			if y.required[name] {
				s.required[name] = true
			}
		}
	}
}

func (s *shape) joinItems(x, y *shape) {
	const holds = isList | isOptional
	switch {
	case y.kinds&holds == 0:
		s.items, s.prefix = x.items, x.prefix
	case x.kinds&holds == 0:
		s.items, s.prefix = y.items, y.prefix
	default:
		for i := range max(len(x.prefix), len(y.prefix)) {
			s.prefix = append(s.prefix, join(x.at(i), y.at(i)))
		}
		if x.items != nil && y.items != nil {
			s.items = join(x.items, y.items)
		}
	}
}

// meet is what is known of a value of which both is known.
func meet(x, y *shape) *shape {
	if x == nil || y == nil || x == y {
		return join(x, y)
	}
	m := *x
	m.kinds &= y.kinds
	m.stated, m.vague, m.waived, m.there = x.stated || y.stated, x.vague || y.vague, x.waived || y.waived, x.there || y.there
	m.either = x.either || y.either
	m.least, m.most, m.notZero = max(x.least, y.least), min(x.most, y.most), x.notZero || y.notZero
	m.fewest, m.many, m.sized = max(x.fewest, y.fewest), min(x.many, y.many), x.sized || y.sized
	if m.constants == nil {
		m.constants = y.constants
	}
	for _, f := range []struct {
		mine  *string
		other string
	}{{&m.format, y.format}, {&m.pattern, y.pattern}, {&m.below, y.below}, {&m.keyOf, y.keyOf}} {
		if *f.mine == "" {
			*f.mine = f.other
		}
	}
	if y.fields != nil {
		m.fields = maps.Clone(y.fields)
		for name, f := range x.fields {
			m.fields[name] = meet(f, y.fields[name])
		}
	}
	if y.required != nil {
		m.required = maps.Clone(y.required)
		maps.Copy(m.required, x.required)
	}
	m.closed = x.closed || y.closed
	if y.more != nil {
		m.more = meet(x.more, y.more)
	}
	if y.items != nil {
		m.items = meet(x.items, y.items)
	}
	if m.prefix == nil {
		m.prefix = y.prefix
	}
	if m.parts == nil {
		m.parts = y.parts
	}
	return &m
}
