package sensor

import (
	"encoding/json"
	"fmt"
)

// Snapshot is what an event keeps of its origin in `config`: the trigger and the sensor as they were when it was
// seen. Secrets are references in a sensor's config, so none is in here.
type Snapshot struct {
	Trigger TriggerSnapshot `json:"trigger"`
	Sensor  *SensorSnapshot `json:"sensor"` // nil: a system event
}

// TriggerSnapshot is the trigger's part of a Snapshot.
type TriggerSnapshot struct {
	Ref   string `json:"ref"`
	Label string `json:"label"`
}

// SensorSnapshot is the sensor's part of a Snapshot.
type SensorSnapshot struct {
	Ref        string          `json:"ref"`
	Label      string          `json:"label"`
	Runtime    string          `json:"runtime"`
	Entrypoint string          `json:"entrypoint,omitempty"`
	Version    int64           `json:"version"`
	Config     json.RawMessage `json:"config"`
}

// TakeSnapshot returns the JSON of the snapshot; s is nil for a system event.
func TakeSnapshot(t Trigger, s *Sensor) (json.RawMessage, error) {
	snap := Snapshot{Trigger: TriggerSnapshot{Ref: t.Ref, Label: t.Label}}
	if s != nil {
		config := s.Config
		if len(config) == 0 {
			config = json.RawMessage("{}")
		}
		snap.Sensor = &SensorSnapshot{
			Ref: s.Ref, Label: s.Label, Runtime: s.Runtime, Entrypoint: s.Entrypoint, Version: s.Version, Config: config,
		}
	}
	b, err := json.Marshal(snap)
	if err != nil {
		return nil, fmt.Errorf("snapshot of trigger %q: %w", t.Ref, err)
	}
	return b, nil
}
