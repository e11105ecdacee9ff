package activities

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/attune-automation/sensors/internal/sensor"
)

// SensorStore is what LoadSensor and SetCursor need of the store.
type SensorStore interface {
	// Sensor returns a definition; sensor.ErrNotFound when there is none.
	Sensor(ctx context.Context, ref string) (sensor.Sensor, error)
	// SetCursor replaces a cursor; sensor.ErrBatchInHand while a batch is unfinished.
	SetCursor(ctx context.Context, sensorRef string, cursor json.RawMessage) error
}

// Keeper reads a sensor's definition and edits its cursor.
type Keeper struct {
	Store    SensorStore
	Settings sensor.Settings
}

// LoadResult is a sensor's definition as its workflow needs it.
type LoadResult struct {
	Spec        sensor.Spec `json:"spec"`
	Fingerprint string      `json:"fingerprint"`        // of the spec
	Inactive    string      `json:"inactive,omitempty"` // why the sensor should not run; empty: it should
}

// LoadSensor returns the sensor's definition with the worker's defaults applied.
func (k *Keeper) LoadSensor(ctx context.Context, ref string) (LoadResult, error) {
	s, err := k.Store.Sensor(ctx, ref)
	if errors.Is(err, sensor.ErrNotFound) {
		return LoadResult{Spec: sensor.Sensor{Ref: ref}.Spec(k.Settings), Inactive: inactiveRemoved}, nil
	}
	if err != nil {
		return LoadResult{}, err
	}
	spec := s.Spec(k.Settings)
	return LoadResult{Spec: spec, Fingerprint: spec.Fingerprint(), Inactive: inactive(s)}, nil
}

// CursorInput is an operator's edit of a sensor's cursor.
type CursorInput struct {
	SensorRef string          `json:"sensor_ref"`
	Cursor    json.RawMessage `json:"cursor"` // any JSON value; null: from the beginning
}

// SetCursor makes the next poll start from another cursor.
func (k *Keeper) SetCursor(ctx context.Context, in CursorInput) error {
	cursor := in.Cursor
	if string(cursor) == "null" {
		cursor = nil
	}
	return translate(k.Store.SetCursor(ctx, in.SensorRef, cursor))
}
