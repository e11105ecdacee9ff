package audit

import (
	"context"
	"iter"
	"slices"

	"github.com/attune-automation/sensors/internal/rule"
	"github.com/attune-automation/sensors/internal/sensor"
	"github.com/attune-automation/sensors/internal/store"
)

// ruleset is all versions of all rules of the triggers as they are now.
type ruleset struct {
	byTrigger map[string][]version
	triggerID map[string]int64 // by ref
	reader    *rule.Reader
}

// version is what a rule was while its trigger's ruleset was in a span.
type version struct {
	*rule.Compiled
	ended int64 // the first ruleset that is beyond; 0: it is in force
}

func (v version) at(ruleset int64) bool {
	return v.Rule.Ruleset <= ruleset && (v.ended == 0 || ruleset < v.ended)
}

func (a *auditor) rules(rules iter.Seq2[store.AuditRule, error], triggers []sensor.Trigger) (*ruleset, error) {
	set := &ruleset{byTrigger: map[string][]version{}, triggerID: map[string]int64{}, reader: rule.NewReader(nil)}
	for _, t := range triggers {
		set.triggerID[t.Ref] = t.ID
	}
	for r, err := range rules {
		if err != nil {
			return nil, err
		}
		if r.TriggerID != set.triggerID[r.TriggerRef] {
			continue // which is another one by now, or gone
		}
		compiled, err := rule.Compile(&r.Rule)
		if err != nil && r.EndedRuleset != 0 {
			continue // by what the language is now
		}
		if err != nil {
			a.find(2, "rule "+r.Ref, "does not compile, and so matches nothing: apply its pack again: %v", err)
			continue
		}
		set.byTrigger[r.TriggerRef] = append(set.byTrigger[r.TriggerRef], version{compiled, r.EndedRuleset})
	}
	return set, nil
}

// match checks an event's enforcements and held matches against the rules as they were when it was matched, whether or not they
// are there yet.
func (a *auditor) match(ctx context.Context, e *store.AuditEvent, rules *ruleset, subject string) error {
	for i := 1; i < len(e.RuleRefs); i++ {
		if e.RuleRefs[i] == e.RuleRefs[i-1] {
			a.find(2, subject, "has two enforcements of rule %s", e.RuleRefs[i])
		}
	}
	if e.Ruleset == nil {
		a.unmatched(e, subject)
		return nil
	}
	if e.TriggerID == nil || *e.TriggerID != rules.triggerID[e.TriggerRef] {
		return nil // the trigger is another one by now, and its count of rulesets began anew
	}
	var doc *rule.Document
	for _, compiled := range rules.byTrigger[e.TriggerRef] {
		r := compiled.Rule
		if !compiled.at(*e.Ruleset) {
			continue
		}
		if doc == nil {
			var err error
			if doc, err = rules.reader.Read(&e.Event); err != nil {
				a.find(2, subject, "cannot be read: %v", err)
				return nil
			}
		}
		matches, err := compiled.Match(ctx, doc)
		if err != nil {
			return err
		}
		a.report.Evaluations++
		enforced, shadowed := slices.Contains(e.RuleRefs, r.Ref), slices.Contains(e.ShadowRefs, r.Ref)
		held := slices.Contains(e.HeldRefs, r.Ref)
		if d, _ := compiled.Correlation(); d != nil && !r.Shadow {
			a.matchPart(r, matches && r.InForce(), held, shadowed, subject)
			continue
		}
		switch matches = matches && r.InForce(); {
		case enforced && r.Shadow:
			a.find(2, subject, "has an enforcement of rule %s, which is a shadow", r.Ref)
		case shadowed && !(matches && r.Shadow):
			a.find(2, subject, "is recorded as a match of the shadow rule %s, which it is not", r.Ref)
		case matches && r.Shadow && !shadowed:
			a.find(2, subject, "matches the shadow rule %s, but that is not recorded", r.Ref)
		case held && !(matches && r.Groups() && !r.Shadow):
			a.find(2, subject, "is held back as a match of rule %s, which does not hold it back", r.Ref)
		case held && enforced:
			a.find(2, subject, "has an enforcement of rule %s, and is held back by it, too", r.Ref)
		case matches && (r.Shadow || held):
		case matches && !enforced:
			a.find(2, subject, "matches rule %s, but has no enforcement of it", r.Ref)
		case !matches && enforced && !r.Enabled:
			a.find(2, subject, "has an enforcement of rule %s, which was disabled", r.Ref)
		case !matches && enforced && r.Tripped != nil:
			a.find(2, subject, "has an enforcement of rule %s, which was tripped", r.Ref)
		case !matches && enforced:
			a.find(2, subject, "has an enforcement of rule %s, which it does not match", r.Ref)
		}
	}
	return nil
}

// matchPart checks the match of a part of a correlation: it is held for a group. The enforcement is of the group, see correlations.
func (a *auditor) matchPart(r *sensor.Rule, matches, held, shadowed bool, subject string) {
	switch {
	case shadowed:
		a.find(2, subject, "is recorded as a match of the shadow rule %s, which it is not", r.Ref)
	case matches && !held:
		a.find(2, subject, "matches rule %s, but is not held for a group of it", r.Ref)
	case held && !matches:
		a.find(2, subject, "is held for a group of rule %s, which it does not match", r.Ref)
	}
}

// unmatched checks an event whose batch does not say by which rules of its trigger it was matched.
func (a *auditor) unmatched(e *store.AuditEvent, subject string) {
	switch {
	case e.BatchStatus == sensor.BatchMatched || e.BatchStatus == sensor.BatchDone:
		a.find(2, subject, "is in a batch that is %s, but that does not say by which rules of trigger %s", e.BatchStatus, e.TriggerRef)
	case len(e.RuleRefs) > 0:
		a.find(2, subject, "has %d enforcements, but its batch is not matched yet", len(e.RuleRefs))
	}
}
