package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/attune-automation/sensors/internal/sensor"
)

// TripRule takes a rule out of evaluation because of what that takes, until its definition changes or ResetRule. It is a
// change of the trigger's rules like any other, with a version of its own. Of a correlation all parts are taken out, and
// its open groups are dropped: that something did not come cannot be said when nobody looks. False: the rule is not in force
// in that version any more.
func (s *Store) TripRule(ctx context.Context, ref string, version int64, reason string) (bool, error) {
	changed, err := s.changeTrip(ctx, trip{
		ref: ref, change: `tripped = now(), trip_reason = @reason`, from: inForce, expected: `r.version = @version`,
		args: pgx.NamedArgs{"version": version, "reason": reason}, drops: true,
	})
	if err != nil {
		return false, fmt.Errorf("tripping rule %q: %w", ref, err)
	}
	return changed, nil
}

// ResetRule has a rule evaluated again that is tripped, with all parts of its correlation. False: it is not tripped.
func (s *Store) ResetRule(ctx context.Context, ref string) (bool, error) {
	changed, err := s.changeTrip(ctx, trip{
		ref: ref, change: `tripped = null, trip_reason = ''`, from: `r.tripped is not null`, expected: `true`, args: pgx.NamedArgs{},
	})
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

// A trip is a change of a rule that is as expected, and of those that go with it.
type trip struct {
	ref            string
	change         string // of each of these rows of attune.rule
	from, expected string // what all of them are before, and the rule itself
	args           pgx.NamedArgs
	drops          bool // open groups of a correlation
}

// together are the rows of a correlation, or that of any other rule.
const together = `split_part(r.ref, '/', 1) = split_part(@ref, '/', 1)`

// changeTrip makes the change. As in an apply, the triggers come first: who waits for their rows sees the rules as they are
// thereafter.
func (s *Store) changeTrip(ctx context.Context, t trip) (bool, error) {
	t.args["ref"] = t.ref
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `
			update attune.trigger t set ruleset = ruleset + 1
			where t.id in (select r.trigger from attune.rule r where `+together+` and `+t.from+`)`, t.args); err != nil {
			return err
		}
		rows, err := tx.Query(ctx, `
			select r.ref from attune.rule r where `+together+` and `+t.from+`
				and exists (select from attune.rule r where r.ref = @ref and `+t.from+` and `+t.expected+`)
			order by r.ref`, t.args)
		if err != nil {
			return err
		}
		refs, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			return err
		}
		if len(refs) == 0 {
			return errUnchanged
		}
		t.args["refs"] = refs
		return t.write(ctx, tx)
	})
	if errors.Is(err, errUnchanged) {
		return false, nil
	}
	return err == nil, err
}

// write changes the rules, keeps what they were as versions, and drops what depended on their being evaluated.
func (t trip) write(ctx context.Context, tx pgx.Tx) error {
	if _, err := tx.Exec(ctx, `
		with ended as (`+endVersions+`), written as (
			update attune.rule r set `+t.change+`, ruleset = t.ruleset,
				version = 1 + (select max(v.version) from attune.rule_version v where v.rule_ref = r.ref)
			from attune.trigger t
			where r.ref = any(@refs) and t.id = r.trigger
			returning r.*
		)
		insert into attune.rule_version (rule_ref, version, trigger_ref, ruleset, definition)
		select ref, version, trigger_ref, ruleset, to_jsonb(written) from written`, t.args); err != nil || !t.drops {
		return err
	}
	_, err := tx.Exec(ctx, `
		update attune.match_group g set status = @dropped, reason = @why, closed = now()
		from attune.rule r
		where r.ref = any(@refs) and r.correlation is not null and r.tripped is not null
			and g.rule_ref = split_part(r.ref, '/', 1) and g.status = @open`,
		pgx.NamedArgs{"refs": t.args["refs"], "dropped": sensor.GroupDropped, "open": sensor.GroupOpen, "why": trippedReason})
	return err
}

// trippedReason is why a group of a correlation is dropped.
const trippedReason = "the rule has been tripped"
