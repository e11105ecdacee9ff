package store

import (
	"context"
	"time"

	"github.com/attune-automation/sensors/internal/sensor"
)

// Batch returns a batch with its payloads, which are nil once it is done.
func (s *Store) Batch(ctx context.Context, id int64) (sensor.Batch, error) { panic("soon") }

// FinishBatch records that the broker has confirmed every message of a matched batch, and drops its payloads, which
// are rows by now. A done batch stays as it is.
func (s *Store) FinishBatch(ctx context.Context, id int64) error { panic("soon") }

// StoreSystemEvent stores an event that no sensor saw as a batch of one and returns its ID. The trigger must exist
// (sensor.ErrNotFound) and be enabled (sensor.ErrDisabled). A dedupe key that was used before returns its first batch.
func (s *Store) StoreSystemEvent(ctx context.Context, e sensor.SystemEvent) (batchID int64, err error) {
	panic("soon")
}

// OrphanSystemBatches returns the oldest unfinished batches of system events that were stored longer ago than
// olderThan: whoever stored them has given up on them. At most limit are returned.
func (s *Store) OrphanSystemBatches(ctx context.Context, olderThan time.Duration, limit int) ([]int64, error) {
	panic("soon")
}
