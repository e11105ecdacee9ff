package store

import (
	"context"
	"time"

	"github.com/attune-automation/sensors/internal/sensor"
)

// EnforcementFilter selects enforcements. Zero fields select everything.
type EnforcementFilter struct {
	RuleRef    string
	TriggerRef string
	EventID    int64
	Status     string
	Since      time.Time // written at or after
	BeforeID   int64     // IDs below it: the next page
	AfterID    int64     // IDs above it
	Limit      int       // 0: 100
}

// CommitEnforcements writes an enforcement for every match of a generated batch, all or nothing, and records the
// ruleset that was matched against. A batch that is already matched is left as it is. Either way the batch's
// enforcements are returned, ordered by ID.
func (s *Store) CommitEnforcements(
	ctx context.Context, batchID, ruleset int64, matches []sensor.Match,
) ([]sensor.Enforcement, error) {
	panic("soon")
}

// EnforcementsOfBatch returns the enforcements of a batch's events, ordered by ID.
func (s *Store) EnforcementsOfBatch(ctx context.Context, batchID int64) ([]sensor.Enforcement, error) {
	panic("soon")
}

// Enforcement returns one enforcement.
func (s *Store) Enforcement(ctx context.Context, id int64) (sensor.Enforcement, error) {
	panic("soon")
}

// Enforcements returns the newest enforcements that the filter selects, newest first.
func (s *Store) Enforcements(ctx context.Context, f EnforcementFilter) ([]sensor.Enforcement, error) {
	panic("soon")
}
