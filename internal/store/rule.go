package store

import (
	"context"

	"github.com/attune-automation/sensors/internal/sensor"
)

// RuleFilter selects rules. Zero fields select everything.
type RuleFilter struct {
	TriggerRef string
	PackRef    string
}

// RulesetVersion returns the trigger's count of changes of its rules; sensor.ErrNotFound once the trigger is gone.
func (s *Store) RulesetVersion(ctx context.Context, triggerRef string) (int64, error) {
	panic("soon")
}

// Ruleset returns the trigger's enabled rules, by ref, with the version that they are.
func (s *Store) Ruleset(ctx context.Context, triggerRef string) (sensor.Ruleset, error) {
	panic("soon")
}

// Rule returns one rule.
func (s *Store) Rule(ctx context.Context, ref string) (sensor.Rule, error) { panic("soon") }

// Rules returns the rules that the filter selects, by ref.
func (s *Store) Rules(ctx context.Context, f RuleFilter) ([]sensor.Rule, error) { panic("soon") }

// Trigger returns one trigger.
func (s *Store) Trigger(ctx context.Context, ref string) (sensor.Trigger, error) { panic("soon") }

// Triggers returns all triggers, by ref.
func (s *Store) Triggers(ctx context.Context) ([]sensor.Trigger, error) { panic("soon") }
