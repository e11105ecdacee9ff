package condition

// A clause compares what a field leads to with a value.
type clause struct {
	field      string
	path       path
	operator   *operator
	value      Value // as it is written, missing where the operator takes none
	ignoreCase bool
	condition  string // of StackStorm's search
	test       test
	// maxText is how many bytes of text a regular expression reads at most.
	maxText int
	// from is another field, with whose value the field's is compared; nil when there is none.
	from *source
	// settledFrom is the field of from, once that is settled.
	settledFrom string
	// problem says why there is nothing to compare with, once from is settled.
	problem string
}

// A source is the field that value_from names.
type source struct {
	field string
	path  path
}

func (c *clause) match(doc *Document) bool {
	if c.from != nil {
		c = c.settled(doc)
	}
	s := search{clause: c, doc: doc}
	return s.walk(doc[c.path.root], c.path.segments) != c.operator.negative
}

// settled returns the clause with the test that results from the other field's value.
func (c *clause) settled(doc *Document) *clause {
	settled := *c
	other := c.from.path.follow(doc)
	operand := operand{value: other, fold: c.ignoreCase, ofEvent: true}
	settled.from, settled.settledFrom, settled.value = nil, c.from.field, other
	if c.operator.takes.has(takesReference) {
		operand.value, operand.reference, settled.value = c.value, other, c.value
	}
	if other.kind() == kindMissing {
		settled.problem = c.from.field + " is missing"
		return &settled
	}
	var err error
	if settled.test, err = c.operator.build(operand); err != nil {
		settled.problem = c.from.field + ": " + err.Error()
	}
	return &settled
}

// settle returns the condition with the values of fields that are outside of a list's element.
func (c *clause) settle(doc *Document) condition {
	switch {
	case c.from != nil && c.from.path.root != item:
		return c.settled(doc)
	case c.test.each != nil && c.test.each.outer:
		settled := *c
		settled.test.each = &quantifier{
			every: c.test.each.every, conditions: c.test.each.conditions.settle(doc).(group),
		}
		return &settled
	default:
		return c
	}
}

func (g group) settle(doc *Document) condition {
	settled := group{mode: g.mode, conditions: make([]condition, len(g.conditions))}
	for i, part := range g.conditions {
		settled.conditions[i] = part.settle(doc)
	}
	return settled
}

func (n negation) settle(doc *Document) condition {
	return negation{n.condition.settle(doc)}
}

// A search looks for a value that passes the clause's positive test. Match and Explain both
// rest on it, so that they agree.
type search struct {
	clause *clause
	doc    *Document
	text   int     // bytes of text that were read
	best   outcome // the best so far
	actual Value   // the value that it was of
	// With collect set, reached holds every value that the path leads to, up to the one
	// that passed.
	collect bool
	reached []Value
}

// An outcome of a positive test. Of several the last in this order is reported: what came
// closest to passing, and above that what was not looked at.
type outcome uint8

const (
	isMissing outcome = iota
	isNull
	isOtherKind
	isUnsettled // there is nothing to compare with
	isMalformed
	isFalse
	isTooLong
	isTrue
)

// walk reports whether a value passes that the segments lead to from v.
func (s *search) walk(v Value, segments []segment) bool {
	for i := range segments {
		if segments[i].kind == segmentEvery {
			return s.walkEvery(v, segments[i+1:])
		}
		v = segments[i].step(v)
	}
	return s.judge(v)
}

func (s *search) walkEvery(v Value, segments []segment) bool {
	if v.kind() != kindList {
		return false
	}
	for e, ok := v.first(); ok; e, ok = e.after(v) {
		if s.walk(e, segments) {
			return true
		}
	}
	return false
}

func (s *search) judge(v Value) bool {
	result := s.outcome(v)
	if result >= s.best {
		s.best, s.actual = result, v
	}
	if s.collect && result != isMissing {
		s.reached = append(s.reached, v)
	}
	return result == isTrue
}

func (s *search) outcome(v Value) outcome {
	kind, test := v.kind(), &s.clause.test
	switch {
	case kind == kindMissing:
		return isMissing
	case s.clause.problem != "":
		return isUnsettled
	case !test.takes.has(kind) && kind == kindNull:
		return isNull
	case !test.takes.has(kind):
		return isOtherKind
	}
	if test.program > 0 {
		length := len(v.raw())
		if s.text+length > s.clause.maxText {
			return isTooLong
		}
		s.text += length
	}
	holds := false
	switch {
	case test.judge != nil:
		return test.judge(v, s.doc)
	case test.each != nil:
		holds = test.each.holds(v, s.doc)
	default:
		holds = test.check(v)
	}
	if holds {
		return isTrue
	}
	return isFalse
}
