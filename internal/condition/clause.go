package condition

// A clause compares what a field leads to with a value.
type clause struct {
	field    string
	path     path
	operator *operator
	value    Value
	test     test
	// maxText is how many bytes of text a regular expression reads at most.
	maxText int
}

func (c *clause) match(doc *Document) bool {
	s := search{clause: c}
	return s.walk(doc[c.path.root], c.path.segments) != c.operator.negative
}

// A search looks for a value that passes the clause's positive test. Match and Explain both
// rest on it, so that they agree.
type search struct {
	clause *clause
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
	if test.check(v) {
		return isTrue
	}
	return isFalse
}
