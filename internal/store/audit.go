package store

import (
	"context"
	"iter"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/attune-automation/sensors/internal/sensor"
)

// AuditView reads everything as it was at one moment, however much it is and whatever is written meanwhile. It has one
// connection: finish one iteration before the next begins. Each iteration streams, and its last pair carries the error
// if it failed.
type AuditView struct {
	tx pgx.Tx
}

// AuditBatch is a batch with what the tables say of it. It is sound when, for BatchStored, there are no rows and Seq is
// beyond CommittedSeq, and when, for every later status, Events + Rejected = Positions = Count, FirstPosition = 0,
// LastPosition = Count-1, and Seq is not beyond CommittedSeq.
type AuditBatch struct {
	ID            int64
	SensorRef     string // empty: a system event, which has no sequence
	TriggerRef    string
	Seq           int64
	CommittedSeq  int64 // of the sensor
	Status        sensor.BatchStatus
	Count         int
	Ruleset       *int64 // nil: not matched yet
	Events        int    // rows
	Rejected      int    // rows
	Positions     int    // distinct ones in both
	FirstPosition int    // -1: none
	LastPosition  int    // -1: none
	Created       time.Time
}

// AuditEvent is an event with its batch's state and the refs of the rules that have an enforcement for it.
type AuditEvent struct {
	sensor.Event
	Seq         int64
	BatchStatus sensor.BatchStatus
	Ruleset     *int64   // that it was matched against; nil: not yet
	RuleRefs    []string // sorted; a rule that is there twice is a fault
}

// AuditEnforcement is what a message of an enforcement is known by.
type AuditEnforcement struct {
	ID          int64
	RuleRef     string
	EventID     int64
	BatchStatus sensor.BatchStatus
	Created     time.Time
}

// Audit calls f with a view of the database at one moment.
func (s *Store) Audit(ctx context.Context, f func(v *AuditView) error) error { panic("soon") }

// Batches yields every batch, those of a sensor together and in order of Seq.
func (v *AuditView) Batches(ctx context.Context) iter.Seq2[AuditBatch, error] { panic("soon") }

// Events yields every event, those of a sensor together and in poll order: by batch's Seq, then Position. IDs must grow
// in this order within a sensor.
func (v *AuditView) Events(ctx context.Context) iter.Seq2[AuditEvent, error] { panic("soon") }

// Enforcements yields every enforcement, by ID.
func (v *AuditView) Enforcements(ctx context.Context) iter.Seq2[AuditEnforcement, error] {
	panic("soon")
}

// Rules yields every rule, by ref. Those with Enabled and Ruleset not beyond an event's are the ones that were matched
// against it and have not changed since.
func (v *AuditView) Rules(ctx context.Context) iter.Seq2[sensor.Rule, error] { panic("soon") }
