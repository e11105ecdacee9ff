package store

import (
	"context"
	"encoding/json"

	"github.com/attune-automation/sensors/internal/sensor"
)

// Turn returns what a poll of the sensor starts from. At most maxPending unfinished batches are returned, the oldest;
// once they are done the next Turn has the rest.
func (s *Store) Turn(ctx context.Context, sensorRef string) (sensor.Turn, error) { panic("soon") }

// SavePoll stores what a poll brought as one batch or, when it is large, as several, in order, of which only the last
// carries the cursor. It returns sensor.ErrTurnLost and stores nothing if the sensor's state is no longer that of the
// turn. A poll that only moved the cursor stores no batch; one that did not even do that writes nothing.
// A cursor that PostgreSQL refuses is a *sensor.Fault of kind output.
func (s *Store) SavePoll(ctx context.Context, turn sensor.Turn, poll sensor.Poll) ([]sensor.BatchHead, error) {
	panic("soon")
}

// SetCursor sets what the sensor's next poll starts from; nil: from the beginning. It returns sensor.ErrNotFound for an
// unknown sensor, sensor.ErrBatchInHand while a batch is unfinished, and sensor.ErrRejectedPayload for a cursor that
// PostgreSQL refuses.
func (s *Store) SetCursor(ctx context.Context, sensorRef string, cursor json.RawMessage) error {
	panic("soon")
}

// Cursor returns the sensor's cursor, nil if it starts from the beginning, and the number of changes it has seen. The
// state of a sensor that is gone is still there.
func (s *Store) Cursor(ctx context.Context, sensorRef string) (cursor json.RawMessage, seq int64, err error) {
	panic("soon")
}

// SetStopped records that an operator stopped the sensor, or started it again.
func (s *Store) SetStopped(ctx context.Context, sensorRef string, stopped bool) error { panic("soon") }
