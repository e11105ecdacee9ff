package pack

import "github.com/attune-automation/sensors/internal/sensor"

// LoadRule reads and checks the definition of one rule, which need not be in a pack's folder, against the triggers that
// are known. If it is a correlation, its further parts follow it. If it is no good, the error is Problems.
func LoadRule(name string, text []byte, known []sensor.Trigger) ([]sensor.Rule, error) {
	l := &loader{documents: map[string][]*document{}, triggers: map[string]*trigger{}}
	for _, k := range known {
		t := &trigger{}
		t.payloads(k.OutSchema, "")
		l.triggers[k.Ref] = t
	}
	if doc := parseDocument(name, text, &l.problems); doc != nil {
		if _, ref := child(doc.root, "ref"); ref != nil && sensor.CheckRef(ref.Value) == nil {
			l.pack.Ref = sensor.PackOf(ref.Value)
		}
		l.documents["rules"] = []*document{doc}
		l.defineRules()
	}
	if len(l.problems) > 0 {
		l.problems.sort()
		return nil, l.problems
	}
	return l.pack.Rules, nil
}
