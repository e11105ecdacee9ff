package pack

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/attune-automation/sensors/internal/condition"
	"github.com/attune-automation/sensors/internal/correlation"
	"github.com/attune-automation/sensors/internal/sensor"
	"github.com/attune-automation/sensors/internal/throttle"
)

const correlateRemedy = "write correlate: {within: 10m, group_by: [payload.order], then: [{name: paid, trigger: PACK.NAME}]}"

var partKeys = []string{"name", "trigger", "condition", "conditions", "cel", "group_by", "absent"}

// part is a rule that belongs to another, and where it is written.
type part struct {
	section
	rule sensor.Rule
}

// correlate reads what else has to come before a rule orders something. The rule is the first part of the whole, and each
// further part becomes a rule of its own. It returns nil if there is nothing to read, or something is wrong.
func (l *loader) correlate(s section, whole *sensor.Rule) (*correlation.Definition, []part) {
	n, ok := s.value("correlate")
	switch {
	case !ok:
		return nil, nil
	case n.Kind != yaml.MappingNode:
		s.report("correlate", "got %s: %s", describe(n), correlateRemedy)
		return nil, nil
	}
	if _, both := s.value("throttle"); both {
		s.report("correlate", "throttle is there too: keep one of them")
	}
	c := newSection(s.doc, n, below(s.path, "correlate"), "within", "group_by", "then", "and")
	before := s.doc.reported
	within, by := c.span("within"), c.groupBy()
	var d *correlation.Definition
	var parts []part
	for _, list := range c.partLists() { // of which one is too many; what is wrong with each is reported all the same
		d = &correlation.Definition{
			Rule: whole.Ref, Within: within, Ordered: list.key == "then",
			Parts: []correlation.Part{{Name: correlation.First, Trigger: whole.TriggerRef, By: by}},
		}
		for i := range list.nodes {
			if p, ok := l.part(c, list, i, d, *whole); ok {
				parts = append(parts, p)
			}
		}
		if len(d.Parts) == 1+len(list.nodes) {
			c.checkParts(d, list.key)
		}
	}
	if s.doc.reported > before || !encodeParts(d, whole, parts) {
		return nil, parts
	}
	return d, parts
}

// defineCorrelation adds a rule that correlates, and its parts. Its parameters are not of its own event, but of the one that
// comes last, whose part they are checked against.
func (l *loader) defineCorrelation(s section, whole sensor.Rule) {
	d, parts := l.correlate(s, &whole)
	l.pack.Rules = append(l.pack.Rules, whole)
	first := whole
	first.ActionParams = json.RawMessage("{}")
	checked := append([]part{{s, first}}, parts...)
	for i, p := range checked {
		l.checkRule(p.section, p.rule)
		if i > 0 {
			l.pack.Rules = append(l.pack.Rules, p.rule)
		}
	}
	if d != nil {
		l.checkOrder(s, whole, d, checked)
	}
}

// partList is a list of parts, and its key.
type partList struct {
	key   string
	nodes []*yaml.Node
}

// partLists returns the list of parts; if nothing is wrong, it is one.
func (s section) partLists() (lists []partList) {
	there := 0
	for _, key := range []string{"then", "and"} {
		n, ok := s.value(key)
		if !ok {
			continue
		}
		there++
		if n.Kind != yaml.SequenceNode {
			s.report(key, "got %s: write a list of parts, each with name and trigger", describe(n))
			continue
		}
		lists = append(lists, partList{key, n.Content})
	}
	switch there {
	case 0:
		s.report("then", "missing: write then: [{name: paid, trigger: PACK.NAME}], or and: for parts in any order")
	case 2:
		s.report("and", "then is there too: keep one of them, then for parts in their order, and for parts in any")
	}
	return lists
}

// part reads one part, and adds it to the definition.
func (l *loader) part(c section, list partList, i int, d *correlation.Definition, whole sensor.Rule) (part, bool) {
	key, n := list.key, resolveAlias(list.nodes[i])
	if n.Kind != yaml.MappingNode {
		c.reportAt(elementKeys(key, i), "got %s: write a part, such as {name: paid, trigger: PACK.NAME}", describe(n))
		return part{}, false
	}
	s := newSection(c.doc, n, append(c.path[:len(c.path):len(c.path)], elementKeys(key, i)...), partKeys...)
	p := correlation.Part{Name: s.text("name", ""), Trigger: l.trigger(s), By: d.Parts[0].By}
	if _, ok := s.value("group_by"); ok {
		p.By = s.groupBy()
	}
	if absent := s.flag("absent"); absent != nil {
		p.Absent = *absent
	}
	d.Parts = append(d.Parts, p)
	r := whole
	r.Ref, r.Label = d.Ref(len(d.Parts)-1), whole.Label+": "+p.Name
	r.TriggerRef = p.Trigger
	r.Condition = s.text("condition", string(condition.All))
	r.Conditions, r.CEL = s.list("conditions", "[]"), s.text("cel", "")
	r.ActionParams = json.RawMessage("{}") // it orders nothing by itself
	if len(r.Ref) > sensor.MaxRef {
		s.report("name", "makes the ref %.40q... of the part %d characters long: use at most %d", r.Ref, len(r.Ref), sensor.MaxRef)
	}
	return part{s, r}, true
}

// checkParts reports what is wrong with the parts taken together.
func (s section) checkParts(d *correlation.Definition, key string) {
	for _, p := range d.Check() {
		if p.Part == 0 {
			s.report(p.Field, "%s", p.Message)
			continue
		}
		s.reportAt(append(elementKeys(key, p.Part-1), p.Field), "%s", p.Message)
	}
}

// encodeParts notes in each rule what it is a part of.
func encodeParts(d *correlation.Definition, whole *sensor.Rule, parts []part) bool {
	rules := []*sensor.Rule{whole}
	for i := range parts {
		rules = append(rules, &parts[i].rule)
	}
	for i, r := range rules {
		encoded, err := d.Encode(i)
		if err != nil {
			return false
		}
		r.Correlation = encoded
	}
	return true
}

// span returns a duration that must be there, of at least a second and at most 30 days.
func (s section) span(key string) (d time.Duration) {
	text := s.required(key, "write a duration such as 90s, 15m, 1h30m or 7d")
	if text == "" {
		return 0
	}
	var problems throttle.Problems
	d = throttle.ParseSpan(quote(text), "", &problems)
	for _, p := range problems {
		s.report(key, "%s", p.Message)
	}
	return d
}

// groupBy returns the fields by whose values matches are told apart.
func (s section) groupBy() throttle.GroupBy {
	raw := s.list("group_by", "")
	var problems throttle.Problems
	by := throttle.ParseGroupBy(raw, "", &problems)
	for _, p := range problems {
		keys := []string{"group_by"}
		if i, err := strconv.Atoi(strings.Trim(p.Path, "[]")); err == nil {
			keys = elementKeys("group_by", i)
		}
		s.reportAt(keys, "%s", p.Message)
	}
	return by
}
