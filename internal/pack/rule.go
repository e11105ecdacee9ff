package pack

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"slices"

	"go.yaml.in/yaml/v3"

	"github.com/attune-automation/sensors/internal/condition"
	"github.com/attune-automation/sensors/internal/expression"
	"github.com/attune-automation/sensors/internal/rule"
	"github.com/attune-automation/sensors/internal/schema"
	"github.com/attune-automation/sensors/internal/sensor"
)

const throttleRemedy = "write throttle: {once_within: 15m, group_by: [payload.host]}"

var (
	ruleKeys = []string{"ref", "label", "description", "trigger", "condition", "conditions", "cel", "action", "enabled",
		"shadow", "priority", "valid", "active", "throttle", "correlate"}
)

func (l *loader) defineRules() {
	l.define("rules", ruleKeys, func(s section, ref string) {
		r := sensor.Rule{
			Ref: ref, PackRef: l.pack.Ref,
			Label: s.text("label", ref), Description: s.text("description", ""), Enabled: s.enabled(),
			TriggerRef: l.trigger(s),
			Condition:  s.text("condition", string(condition.All)),
			Conditions: s.list("conditions", "[]"),
			CEL:        s.text("cel", ""),
		}
		l.live(s, &r)
		l.act(s, &r)
		if _, correlates := s.value("correlate"); correlates {
			l.defineCorrelation(s, r)
			return
		}
		l.checkRule(s, r)
		l.pack.Rules = append(l.pack.Rules, r)
	})
	slices.SortFunc(l.pack.Rules, func(a, b sensor.Rule) int { return cmp.Compare(a.Ref, b.Ref) })
}

// live reads when a rule matches, and how far a match goes.
func (l *loader) live(s section, r *sensor.Rule) {
	if shadow := s.flag("shadow"); shadow != nil {
		r.Shadow = *shadow
	}
	r.Priority = s.count("priority", -maxPriority, maxPriority)
	r.Active = s.list("active", "[]")
	if _, ok := s.value("throttle"); ok {
		r.Throttle = s.json("throttle", "", yaml.MappingNode, throttleRemedy)
	}
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

// checkRule compiles a rule, and compares it with what is known of the payloads of its trigger. What could not be read
// of it is reported already, and is taken for empty.
func (l *loader) checkRule(s section, r sensor.Rule) {
	if r.Conditions == nil {
		r.Conditions = []byte("[]")
	}
	if r.ActionParams == nil {
		r.ActionParams = []byte("{}")
	}
	compiled, err := rule.Compile(&r)
	if err != nil {
		s.invalid(err, s.doc.report)
		return
	}
	t := l.triggers[r.TriggerRef]
	if t == nil {
		return
	}
	wrong, odd := compiled.Check(cmp.Or(t.out, expression.NewSchema(nil)).From(l.source(r.TriggerRef)))
	if odd != nil {
		s.invalid(odd, l.warnAbout(s))
	}
	if wrong != nil {
		s.invalid(wrong, s.doc.report)
		return
	}
	l.trySamples(s, compiled, t.samples)
}

// A reporter takes what is to be said of a place in a document.
type reporter func(line int, path []string, format string, args ...any)

// warnAbout returns what takes warnings about a document.
func (l *loader) warnAbout(s section) reporter {
	return func(line int, path []string, format string, args ...any) {
		l.warnings = append(l.warnings, Problem{
			File: s.doc.name, Line: line, Field: schema.FormatPath(path), Message: fmt.Sprintf(format, args...),
		})
	}
}

var conditionKeys = regexp.MustCompile(`[^.\[\]]+`)

// invalid reports what is wrong with a rule, each at its own line.
func (s section) invalid(err error, report reporter) {
	found, ok := errors.AsType[*rule.Invalid](err)
	if !ok {
		report(s.node.Line, s.path, "%v", err)
		return
	}
	for _, p := range found.Conditions {
		path := append(s.path[:len(s.path):len(s.path)], conditionKeys.FindAllString(p.Path, -1)...)
		report(s.doc.line(path), path, "%s", p.Message)
	}
	for _, p := range found.CEL {
		s.inText([]string{"cel"}, p, report)
	}
	for _, p := range found.Params {
		s.inText(append([]string{"action", "params"}, p.Path...), p.Problem, report)
	}
}

// inText reports a problem inside of a text: at its own line if the text is written line by line, behind `|`.
func (s section) inText(keys []string, p expression.Problem, report reporter) {
	path := append(s.path[:len(s.path):len(s.path)], keys...)
	n, line := s.doc.root, s.doc.line(path)
	for _, key := range path {
		if n == nil {
			break
		}
		if _, n = child(n, key); n != nil {
			n = resolveAlias(n)
		}
	}
	switch {
	case n != nil && n.Style&yaml.LiteralStyle != 0:
		report(n.Line+p.Line, path, "column %d: %s", p.Column, p.Message)
	case p.Line > 1:
		report(line, path, "line %d, column %d: %s", p.Line, p.Column, p.Message)
	default:
		report(line, path, "column %d: %s", p.Column, p.Message)
	}
}
