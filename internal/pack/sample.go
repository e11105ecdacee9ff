package pack

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"github.com/attune-automation/sensors/internal/condition"
	"github.com/attune-automation/sensors/internal/expression"
	"github.com/attune-automation/sensors/internal/fixture"
	"github.com/attune-automation/sensors/internal/rule"
	"github.com/attune-automation/sensors/internal/schema"
	"github.com/attune-automation/sensors/internal/sensor"
)

// maxSamples is how many payloads of a trigger rules are tried on.
const maxSamples = 50

// A sample is a payload that a trigger may have, from the examples of its schema or from a fixture.
type sample struct {
	payload json.RawMessage
	source  string // such as tests/git.json, events[2]
}

// payloads notes what an out_schema says of payloads.
func (t *trigger) payloads(outSchema json.RawMessage, file string) {
	if len(outSchema) == 0 {
		return
	}
	t.out = expression.NewSchema(outSchema)
	var parts struct {
		Examples []json.RawMessage `json:"examples"`
	}
	if json.Unmarshal(outSchema, &parts) != nil {
		return
	}
	for i, example := range parts.Examples {
		source := fmt.Sprintf("out_schema.examples[%d]", i)
		if file != "" {
			source += " of " + file
		}
		t.add(sample{example, source})
	}
}

func (t *trigger) add(s sample) {
	if len(t.samples) < maxSamples && schema.CheckPayload(s.payload) == nil {
		t.samples = append(t.samples, s)
	}
}

// readSamples takes the payloads of the pack's fixtures, but for those that leave something open. What is no fixture is
// not for this to say.
func (l *loader) readSamples() {
	files, err := fs.Glob(l.tree.fsys, path.Join(testFolder, "*.json"))
	if err != nil {
		return
	}
	for _, file := range files {
		text, err := fs.ReadFile(l.tree.fsys, file)
		if err != nil {
			continue
		}
		f, err := fixture.Parse(text)
		if err != nil {
			continue
		}
		for i, e := range f.Events {
			t := l.triggers[l.triggerOf(f, e)]
			if t != nil && !strings.Contains(string(e.Payload), fixture.Any) {
				t.add(sample{e.Payload, fmt.Sprintf("%s, events[%d]", file, i)})
			}
		}
	}
}

// triggerOf returns the ref of the trigger that an event of a fixture is of.
func (l *loader) triggerOf(f fixture.Fixture, e fixture.Event) string {
	if e.Trigger != "" {
		return e.Trigger
	}
	for _, s := range l.pack.Sensors {
		if s.Ref == f.Sensor {
			return s.TriggerRef
		}
	}
	return ""
}

// trySamples evaluates a rule on payloads. Parameters that cannot be rendered for one that the rule matches are a
// problem; an expression without a result is a warning, because it counts as false.
func (l *loader) trySamples(s section, compiled *rule.Compiled, samples []sample) {
	if compiled.Uses(condition.Sensor) || compiled.Uses(condition.Config) {
		return // a payload says nothing of the sensor that it will come from
	}
	ctx := context.Background()
	for _, sample := range samples {
		doc, err := sampleDocument(compiled.Rule, sample.payload)
		if err != nil {
			continue
		}
		_, reason, err := compiled.Params(ctx, doc)
		if err != nil {
			continue
		}
		explanation, err := compiled.Explain(ctx, doc)
		if err != nil {
			continue
		}
		if explanation.Matched && reason != "" {
			s.reportAt([]string{"action", "params"}, "fails on %s, which the rule matches: %s", sample.source, reason)
			return
		}
		if cel := explanation.CEL; cel != nil && cel.Failed {
			path := append(s.path[:len(s.path):len(s.path)], "cel")
			l.warnAbout(s)(s.doc.line(path), path, "has no result for %s, and so is false: %s", sample.source, cel.Reason)
			return
		}
	}
}

// sampleDocument is an event with this payload as rules see it.
func sampleDocument(r *sensor.Rule, payload json.RawMessage) (*rule.Document, error) {
	trigger := map[string]any{"ref": r.TriggerRef, "label": r.TriggerRef}
	const moment = "2026-01-31T08:00:00Z"
	parts := map[condition.Root]any{
		condition.Payload: payload,
		condition.Event:   map[string]any{"id": 1, "trigger_ref": r.TriggerRef, "source_ref": "sample.sensor", "created": moment, "occurred_at": moment},
		condition.Trigger: trigger,
	}
	var values condition.Document
	for root, part := range parts {
		text, err := json.Marshal(part)
		if err != nil {
			return nil, err
		}
		if values[root], err = condition.Decode(text); err != nil {
			return nil, err
		}
	}
	return rule.NewDocument(values), nil
}
