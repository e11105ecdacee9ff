package store

import (
	"context"
	"time"

	"github.com/attune-automation/sensors/internal/sensor"
)

// EventFilter selects events. Zero fields select everything.
type EventFilter struct {
	TriggerRef string
	SensorRef  string
	Since      time.Time // written at or after
	BeforeID   int64     // IDs below it: the next page
	AfterID    int64     // IDs above it
	Limit      int       // 0: 100
}

// RejectedFilter selects rejected payloads. Zero fields select everything.
type RejectedFilter struct {
	TriggerRef string
	SensorRef  string
	Since      time.Time // refused at or after
	BeforeID   int64     // IDs below it: the next page
	AfterID    int64     // IDs above it
	Limit      int       // 0: 100
}

// RejectedEvent is a payload that could not become an event, as stored.
type RejectedEvent struct {
	ID         int64
	BatchID    int64
	Position   int // in its batch, from 0
	TriggerRef string
	SensorRef  string // empty: a system event
	Raw        []byte
	Reason     string
	Created    time.Time
}

// CommitEvents turns a batch's payloads into event rows and rejected payloads and moves the sensor's cursor, all or
// nothing. Every position of the batch must be in one of the two lists. What PostgreSQL itself refuses among events is
// added to the rejected. Event IDs grow with the position. The events are returned as PostgreSQL holds them, in order.
// A batch that is already generated is left as it is and its events are returned.
func (s *Store) CommitEvents(
	ctx context.Context, b sensor.Batch, events []sensor.NewEvent, rejected []sensor.Rejection,
) ([]sensor.Event, error) {
	panic("soon")
}

// EventsOfBatch returns the events of a batch in poll order.
func (s *Store) EventsOfBatch(ctx context.Context, batchID int64) ([]sensor.Event, error) {
	panic("soon")
}

// Event returns one event.
func (s *Store) Event(ctx context.Context, id int64) (sensor.Event, error) { panic("soon") }

// Events returns the newest events that the filter selects, newest first.
func (s *Store) Events(ctx context.Context, f EventFilter) ([]sensor.Event, error) { panic("soon") }

// Rejected returns the newest rejected payloads that the filter selects, newest first.
func (s *Store) Rejected(ctx context.Context, f RejectedFilter) ([]RejectedEvent, error) {
	panic("soon")
}
