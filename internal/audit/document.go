package audit

import (
	"encoding/json"
	"fmt"

	"github.com/attune-automation/sensors/internal/condition"
	"github.com/attune-automation/sensors/internal/sensor"
)

// Document is an event as conditions see it. It is written anew here, rather than taken from the step that matches, so
// that a mistake there is found.
func Document(e *sensor.Event) (condition.Document, error) {
	var doc condition.Document
	var config struct {
		Trigger json.RawMessage `json:"trigger"`
		Sensor  json.RawMessage `json:"sensor"`
	}
	if err := json.Unmarshal(e.Config, &config); err != nil {
		return doc, fmt.Errorf("config: %w", err)
	}
	event := map[string]any{
		"id": e.ID, "trigger_ref": e.TriggerRef, "created": e.Created.UTC().Format("2006-01-02T15:04:05.999999Z07:00"),
	}
	if e.SensorRef != "" {
		event["source_ref"] = e.SensorRef
	}
	if e.OccurredAt != nil {
		event["occurred_at"] = e.OccurredAt.UTC().Format("2006-01-02T15:04:05.999999Z07:00")
	}
	row, err := json.Marshal(event)
	if err != nil {
		return doc, err
	}
	for root, raw := range map[condition.Root]json.RawMessage{
		condition.Payload: e.Payload,
		condition.Config:  e.Config,
		condition.Event:   row,
		condition.Trigger: config.Trigger,
		condition.Sensor:  config.Sensor,
	} {
		if len(raw) == 0 {
			continue
		}
		if doc[root], err = condition.Decode(raw); err != nil {
			return doc, fmt.Errorf("%s: %w", root, err)
		}
	}
	return doc, nil
}
