package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/attune-automation/sensors/internal/sensor"
)

const enforcementSelect = `
	select n.id, n.rule as rule_id, n.rule_ref, n.rule_version, n.event as event_id, e.created as event_created, n.trigger_ref, n.config,
		n.payload, n.status, coalesce(n.reason, '') as reason, n.link, n.condition, n.conditions, n.cel, n.created, n.resolved_at,
		n.replay, n.replayed_from
	from attune.enforcement n join attune.event e on e.id = n.event`

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

// EnforcementsOfBatch returns the enforcements of a batch's events, ordered by ID, but for those of replays.
func (s *Store) EnforcementsOfBatch(ctx context.Context, batchID int64) ([]sensor.Enforcement, error) {
	enforcements, err := enforcementsOfBatch(ctx, s.pool, batchID)
	if err != nil {
		return nil, fmt.Errorf("loading the enforcements of batch %d: %w", batchID, err)
	}
	return enforcements, nil
}

// Enforcement returns one enforcement.
func (s *Store) Enforcement(ctx context.Context, id int64) (sensor.Enforcement, error) {
	enforcement, err := one[sensor.Enforcement](ctx, s.pool, enforcementSelect+` where n.id = @id`, pgx.NamedArgs{"id": id})
	if err != nil {
		return sensor.Enforcement{}, fmt.Errorf("loading enforcement %d: %w", id, err)
	}
	return enforcement, nil
}

// Enforcements returns the newest enforcements that the filter selects, newest first.
func (s *Store) Enforcements(ctx context.Context, f EnforcementFilter) ([]sensor.Enforcement, error) {
	w := where{args: pgx.NamedArgs{}}
	w.equal("n.rule_ref", "rule_ref", f.RuleRef)
	w.equal("n.trigger_ref", "trigger_ref", f.TriggerRef)
	w.equal("n.status", "status", f.Status)
	if f.EventID != 0 {
		w.add("n.event = @event", "event", f.EventID)
	}
	w.page("n", f.Since, f.BeforeID, f.AfterID)
	enforcements, err := list[sensor.Enforcement](ctx, s.pool, enforcementSelect+w.newest("n", f.Limit), w.args)
	if err != nil {
		return nil, fmt.Errorf("listing enforcements: %w", err)
	}
	return enforcements, nil
}

// enforcementsOfBatch reads each payload once, from its event, and shares it: many rules may match each event, and a
// batch's payloads times its rules may be more than fits into memory.
func enforcementsOfBatch(ctx context.Context, q querier, batchID int64) ([]sensor.Enforcement, error) {
	events, err := eventsOfBatch(ctx, q, batchID)
	if err != nil {
		return nil, err
	}
	byID := make(map[int64]*sensor.Event, len(events))
	for i := range events {
		byID[events[i].ID] = &events[i]
	}
	rows, err := q.Query(ctx, `
		select n.id, n.rule, n.rule_ref, n.rule_version, n.event, n.config, n.status, coalesce(n.reason, ''), n.condition,
			n.conditions, n.cel, n.created, n.resolved_at
		from attune.event e join attune.enforcement n on n.event = e.id
		where e.batch = @batch and n.replay is null
		order by n.id`, pgx.NamedArgs{"batch": batchID})
	if err != nil {
		return nil, err
	}
	var enforcements []sensor.Enforcement
	var n sensor.Enforcement
	_, err = pgx.ForEachRow(rows, []any{
		&n.ID, &n.RuleID, &n.RuleRef, &n.RuleVersion, &n.EventID, (*[]byte)(&n.Config), &n.Status, &n.Reason, &n.Condition,
		(*[]byte)(&n.Conditions), &n.CEL, &n.Created, &n.ResolvedAt,
	}, func() error {
		e := byID[n.EventID]
		n.TriggerRef, n.EventCreated, n.Payload = e.TriggerRef, e.Created, e.Payload
		enforcements = append(enforcements, n)
		return nil
	})
	return enforcements, err
}
