package condition

import (
	"cmp"
	"encoding/json"
	"fmt"
	"strings"
)

// Explanation says why a document matches a rule's condition or doesn't.
type Explanation struct {
	Matched bool `json:"matched"`
	// Verdicts has one for each of the rule's conditions, in their order.
	Verdicts []Verdict `json:"verdicts"`
}

// Verdict is the explanation of one condition. A clause's has all but All, Any and Not; a
// group's has Matched and one of those, with the verdicts of what it nests.
type Verdict struct {
	Field    string `json:"field,omitempty"`
	Operator string `json:"operator,omitempty"`
	// ValueFrom is the field that the clause compares with, if it does.
	ValueFrom string `json:"value_from,omitempty"`
	// IgnoreCase and Condition are as the clause has them.
	IgnoreCase bool   `json:"ignore_case,omitempty"`
	Condition  string `json:"condition,omitempty"`
	// Expected is the clause's value, or that of the field it compares with if it has none, and Actual the
	// field's, all as they were written. Actual is left out when the field is missing. For a
	// field with a wildcard it is the element that decided or, where none did, a list of the
	// first ten.
	Expected json.RawMessage `json:"expected,omitempty"`
	Actual   json.RawMessage `json:"actual,omitempty"`
	// Element is, for any, all, none and search, the element of Actual that decided.
	Element *Element  `json:"element,omitempty"`
	All     []Verdict `json:"all,omitempty"`
	Any     []Verdict `json:"any,omitempty"`
	Not     *Verdict  `json:"not,omitempty"`
	Matched bool      `json:"matched"`
	// Reason says how the comparison went: "value is different", "field is missing",
	// "value is null", "want a string, got a number".
	Reason string `json:"reason,omitempty"`
}

// Explain evaluates every clause and says how each went.
func (p *Program) Explain(doc *Document) Explanation {
	matched, verdicts := p.rule.verdicts(doc)
	return Explanation{Matched: matched, Verdicts: verdicts}
}

func (g group) verdicts(doc *Document) (bool, []Verdict) {
	verdicts := make([]Verdict, len(g.conditions))
	matches := 0
	for i, part := range g.conditions {
		verdicts[i] = part.explain(doc)
		if verdicts[i].Matched {
			matches++
		}
	}
	if g.mode == Any && matches > 0 {
		return true, verdicts
	}
	return matches == len(g.conditions), verdicts
}

func (g group) explain(doc *Document) Verdict {
	matched, verdicts := g.verdicts(doc)
	if g.mode == Any {
		return Verdict{Any: verdicts, Matched: matched}
	}
	return Verdict{All: verdicts, Matched: matched}
}

func (n negation) explain(doc *Document) Verdict {
	inner := n.condition.explain(doc)
	return Verdict{Not: &inner, Matched: !inner.Matched}
}

func (c *clause) explain(doc *Document) Verdict {
	if c.from != nil {
		c = c.settled(doc)
	}
	s := search{clause: c, doc: doc, collect: true}
	passed := s.walk(doc[c.path.root], c.path.segments)
	v := Verdict{
		Field:      c.field,
		Operator:   c.operator.name,
		ValueFrom:  c.settledFrom,
		IgnoreCase: c.ignoreCase,
		Condition:  c.condition,
		Expected:   c.value.json(),
		Actual:     s.actual.json(),
		Matched:    passed != c.operator.negative,
		Reason:     s.reason(),
	}
	if c.test.each != nil && (s.best == isTrue || s.best == isFalse) {
		v.Element, v.Reason = c.test.each.explain(s.actual, doc)
	}
	if c.path.wildcard && !passed && len(s.reached) > 0 {
		v.Actual = listed(s.reached)
		v.Reason = fmt.Sprintf("none of %d: %s", len(s.reached), v.Reason)
	}
	return v
}

// listed writes the first of the values as a JSON list.
func listed(values []Value) json.RawMessage {
	const most = 10
	texts := make([]string, min(len(values), most))
	for i := range texts {
		texts[i] = values[i].raw()
	}
	return json.RawMessage("[" + strings.Join(texts, ",") + "]")
}

// reason says how the positive test went.
func (s *search) reason() string {
	c := s.clause
	switch s.best {
	case isMissing:
		return "field is missing" + c.obstacle(s.doc)
	case isNull:
		return "value is null"
	case isOtherKind:
		return fmt.Sprintf("want %s, got %s", c.test.takes, s.actual.kind())
	case isUnsettled:
		return cmp.Or(c.problem, noNow)
	case isMalformed:
		return c.test.malformed
	case isTooLong:
		return fmt.Sprintf("value is too long for this regular expression, which reads at most %d bytes", c.maxText)
	case isFalse:
		return c.operator.fails
	default:
		return c.operator.holds
	}
}

// obstacle says where the way to a missing field ends, when it is at a value that has no
// fields or no elements.
func (c *clause) obstacle(doc *Document) string {
	v, place := doc[c.path.root], c.path.root.String()
	for i := range c.path.segments {
		s := &c.path.segments[i]
		kind := v.kind()
		switch every := s.kind == segmentEvery; {
		case kind == kindMissing:
			return ""
		case every && kind == kindList:
			if _, some := v.first(); some {
				return ""
			}
			return fmt.Sprintf(": %s is empty", place)
		case every || kind != kindObject && kind != kindList:
			return fmt.Sprintf(": %s is %s", place, kind)
		}
		v, place = s.step(v), c.field[:s.end]
	}
	return ""
}
