package pack

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/attune-automation/sensors/internal/condition"
	"github.com/attune-automation/sensors/internal/correlation"
	"github.com/attune-automation/sensors/internal/expression"
	"github.com/attune-automation/sensors/internal/rule"
	"github.com/attune-automation/sensors/internal/sensor"
)

// checkOrder checks the parameters of a correlation's action, for the event that its enforcement is of.
func (l *loader) checkOrder(s section, whole sensor.Rule, d *correlation.Definition, parts []part) {
	r := whole
	schemas, all := l.partSchemas(d, parts)
	if all == nil {
		return
	}
	var t *trigger
	payload := expression.Either(all...)
	if i := d.Subject(); i >= 0 {
		p := parts[i].rule
		t, payload = l.triggers[p.TriggerRef], schemas[d.Parts[i].Name]
		r.TriggerRef, r.Condition, r.Conditions, r.CEL = p.TriggerRef, p.Condition, p.Conditions, p.CEL
	} else { // the event may be of any part
		r.Conditions, r.CEL = json.RawMessage("[]"), ""
	}
	compiled, err := rule.Compile(&r)
	if err != nil {
		s.invalid(onlyParams(err), s.doc.report)
		return
	}
	wrong, odd := compiled.Check(payload.WithParts(schemas).From(l.lastSource(d)))
	if wrong != nil && len(wrong.Params) > 0 {
		s.invalid(onlyParams(wrong), s.doc.report)
		return
	}
	if odd != nil {
		s.invalid(onlyParams(odd), l.warnAbout(s))
	}
	if t == nil {
		return
	}
	if events := l.sampleEvents(d, parts); events != nil {
		l.tryOrder(s, compiled, events, t.samples)
	}
}

// partSchemas are what is known of the payloads that a correlation's parts match, by name and as a list; nil if a trigger is not known.
func (l *loader) partSchemas(d *correlation.Definition, parts []part) (byName map[string]*expression.Schema, all []*expression.Schema) {
	byName = map[string]*expression.Schema{}
	for i, p := range d.Parts[:d.Required()] {
		t := l.triggers[p.Trigger]
		if t == nil {
			return nil, nil
		}
		byName[p.Name] = cmp.Or(t.out, expression.NewSchema(nil))
		if compiled, err := rule.Compile(&parts[i].rule); err == nil { // else it is reported elsewhere
			byName[p.Name] = compiled.Matched(byName[p.Name])
		}
		all = append(all, byName[p.Name])
	}
	return byName, all
}

// sampleEvents returns an event of each part that comes, from the samples of its trigger that it matches; nil if one has
// none, so that nobody knows what there would be.
func (l *loader) sampleEvents(d *correlation.Definition, parts []part) (events []sensor.GroupEvent) {
	for i, p := range parts[:d.Subject()+1] {
		t := l.triggers[p.rule.TriggerRef]
		compiled, err := rule.Compile(&p.rule)
		if t == nil || err != nil {
			return nil
		}
		at := slices.IndexFunc(t.samples, func(sample sample) bool {
			doc, err := sampleDocument(&p.rule, sample.payload)
			if err != nil {
				return false
			}
			matched, err := compiled.Match(context.Background(), doc)
			return matched && err == nil
		})
		if at < 0 {
			return nil
		}
		events = append(events, sensor.GroupEvent{
			ID: int64(i + 1), TriggerRef: p.rule.TriggerRef, Part: d.Parts[i].Name, Payload: t.samples[at].payload,
		})
	}
	return events
}

// tryOrder renders the parameters of a correlation's action for each sample that completes it.
func (l *loader) tryOrder(s section, compiled *rule.Compiled, events []sensor.GroupEvent, samples []sample) {
	if compiled.Uses(condition.Sensor) || compiled.Uses(condition.Config) {
		return // a payload says nothing of the sensor that it will come from
	}
	ctx := context.Background()
	for _, sample := range samples {
		doc, err := sampleDocument(compiled.Rule, sample.payload)
		if err != nil {
			continue
		}
		if matched, err := compiled.Match(ctx, doc); !matched || err != nil {
			continue
		}
		events[len(events)-1].Payload = sample.payload
		group, err := json.Marshal(sensor.NewGroup(1, "{}", len(events), time.Time{}, events))
		if err != nil {
			continue
		}
		_, reason, err := compiled.GroupParams(ctx, doc, group)
		if err == nil && reason != "" {
			s.reportAt([]string{"action", "params"}, "fails on %s, which part %s matches: %s", sample.source, events[len(events)-1].Part, reason)
			return
		}
	}
}

// onlyParams leaves out what is wrong with a part's conditions, which is reported where they are.
func onlyParams(err error) error {
	if invalid, ok := errors.AsType[*rule.Invalid](err); ok {
		return &rule.Invalid{Params: invalid.Params}
	}
	return err
}
