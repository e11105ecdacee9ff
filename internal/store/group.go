package store

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/attune-automation/sensors/internal/correlation"
	"github.com/attune-automation/sensors/internal/sensor"
	"github.com/attune-automation/sensors/internal/throttle"
)

// waiting are the groups g whose enforcement is written when their time has come.
const waiting = `g.kind in ('once_after', 'correlation')`

// over are the groups g of correlations that nothing more has to come to.
const over = `(g.status = 'completed' or g.status = 'open' and coalesce(g.state ? 'came', false))`

// HeldOfBatch returns what became of a batch's matches that were held back, and the groups that it opened, for as long as
// their workflow is to see to them.
func (s *Store) HeldOfBatch(ctx context.Context, batchID int64) (sensor.Held, error) {
	var held sensor.Held
	err := s.inSnapshot(ctx, func(tx pgx.Tx) (err error) {
		args := pgx.NamedArgs{"batch": batchID}
		held.Counts, err = list[sensor.HeldCount](ctx, tx, `
			select e.trigger_ref, h.state, count(*) as matches
			from attune.event e join attune.held_match h on h.event = e.id
			where e.batch = @batch group by e.trigger_ref, h.state`, args)
		if err != nil || len(held.Counts) == 0 {
			return err
		}
		held.Groups, err = groupHeads(ctx, tx, `
			from attune.event e join attune.held_match h on h.event = e.id
			join attune.match_group g on g.id = h.match_group and (g.first_event = e.id or `+over+`)
			left join attune.rule r on r.ref = g.rule_ref
			where e.batch = @batch and `+waiting+` and g.status in ('open', 'completed', 'closed')
			group by g.id, r.id order by g.id`, args)
		return err
	})
	if err != nil {
		return sensor.Held{}, fmt.Errorf("reading what batch %d has held back: %w", batchID, err)
	}
	return held, nil
}

// OverdueGroups returns groups that should have been closed, or finished, for so long that nobody may be at work on them.
// At most limit are returned, any of them.
func (s *Store) OverdueGroups(ctx context.Context, olderThan time.Duration, limit int) ([]sensor.GroupHead, error) {
	groups, err := groupHeads(ctx, s.pool, `
		from attune.match_group g left join attune.rule r on r.ref = g.rule_ref
		where g.status in ('open', 'completed', 'closed') and `+waiting+` and g.due < now() - @age::interval
			and greatest(g.due, g.closed) < now() - @age::interval
		order by random() limit @limit`, pgx.NamedArgs{"age": olderThan, "limit": limit})
	if err != nil {
		return nil, fmt.Errorf("looking for groups that nobody has closed: %w", err)
	}
	return groups, nil
}

// groupHeads returns groups g of rules r for their workflows.
func groupHeads(ctx context.Context, q querier, from string, args pgx.NamedArgs) ([]sensor.GroupHead, error) {
	type row struct {
		sensor.GroupHead
		Throttle    json.RawMessage
		Correlation json.RawMessage
	}
	rows, err := list[row](ctx, q, `
		select g.id, g.due, `+over+` as over, g.rule_ref as rule, '' as what, r.throttle, r.correlation`+from, args)
	if err != nil {
		return nil, err
	}
	heads := make([]sensor.GroupHead, len(rows))
	for i, r := range rows {
		heads[i] = r.GroupHead
		heads[i].What = waitsFor(r.Throttle, r.Correlation)
	}
	return heads, nil
}

// waitsFor says what a rule makes of its matches. One that is gone, or says nothing that is understood, says nothing here.
func waitsFor(throttled, correlated json.RawMessage) string {
	if d, _, err := correlation.Parse(correlated); err == nil && d != nil {
		return d.String()
	}
	if t, err := throttle.Parse(throttled); err == nil && t != nil {
		return t.String()
	}
	return ""
}

// forgetting is how long a group is kept that no longer holds back anything.
const forgetting = time.Hour

// SweepGroups deletes groups that no longer hold back anything, and will not be asked for by a batch that waits to be
// matched: at most limit of them. It returns how many it did.
func (s *Store) SweepGroups(ctx context.Context, limit int) (int, error) {
	tag, err := s.pool.Exec(ctx, `
		delete from attune.match_group where id = any(array(
			select g.id from attune.match_group g
			where (g.status = 'open' and not `+waiting+` or g.status = 'early') and g.due < least(now() - @age::interval,
				(select min(generated) from attune.poll_batch where status = 'generated'))
			limit @limit for update skip locked
		))`, pgx.NamedArgs{"age": forgetting, "limit": limit})
	if err != nil {
		return 0, fmt.Errorf("deleting groups that hold back nothing: %w", err)
	}
	return int(tag.RowsAffected()), nil
}
