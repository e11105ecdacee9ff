package pack

import (
	"cmp"
	"errors"
	"regexp"
	"slices"

	"go.yaml.in/yaml/v3"

	"github.com/attune-automation/sensors/internal/condition"
	"github.com/attune-automation/sensors/internal/rule"
	"github.com/attune-automation/sensors/internal/schema"
	"github.com/attune-automation/sensors/internal/sensor"
)

var (
	triggerKeys = []string{"ref", "label", "description", "enabled", "param_schema", "out_schema"}
	ruleKeys    = []string{"ref", "label", "description", "trigger", "condition", "conditions", "action", "enabled",
		"shadow", "priority", "valid", "active"}
	actionKeys = []string{"ref", "params"}
)

// defineTriggers takes only other packs' triggers from the known ones: of its own, the folder is the whole truth.
func (l *loader) defineTriggers(known []sensor.Trigger) {
	for _, k := range known {
		if k.PackRef == l.pack.Ref {
			continue
		}
		t := &trigger{}
		if len(k.ParamSchema) > 0 {
			t.params, _ = schema.Compile("param_schema", k.ParamSchema) // it compiled when its own pack was applied
		}
		l.triggers[k.Ref] = t
	}
	l.define("triggers", triggerKeys, func(s section, ref string) {
		t := sensor.Trigger{
			Ref: ref, PackRef: l.pack.Ref,
			Label: s.text("label", ref), Description: s.text("description", ""), Enabled: s.enabled(),
		}
		own := &trigger{}
		t.ParamSchema, own.params = s.schema("param_schema")
		t.OutSchema, _ = s.schema("out_schema")
		l.triggers[ref] = own
		l.pack.Triggers = append(l.pack.Triggers, t)
	})
	slices.SortFunc(l.pack.Triggers, func(a, b sensor.Trigger) int { return cmp.Compare(a.Ref, b.Ref) })
}

func (l *loader) defineRules() {
	l.define("rules", ruleKeys, func(s section, ref string) {
		r := sensor.Rule{
			Ref: ref, PackRef: l.pack.Ref,
			Label: s.text("label", ref), Description: s.text("description", ""), Enabled: s.enabled(),
			TriggerRef: l.trigger(s),
			Condition:  s.text("condition", string(condition.All)),
			Conditions: s.list("conditions", "[]"),
		}
		l.live(s, &r)
		if r.Conditions != nil {
			_, err := rule.Compile(&r)
			s.conditionProblems(err)
		}
		l.act(s, &r)
		l.pack.Rules = append(l.pack.Rules, r)
	})
	slices.SortFunc(l.pack.Rules, func(a, b sensor.Rule) int { return cmp.Compare(a.Ref, b.Ref) })
}

// act reads what a match of the rule orders.
func (l *loader) act(s section, r *sensor.Rule) {
	const remedy = "write action: {ref: PACK.NAME, params: {...}}"
	n, ok := s.value("action")
	switch {
	case !ok:
		s.report("action", "missing: %s", remedy)
		return
	case n.Kind != yaml.MappingNode:
		s.report("action", "got %s: %s", describe(n), remedy)
		return
	}
	action := newSection(s.doc, n, below(s.path, "action"), actionKeys...)
	r.ActionRef = action.required("ref", "write the ref of the action, PACK.NAME")
	if err := sensor.CheckRef(r.ActionRef); err != nil && r.ActionRef != "" {
		action.report("ref", "%v", err)
	}
	r.ActionParams = action.object("params", "{}")
}

// live reads when a rule matches, and how far a match goes.
func (l *loader) live(s section, r *sensor.Rule) {
	if shadow := s.flag("shadow"); shadow != nil {
		r.Shadow = *shadow
	}
	r.Priority = s.count("priority", -maxPriority, maxPriority)
	r.Active = s.list("active", "[]")
	const remedy = "write valid: {from: 2026-01-31, until: 2026-02-28T18:00:00Z}"
	n, ok := s.value("valid")
	switch {
	case !ok:
		return
	case n.Kind != yaml.MappingNode:
		s.report("valid", "got %s: %s", describe(n), remedy)
		return
	}
	valid := newSection(s.doc, n, below(s.path, "valid"), "from", "until")
	r.ValidFrom, r.ValidUntil = valid.moment("from"), valid.moment("until")
}

var conditionKeys = regexp.MustCompile(`[^.\[\]]+`)

// conditionProblems reports what package condition found, each at its own line.
func (s section) conditionProblems(err error) {
	if err == nil {
		return
	}
	problems, ok := errors.AsType[condition.Problems](err)
	if !ok {
		s.report("conditions", "%v", err)
	}
	for _, p := range problems {
		path := conditionKeys.FindAllString(p.Path, -1)
		s.doc.report(s.doc.line(path), path, "%s", p.Message)
	}
}
