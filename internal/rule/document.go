package rule

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"

	"github.com/attune-automation/sensors/internal/condition"
	"github.com/attune-automation/sensors/internal/expression"
	"github.com/attune-automation/sensors/internal/sensor"
)

// Document is an event as rules see it. It belongs to one goroutine: what is decoded for one rule is kept for the next.
type Document struct {
	// Values are what fields of conditions begin at.
	Values condition.Document
	// At is when the event happened, which decides whether a rule is valid and active.
	At time.Time

	input *expression.Input // nil: no expression asked for it yet
}

// NewDocument returns the document of an event whose parts are these values, and of which it is not known when it
// happened.
func NewDocument(values condition.Document) *Document { return &Document{Values: values} }

func (d *Document) expressions() *expression.Input {
	if d.input == nil {
		d.input = expression.NewInput(&d.Values)
	}
	return d.input
}

// roots are the parts of a document besides the payload.
var roots = []condition.Root{condition.Config, condition.Event, condition.Trigger, condition.Sensor}

// Needs are the parts of an event, besides the payload, that some rule looks at.
type Needs map[condition.Root]bool

// NeedsOf returns what these rules look at.
func NeedsOf(rules []*Compiled) Needs {
	needs := Needs{}
	for _, r := range rules {
		needs.Add(r)
	}
	return needs
}

// Add counts in what a rule looks at.
func (n Needs) Add(r *Compiled) {
	for _, root := range roots {
		if r.Uses(root) {
			n[root] = true
		}
	}
}

// Reader makes documents of events: the one way in which an event is read, by whoever evaluates a rule on it. It belongs
// to one goroutine.
type Reader struct {
	needs  Needs
	origin origin // of the last event: those of a batch mostly share it
}

// NewReader returns a Reader that decodes what is needed and no more; nil: everything.
func NewReader(needs Needs) *Reader { return &Reader{needs: needs} }

func (r *Reader) need(root condition.Root) bool { return r.needs == nil || r.needs[root] }

// Read decodes an event.
func (r *Reader) Read(e *sensor.Event) (*Document, error) {
	doc := &Document{At: e.At()}
	var err error
	if doc.Values[condition.Payload], err = condition.Decode(e.Payload); err != nil {
		return nil, fmt.Errorf("payload: %w", err)
	}
	if r.need(condition.Event) {
		if doc.Values[condition.Event], err = eventValue(e); err != nil {
			return nil, err
		}
	}
	if r.need(condition.Config) || r.need(condition.Trigger) || r.need(condition.Sensor) {
		if !bytes.Equal(r.origin.raw, e.Config) {
			if r.origin, err = decodeOrigin(e.Config); err != nil {
				return nil, fmt.Errorf("config: %w", err)
			}
		}
		o := &r.origin
		doc.Values[condition.Config], doc.Values[condition.Trigger], doc.Values[condition.Sensor] = o.config, o.trigger, o.sensor
	}
	return doc, nil
}

// origin is an event's decoded config.
type origin struct {
	raw                     []byte
	config, trigger, sensor condition.Value
}

func decodeOrigin(config []byte) (origin, error) {
	var parts struct {
		Trigger json.RawMessage `json:"trigger"`
		Sensor  json.RawMessage `json:"sensor"`
	}
	if err := json.Unmarshal(config, &parts); err != nil {
		return origin{}, err
	}
	o := origin{raw: config}
	for _, part := range []struct {
		raw  []byte
		into *condition.Value
	}{{config, &o.config}, {parts.Trigger, &o.trigger}, {parts.Sensor, &o.sensor}} {
		if len(part.raw) == 0 {
			continue
		}
		var err error
		if *part.into, err = condition.Decode(part.raw); err != nil {
			return origin{}, err
		}
	}
	return o, nil
}

// eventValue is the event's row as conditions see it.
func eventValue(e *sensor.Event) (condition.Value, error) {
	row := struct {
		ID         int64  `json:"id"`
		TriggerRef string `json:"trigger_ref"`
		SourceRef  string `json:"source_ref,omitempty"`
		OccurredAt string `json:"occurred_at,omitempty"`
		Created    string `json:"created"`
	}{ID: e.ID, TriggerRef: e.TriggerRef, SourceRef: e.SensorRef, Created: timeText(e.Created)}
	if e.OccurredAt != nil {
		row.OccurredAt = timeText(*e.OccurredAt)
	}
	raw, err := json.Marshal(row)
	if err != nil {
		return condition.Value{}, err
	}
	return condition.Decode(raw)
}

// timeText writes a time as conditions see it, which is all that PostgreSQL keeps of it.
func timeText(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.999999Z07:00") }
