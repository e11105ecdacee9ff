package activities

import (
	"context"

	"github.com/attune-automation/sensors/internal/sensor"
)

// SystemEventStore is what StoreSystemEvent needs of the store.
type SystemEventStore interface {
	// StoreSystemEvent stores a batch of one payload and returns its ID; the same dedupe key gets the same batch.
	StoreSystemEvent(ctx context.Context, e sensor.SystemEvent) (batchID int64, err error)
}

// Emitter stores events that no sensor saw.
type Emitter struct{ Store SystemEventStore }

// StoreSystemEvent stores the event's payload and returns the batch that GenerateEvents and MatchRules take over.
func (e *Emitter) StoreSystemEvent(ctx context.Context, event sensor.SystemEvent) (int64, error) {
	id, err := e.Store.StoreSystemEvent(ctx, event)
	return id, translate(err)
}
