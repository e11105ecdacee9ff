package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/attune-automation/sensors/internal/coalesce"
	"github.com/attune-automation/sensors/internal/sensor"
)

// settling is how long after its time a group is closed at the earliest: transactions that wrote its last events may have
// begun before, and not have been seen yet.
const settling = 2 * time.Second

// sharedClosings is how many groups of a rule are closed by one transaction, and sharedFinishes how many are finished by one.
const (
	sharedClosings = 250
	sharedFinishes = 1000
)

// CloseGroup writes the enforcement of a group whose time has come, for all of its matches, and returns it, until it is
// finished. A group that is closed is left as it is. As long as events may come that belong to it, the result says how long
// to wait. A group whose rule is gone, disabled or a shadow is dropped. There is sensor.ErrNotFound, also of a group that is of
// another rule. Groups of a rule that are to be closed at the same time share a transaction; what is the matter with one is
// nothing to the others.
func (s *Store) CloseGroup(ctx context.Context, group sensor.GroupHead, render sensor.GroupRenderer) (sensor.ClosedGroup, error) {
	e, err := s.closings.Do(ctx, closing{group, render})
	if err == nil {
		err = e.err
	}
	if err != nil {
		return sensor.ClosedGroup{}, fmt.Errorf("closing group %d: %w", group.ID, err)
	}
	return e.ClosedGroup, nil
}

// FinishGroup notes that the enforcement of a closed group is confirmed by the broker.
func (s *Store) FinishGroup(ctx context.Context, id int64) error {
	if _, err := s.finishes.Do(ctx, id); err != nil {
		return fmt.Errorf("finishing group %d: %w", id, err)
	}
	return nil
}

// closing is a group that somebody wants closed.
type closing struct {
	group  sensor.GroupHead
	render sensor.GroupRenderer
}

// ended is what became of it.
type ended struct {
	sensor.ClosedGroup
	err error
}

func newClosings(s *Store) (*coalesce.Gatherer[closing, ended], error) {
	return coalesce.New(coalesce.Config[closing, ended]{
		Work: s.closeGroups, Most: sharedClosings, Parallel: 1, Key: func(c closing) string { return c.group.Rule },
	})
}

func newFinishes(s *Store) (*coalesce.Gatherer[int64, struct{}], error) {
	return coalesce.New(coalesce.Config[int64, struct{}]{Work: s.finishGroups, Most: sharedFinishes, Parallel: 1})
}

func (s *Store) finishGroups(ctx context.Context, ids []int64) ([]struct{}, error) {
	_, err := s.pool.Exec(ctx, `
		update attune.match_group set status = 'done' where id = any(@ids) and status = 'closed'`, pgx.NamedArgs{"ids": ids})
	return make([]struct{}, len(ids)), err
}

// closeGroups closes groups of one rule in one transaction or, if something is the matter with one of them, in several.
func (s *Store) closeGroups(ctx context.Context, closings []closing) ([]ended, error) {
	return inHalves(closings, func(part []closing) ([]ended, error) { return s.closeTogether(ctx, part) },
		func(err error) ended { return ended{err: err} })
}

// closeTogether closes groups in one transaction.
func (s *Store) closeTogether(ctx context.Context, closings []closing) ([]ended, error) {
	all := make([]ended, len(closings))
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		c := &closer{tx: tx, rule: closings[0].group.Rule, render: closings[0].render, enforcements: map[int64]enforced{}}
		groups, err := c.lock(ctx, closings)
		if err != nil {
			return err
		}
		if err := c.end(ctx, groups); err != nil {
			return err
		}
		byID := make(map[int64]*openGroup, len(groups))
		for _, g := range groups {
			byID[g.ID] = g
		}
		for i, want := range closings {
			g, ok := byID[want.group.ID]
			if !ok {
				all[i].err = sensor.ErrNotFound
				continue
			}
			if all[i].ClosedGroup, err = c.result(g); err != nil {
				return err
			}
		}
		return nil
	})
	return all, err
}

// closer closes groups of a rule whose matches nobody decides about meanwhile.
type closer struct {
	tx     pgx.Tx
	rule   string // ref
	render sensor.GroupRenderer

	orders       []sensor.Match     // that the groups come to
	enforcements map[int64]enforced // by event
}

// enforced is an enforcement that is written, and the batch of its event.
type enforced struct {
	enforcement sensor.Enforcement
	batch       int64
}

// openGroup is a group that is locked, and what becomes of it.
type openGroup struct {
	ID          int64
	RuleVersion int64
	Kind        string
	Key         string
	Status      string
	Reason      string
	Due         time.Time
	Count       int64
	Event       *int64 // that its enforcement is of; nil: there is none yet

	Wait time.Duration      // until it can be closed
	Next []sensor.GroupHead // that follow it
}

// lock locks the rule, so that nothing is decided about its matches, and then the groups.
func (c *closer) lock(ctx context.Context, closings []closing) ([]*openGroup, error) {
	if err := lockRules(ctx, c.tx, []string{c.rule}); err != nil {
		return nil, err
	}
	ids := make([]int64, len(closings))
	for i, want := range closings {
		ids[i] = want.group.ID
	}
	rows, err := c.tx.Query(ctx, `
		select id, rule_version, kind, key, status, coalesce(reason, '') as reason, due, count, event, '0'::interval as wait, null as next
		from attune.match_group where id = any(@ids) and rule_ref = @rule order by id for update`,
		pgx.NamedArgs{"ids": ids, "rule": c.rule})
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToAddrOfStructByName[openGroup])
}

// end ends the groups that can be, and reads the enforcements of those that have one which is not confirmed.
func (c *closer) end(ctx context.Context, groups []*openGroup) error {
	due, err := c.due(ctx, groups)
	if err != nil {
		return err
	}
	reason, err := stoppedRule(ctx, c.tx, c.rule)
	if err != nil {
		return err
	}
	var collected, correlated []*openGroup
	for _, g := range due {
		switch {
		case reason != "":
			g.Status, g.Reason = sensor.GroupDropped, reason
		case g.Kind == kindCorrelation:
			correlated = append(correlated, g)
		default:
			collected = append(collected, g)
		}
	}
	if reason != "" {
		return c.write(ctx, due)
	}
	if err := c.collect(ctx, collected); err != nil {
		return err
	}
	if err := c.conclude(ctx, correlated); err != nil {
		return err
	}
	return c.order(ctx, groups)
}

// due returns the groups that can be closed; others that are open are told how long to wait.
func (c *closer) due(ctx context.Context, groups []*openGroup) (due []*openGroup, err error) {
	var open []*openGroup
	for _, g := range groups {
		switch g.Status {
		case sensor.GroupOpen:
			open = append(open, g)
		case sensor.GroupCompleted:
			due = append(due, g)
		}
	}
	if err := c.await(ctx, open); err != nil {
		return nil, err
	}
	for _, g := range open {
		if g.Wait == 0 {
			due = append(due, g)
		}
	}
	return due, nil
}

// await says how long to wait for what may belong to open groups; 0: for nothing. Their events are recorded before their time,
// but may be matched later: while a transaction goes on that began before, and then while they are in a batch that is not
// matched. So the transactions are looked at first.
func (c *closer) await(ctx context.Context, open []*openGroup) error {
	if len(open) == 0 {
		return nil
	}
	latest := open[0].Due
	for _, g := range open {
		if g.Due.After(latest) {
			latest = g.Due
		}
	}
	var writing, waiting *time.Time
	var now time.Time
	batch := &pgx.Batch{}
	batch.Queue(`
		select min(xact_start) from pg_stat_activity
		where datname = current_database() and backend_type = 'client backend'
			and (backend_xid is not null or wait_event_type = 'Lock') -- it writes, or waits to
			and pid <> pg_backend_pid()`).QueryRow(func(row pgx.Row) error { return row.Scan(&writing) })
	batch.Queue(`
		select min(b.generated), clock_timestamp() from attune.poll_batch b
		where b.status = 'generated' and b.generated <= @due and exists (
			select from attune.event e where e.batch = b.id and e.trigger_ref in (
				select trigger_ref from attune.rule_version where rule_ref = @rule or starts_with(rule_ref, @parts)))`,
		pgx.NamedArgs{"due": latest, "rule": c.rule, "parts": c.rule + "/"}).
		QueryRow(func(row pgx.Row) error { return row.Scan(&waiting, &now) })
	if err := c.tx.SendBatch(ctx, batch).Close(); err != nil {
		return err
	}
	before := func(at *time.Time, due time.Time) bool { return at != nil && !at.After(due) }
	for _, g := range open {
		g.Wait = max(0, g.Due.Add(settling).Sub(now))
		if before(writing, g.Due) || before(waiting, g.Due) {
			g.Wait = max(g.Wait, time.Second)
		}
	}
	return nil
}

// write writes what became of groups.
func (c *closer) write(ctx context.Context, groups []*openGroup) error {
	if len(groups) == 0 {
		return nil
	}
	n := len(groups)
	ids, statuses, reasons, events := make([]int64, n), make([]string, n), make([]string, n), make([]*int64, n)
	for i, g := range groups {
		ids[i], statuses[i], reasons[i], events[i] = g.ID, g.Status, g.Reason, g.Event
	}
	_, err := c.tx.Exec(ctx, `
		update attune.match_group g set status = u.status, reason = nullif(u.reason, ''), event = u.event, closed = now()
		from unnest(@ids::bigint[], @statuses::text[], @reasons::text[], @events::bigint[]) as u (id, status, reason, event)
		where g.id = u.id`, pgx.NamedArgs{"ids": ids, "statuses": statuses, "reasons": reasons, "events": events})
	return err
}

// stoppedRule says why a rule orders nothing any more; empty: it does.
func stoppedRule(ctx context.Context, tx pgx.Tx, ref string) (string, error) {
	type state struct{ Enabled, Shadow, Blind bool }
	r, err := one[state](ctx, tx, `
		select enabled, shadow, tripped is not null and correlation is not null as blind from attune.rule where ref = @ref`, pgx.NamedArgs{"ref": ref})
	switch {
	case errors.Is(err, sensor.ErrNotFound):
		return "the rule has been deleted", nil
	case err != nil:
		return "", err
	case !r.Enabled:
		return "the rule has been disabled", nil
	case r.Shadow:
		return "the rule has become a shadow", nil
	case r.Blind:
		return trippedReason, nil
	}
	return "", nil
}
