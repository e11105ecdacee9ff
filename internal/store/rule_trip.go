package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// TripRule takes a rule out of evaluation because of what that takes, until its definition changes or ResetRule. It is a
// change of the trigger's rules like any other, with a version of its own. False: the rule is not in force in that version
// any more.
func (s *Store) TripRule(ctx context.Context, ref string, version int64, reason string) (bool, error) {
	changed, err := s.changeTrip(ctx, `tripped = now(), trip_reason = @reason`,
		`r.version = @version and r.enabled and r.tripped is null`,
		pgx.NamedArgs{"ref": ref, "refs": []string{ref}, "version": version, "reason": reason})
	if err != nil {
		return false, fmt.Errorf("tripping rule %q: %w", ref, err)
	}
	return changed, nil
}

// ResetRule has a rule evaluated again that is tripped. False: it is not tripped.
func (s *Store) ResetRule(ctx context.Context, ref string) (bool, error) {
	changed, err := s.changeTrip(ctx, `tripped = null, trip_reason = ''`, `r.tripped is not null`,
		pgx.NamedArgs{"ref": ref, "refs": []string{ref}})
	if err != nil {
		return false, fmt.Errorf("resetting rule %q: %w", ref, err)
	}
	return changed, nil
}

// TrippedCounts returns how many rules are tripped, by the ref of their trigger.
func (s *Store) TrippedCounts(ctx context.Context) (map[string]int64, error) {
	type row struct {
		TriggerRef string
		Count      int64
	}
	rows, err := list[row](ctx, s.pool, `
		select trigger_ref, count(*) from attune.rule where tripped is not null group by trigger_ref`, nil)
	if err != nil {
		return nil, fmt.Errorf("counting tripped rules: %w", err)
	}
	counts := make(map[string]int64, len(rows))
	for _, r := range rows {
		counts[r.TriggerRef] = r.Count
	}
	return counts, nil
}

var errUnchanged = errors.New("nothing to change")

// changeTrip changes a rule if it is still as expected. As in an apply, the trigger comes first: who waits for its row sees
// the rule as it is thereafter.
func (s *Store) changeTrip(ctx context.Context, change, expected string, args pgx.NamedArgs) (bool, error) {
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, `
			update attune.trigger t set ruleset = ruleset + 1
			where t.id = (select r.trigger from attune.rule r where r.ref = @ref and `+expected+`)`, args)
		if err != nil {
			return err
		}
		if tag.RowsAffected() == 0 {
			return errUnchanged
		}
		tag, err = tx.Exec(ctx, `
			with ended as (`+endVersions+`), written as (
				update attune.rule r set `+change+`, ruleset = t.ruleset,
					version = 1 + (select max(v.version) from attune.rule_version v where v.rule_ref = @ref)
				from attune.trigger t
				where r.ref = @ref and `+expected+` and t.id = r.trigger
				returning r.*
			)
			insert into attune.rule_version (rule_ref, version, trigger_ref, ruleset, definition)
			select ref, version, trigger_ref, ruleset, to_jsonb(written) from written`, args)
		if err == nil && tag.RowsAffected() == 0 {
			return errUnchanged
		}
		return err
	})
	if errors.Is(err, errUnchanged) {
		return false, nil
	}
	return err == nil, err
}
