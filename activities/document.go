package activities

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"

	"github.com/attune-automation/sensors/internal/condition"
	"github.com/attune-automation/sensors/internal/sensor"
)

// origin is an event's decoded config, shared by the events of a batch that have the same trigger.
type origin struct {
	raw                     []byte
	config, trigger, sensor condition.Value
}

// document decodes what the rules look at.
func (c *compiledRules) document(e *sensor.Event, o *origin) (condition.Document, error) {
	var doc condition.Document
	var err error
	if doc[condition.Payload], err = condition.Decode(e.Payload); err != nil {
		return doc, fmt.Errorf("payload: %w", err)
	}
	if c.uses[condition.Event] {
		if doc[condition.Event], err = eventValue(e); err != nil {
			return doc, err
		}
	}
	if c.uses[condition.Config] || c.uses[condition.Trigger] || c.uses[condition.Sensor] {
		if !bytes.Equal(o.raw, e.Config) {
			if *o, err = decodeOrigin(e.Config); err != nil {
				return doc, fmt.Errorf("config: %w", err)
			}
		}
		doc[condition.Config], doc[condition.Trigger], doc[condition.Sensor] = o.config, o.trigger, o.sensor
	}
	return doc, nil
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
