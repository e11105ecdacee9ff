package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

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

// RejectedFilter selects rejected payloads. Zero fields select everything.
type RejectedFilter struct {
	TriggerRef string
	SensorRef  string
	Since      time.Time // refused at or after
	BeforeID   int64     // IDs below it: the next page
	AfterID    int64     // IDs above it
	Limit      int       // 0: 100
}

// Rejected returns the newest rejected payloads that the filter selects, newest first.
func (s *Store) Rejected(ctx context.Context, f RejectedFilter) ([]RejectedEvent, error) {
	w := where{args: pgx.NamedArgs{}}
	w.equal("r.trigger_ref", "trigger_ref", f.TriggerRef)
	w.equal("r.source_ref", "source_ref", f.SensorRef)
	w.page("r", f.Since, f.BeforeID, f.AfterID)
	rejected, err := list[RejectedEvent](ctx, s.pool, `
		select r.id, r.batch as batch_id, r.position, r.trigger_ref, coalesce(r.source_ref, '') as sensor_ref, r.raw,
			r.reason, r.created
		from attune.rejected_event r`+w.newest("r", f.Limit), w.args)
	if err != nil {
		return nil, fmt.Errorf("listing rejected payloads: %w", err)
	}
	return rejected, nil
}

// FirstRejection returns why the first refused payload of a batch was refused, or nothing if none was.
func (s *Store) FirstRejection(ctx context.Context, batchID int64) (reason string, err error) {
	err = s.pool.QueryRow(ctx, `
		select coalesce((select reason from attune.rejected_event where batch = @batch order by position limit 1), '')`,
		pgx.NamedArgs{"batch": batchID}).Scan(&reason)
	if err != nil {
		return "", fmt.Errorf("reading why payloads of batch %d were refused: %w", batchID, err)
	}
	return reason, nil
}
