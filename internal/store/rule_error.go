package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/attune-automation/sensors/internal/sensor"
)

// errorsPeriod is what errors of rules are counted by: a count since some moment is exact but for that much.
const errorsPeriod = 5 * time.Minute

// countRuleErrors adds to the errors of rules. The rows are written in the order of the rules, as the last ones of their
// transaction but for the batch: so no two transactions wait for each other.
func countRuleErrors(ctx context.Context, tx pgx.Tx, errors []sensor.RuleErrors) error {
	if len(errors) == 0 {
		return nil
	}
	refs, reasons := make([]string, len(errors)), make([]string, len(errors))
	versions, counts, events := make([]int64, len(errors)), make([]int64, len(errors)), make([]int64, len(errors))
	for i, e := range errors {
		refs[i], versions[i], counts[i], events[i], reasons[i] = e.Rule.Ref, e.Rule.Version, e.Count, e.LastEvent, e.LastReason
	}
	_, err := tx.Exec(ctx, `
		insert into attune.rule_error as e (rule_ref, since, rule_version, errors, last_event, last_reason, last_at)
		select ref, date_bin(@period, now(), 'epoch'), version, errors, event, left(reason, 600), now()
		from unnest(@refs::text[], @versions::bigint[], @counts::bigint[], @events::bigint[], @reasons::text[])
			as n (ref, version, errors, event, reason)
		order by ref
		on conflict (rule_ref, since) do update set rule_version = excluded.rule_version, errors = e.errors + excluded.errors,
			last_event = excluded.last_event, last_reason = excluded.last_reason, last_at = greatest(e.last_at, excluded.last_at)`,
		pgx.NamedArgs{"period": errorsPeriod, "refs": refs, "versions": versions, "counts": counts, "events": events, "reasons": reasons})
	if err != nil {
		return fmt.Errorf("counting the errors of rules: %w", err)
	}
	return nil
}

// RuleError is the last error of a rule.
type RuleError struct {
	At      time.Time // when the batch of the event was matched
	Event   int64
	Version int64 // of the rule
	Reason  string
}

// LastRuleError returns the last error of a rule; nil: none is on record.
func (s *Store) LastRuleError(ctx context.Context, ref string) (*RuleError, error) {
	rows, err := list[RuleError](ctx, s.pool, `
		select last_at as at, last_event as event, rule_version as version, last_reason as reason
		from attune.rule_error where rule_ref = @ref order by since desc limit 1`, pgx.NamedArgs{"ref": ref})
	if err != nil {
		return nil, fmt.Errorf("reading the last error of rule %q: %w", ref, err)
	}
	if len(rows) == 0 {
		return nil, nil
	}
	return &rows[0], nil
}
