package store

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/attune-automation/sensors/internal/sensor"
)

const triggerSelect = `
	select t.id, t.ref, p.ref as pack_ref, t.label, t.description, t.enabled, t.param_schema, t.out_schema, t.ruleset
	from attune.trigger t join attune.pack p on p.id = t.pack`

// Trigger returns one trigger.
func (s *Store) Trigger(ctx context.Context, ref string) (sensor.Trigger, error) {
	trigger, err := loadTrigger(ctx, s.pool, ref)
	if err != nil {
		return sensor.Trigger{}, fmt.Errorf("loading trigger %q: %w", ref, err)
	}
	return trigger, nil
}

// Triggers returns all triggers, by ref.
func (s *Store) Triggers(ctx context.Context) ([]sensor.Trigger, error) {
	triggers, err := list[sensor.Trigger](ctx, s.pool, triggerSelect+` order by t.ref`, nil)
	if err != nil {
		return nil, fmt.Errorf("listing triggers: %w", err)
	}
	return triggers, nil
}

func loadTrigger(ctx context.Context, q querier, ref string) (sensor.Trigger, error) {
	return one[sensor.Trigger](ctx, q, triggerSelect+` where t.ref = @ref`, pgx.NamedArgs{"ref": ref})
}
