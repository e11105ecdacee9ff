package condition

import "strconv"

// An access is a way to find a rule from an event: the rule cannot match an event unless a value that the path leads to
// is as the access says. That the value is so does not mean that the rule matches.
type access struct {
	root     Root
	segments []segment
	kind     accessKind
	text     string // the key, the prefix, the suffix or the clause's signature
	span     span
	clause   *clause // for byClause
}

type accessKind uint8

const (
	byKey          accessKind = iota // the value has the key text
	byFolded                         // it is a text which folded is text
	byPrefix                         // it is a text that begins with text
	byFoldedPrefix                   // and which does so folded
	bySuffix                         // it is a text that ends with text
	byFoldedSuffix                   // and which does so folded
	byPart                           // it is a text that has text in it
	byFoldedPart                     // and which does so folded
	bySpan                           // it is a number in the span
	byClause                         // it passes the clause's test, which is done once for all rules with such a clause
	byTextClause                     // it is a text and does so
	byPresence                       // it is there
)

// An accessor chooses how to find a rule.
type accessor struct {
	// cost says how many events, roughly, the way would find the rule in vain, so that ways can be compared.
	cost func(*access) int
}

// ways are accesses one of which finds the rule, whenever it matches. There are none for a rule that may match anything.
type ways struct {
	found []access
	cost  int
}

func (w *ways) ok() bool { return len(w.found) > 0 }

func (a *accessor) program(p *Program) ways {
	return a.group(p.rule, false)
}

func (a *accessor) condition(c condition, negated bool) ways {
	switch c := c.(type) {
	case group:
		return a.group(c, negated)
	case negation:
		return a.condition(c.condition, !negated)
	case *clause:
		if c.operator.negative == negated {
			return a.weigh(c.accesses(a))
		}
	}
	return ways{}
}

func (a *accessor) weigh(found []access) ways {
	w := ways{found: found}
	for i := range found {
		w.cost += a.cost(&found[i])
	}
	return w
}

func (a *accessor) group(g group, negated bool) ways {
	if (g.mode == All) == negated {
		return a.any(g.conditions, negated)
	}
	best := a.spans(g.conditions, negated)
	for _, part := range g.conditions {
		if w := a.condition(part, negated); w.ok() && (!best.ok() || w.cost < best.cost) {
			best = w
		}
	}
	return best
}

// any needs a way for each of the conditions.
func (a *accessor) any(conditions []condition, negated bool) ways {
	var all ways
	for _, part := range conditions {
		w := a.condition(part, negated)
		if !w.ok() {
			return ways{}
		}
		all.found = append(all.found, w.found...)
		all.cost += w.cost
	}
	return all
}

// spans finds by what conditions that must all hold leave of the numbers that one field can be.
func (a *accessor) spans(conditions []condition, negated bool) ways {
	var best ways
	left := map[string]*access{}
	for _, part := range conditions {
		c, ok := part.(*clause)
		if !ok || c.operator.negative != negated || c.path.wildcard || c.from != nil {
			continue
		}
		s, ok := c.span()
		if !ok {
			continue
		}
		field := c.path.text()
		if known := left[field]; known == nil {
			left[field] = &access{root: c.path.root, segments: c.path.segments, kind: bySpan, span: s}
		} else {
			known.span = known.span.within(s)
		}
		if w := a.weigh([]access{*left[field]}); !best.ok() || w.cost < best.cost {
			best = w
		}
	}
	return best
}

// text writes the path so that different ones have different texts.
func (p *path) text() string {
	text := p.root.String()
	for _, s := range p.segments {
		text += string('0'+rune(s.kind)) + strconv.Itoa(s.index) + strconv.Quote(s.key)
	}
	return text
}

// span is what the clause leaves of the numbers; false where it is not about a number's size.
func (c *clause) span() (s span, ok bool) {
	s = everyNumber
	switch name := c.operator.name; {
	case name == "between":
		low, _ := c.value.first()
		high, _ := low.after(c.value)
		return span{rounded(low.raw()), rounded(high.raw())}, true
	case c.value.kind() != kindNumber:
		return s, false
	case name == "greater_than" || name == "greater_or_equal" || name == "gt" || name == "greaterthan":
		s.low = rounded(c.value.raw())
		return s, true
	case name == "less_than" || name == "less_or_equal" || name == "lt" || name == "lessthan":
		s.high = rounded(c.value.raw())
		return s, true
	}
	return s, false
}

// accesses returns the ways to find the clause's positive test by its field.
func (c *clause) accesses(a *accessor) []access {
	if c.from != nil {
		return []access{c.by(byPresence, "")}
	}
	if s, ok := c.span(); ok {
		found := c.by(bySpan, "")
		found.span = s
		return []access{found}
	}
	switch c.operator.name {
	case "exists":
		return []access{c.by(byPresence, "")}
	case "is_null":
		return []access{c.by(byKey, "0")}
	case "is_empty":
		return []access{c.by(byKey, string(appendTextKey(nil, ""))), c.by(byKey, "[]"), c.by(byKey, "{}")}
	case "ieq", "iequals":
		return c.equal(true, c.value)
	case "equals", "not_equals", "eq", "neq", "nequals":
		return c.equal(c.ignoreCase, c.value)
	case "in", "not_in":
		return c.equalAny(c.ignoreCase)
	case "inside", "nin", "ninside":
		if c.value.kind() == kindList {
			return c.equalAny(false)
		}
	case "contains", "not_contains":
		return c.contained(a, c.value)
	case "contains_any":
		return c.containedAny(a)
	case "contains_all":
		first, _ := c.value.first()
		return c.contained(a, first)
	case "istartswith":
		return c.literal(byPrefix, true, c.value.str())
	case "starts_with", "not_starts_with", "startswith":
		return c.literal(byPrefix, c.ignoreCase, c.value.str())
	case "iendswith":
		return c.literal(bySuffix, true, c.value.str())
	case "ends_with", "not_ends_with", "endswith":
		return c.literal(bySuffix, c.ignoreCase, c.value.str())
	case "any", "none":
		if found := c.elements(); found != nil {
			return found
		}
	default:
		if found := c.pattern(a); found != nil {
			return found
		}
	}
	return []access{c.tested()}
}

func (c *clause) by(kind accessKind, text string) access {
	return access{root: c.path.root, segments: c.path.segments, kind: kind, text: text}
}

func (c *clause) equal(folding bool, v Value) []access {
	if folding && v.kind() == kindString {
		return []access{c.by(byFolded, fold(v.str()))}
	}
	return []access{c.by(byKey, string(v.appendKey(nil)))}
}

// equalAny finds by each value of the list but null, which no list holds on.
func (c *clause) equalAny(folding bool) []access {
	var found []access
	for e, ok := c.value.first(); ok; e, ok = e.after(c.value) {
		if e.kind() != kindNull {
			found = append(found, c.equal(folding, e)...)
		}
	}
	if found == nil {
		return []access{c.tested()}
	}
	return found
}

// contained finds by an element of a list and, for a text, by a part of it.
func (c *clause) contained(a *accessor, v Value) []access {
	found := []access{c.element(v)}
	if v.kind() == kindString {
		found = append(found, c.part(a, c.ignoreCase, v.str()))
	}
	return found
}

func (c *clause) element(v Value) access {
	elements := *c
	elements.path.segments = below(c.path.segments, segment{kind: segmentEvery, index: -1})
	return elements.equal(c.ignoreCase, v)[0]
}

func (c *clause) containedAny(a *accessor) []access {
	var found []access
	for e, ok := c.value.first(); ok; e, ok = e.after(c.value) {
		found = append(found, c.contained(a, e)...)
	}
	return found
}

// literal finds by what a text begins or ends with.
func (c *clause) literal(kind accessKind, folding bool, text string) []access {
	switch {
	case text == "":
		return []access{c.tested()}
	case folding:
		return []access{c.by(kind+1, fold(text))}
	default:
		return []access{c.by(kind, text)}
	}
}

// gram is how many bytes of a part are looked up.
const gram = 8

// part finds by those few bytes of a part of texts that find the least.
func (c *clause) part(a *accessor, folding bool, text string) access {
	kind := byPart
	if folding {
		kind, text = byFoldedPart, fold(text)
	}
	if text == "" {
		return c.by(byPresence, "")
	}
	var best access
	least := 0
	for i := range max(len(text)-gram, 0) + 1 {
		found := c.by(kind, text[i:min(i+gram, len(text))])
		if cost := a.cost(&found); i == 0 || cost < least {
			best, least = found, cost
		}
	}
	return best
}

// tested finds by the clause itself. The budget of a regular expression is for all the values of a path with a wildcard
// together, so there it is not spent on finding.
func (c *clause) tested() access {
	if c.path.wildcard && c.test.program > 0 {
		return c.by(byPresence, "")
	}
	a := c.by(byClause, "")
	if c.test.takes == setOf(kindString) {
		a.kind = byTextClause
	}
	signature := append([]byte(c.operator.name+" "+c.condition), ' ')
	signature = strconv.AppendBool(signature, c.ignoreCase)
	signature = strconv.AppendInt(append(signature, ' '), int64(c.maxText), 10)
	a.text = string(c.value.appendKey(append(signature, ' ')))
	a.clause = c
	return a
}

// elements finds what has an element that satisfies conditions by the one of these that finds best.
func (c *clause) elements() []access {
	a := accessor{cost: func(a *access) int { return int(a.kind) }}
	w := a.group(c.test.each.conditions, false)
	found := w.found
	for i := range found {
		if found[i].root != item || found[i].clause != nil && found[i].clause.test.program > 0 {
			return nil
		}
		found[i].root = c.path.root
		found[i].segments = below(c.path.segments, append([]segment{{kind: segmentEvery, index: -1}}, found[i].segments...)...)
	}
	return found
}

// below returns the path that goes on from another one, which stays as it is.
func below(segments []segment, more ...segment) []segment {
	return append(segments[:len(segments):len(segments)], more...)
}
