package store

import (
	"context"

	"github.com/attune-automation/sensors/internal/sensor"
)

// Sensor returns one sensor.
func (s *Store) Sensor(ctx context.Context, ref string) (sensor.Sensor, error) { panic("soon") }

// Sensors returns all sensors, by ref.
func (s *Store) Sensors(ctx context.Context) ([]sensor.Sensor, error) { panic("soon") }

// PackArchive returns the files of a pack, a gzipped tar, by the SHA-256 of that in hex.
func (s *Store) PackArchive(ctx context.Context, digest string) ([]byte, error) { panic("soon") }
