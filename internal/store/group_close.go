package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/attune-automation/sensors/internal/sensor"
)

// settling is how long after its time a group is closed at the earliest: transactions that wrote its last events may have
// begun before, and not have been seen yet.
const settling = 2 * time.Second

// openGroup is a group that is locked.
type openGroup struct {
	ID          int64
	RuleRef     string
	RuleVersion int64
	Kind        string
	Key         string
	Status      string
	Reason      string
	Due         time.Time
	Event       *int64
}

// CloseGroup writes the enforcement of a group whose time has come, for all of its matches, and returns it, until it is
// finished. A group that is closed is left as it is. As long as events may come that belong to it, the result says how long
// to wait. A group whose rule is gone, disabled or a shadow is dropped. There is sensor.ErrNotFound.
func (s *Store) CloseGroup(ctx context.Context, id int64, render sensor.GroupRenderer) (sensor.ClosedGroup, error) {
	var closed sensor.ClosedGroup
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		g, err := lockGroup(ctx, tx, id)
		if err != nil {
			return err
		}
		if g.Kind == kindCorrelation {
			return g.conclude(ctx, tx, render, &closed)
		}
		if g.Status == sensor.GroupOpen {
			if closed.Wait, err = g.wait(ctx, tx); err != nil || closed.Wait > 0 {
				closed.Status = sensor.GroupOpen
				return err
			}
			if err := g.close(ctx, tx, render); err != nil {
				return err
			}
		}
		closed.Status, closed.Reason = g.Status, g.Reason
		if g.Status != sensor.GroupClosed {
			return nil
		}
		return g.enforcement(ctx, tx, &closed)
	})
	if err != nil {
		return sensor.ClosedGroup{}, fmt.Errorf("closing group %d: %w", id, err)
	}
	return closed, nil
}

// FinishGroup notes that the enforcement of a closed group is confirmed by the broker.
func (s *Store) FinishGroup(ctx context.Context, id int64) error {
	_, err := s.pool.Exec(ctx, `
		update attune.match_group set status = 'done' where id = @id and status = 'closed'`, pgx.NamedArgs{"id": id})
	if err != nil {
		return fmt.Errorf("finishing group %d: %w", id, err)
	}
	return nil
}

// lockGroup locks the group's rule, so that nothing is decided about its matches, and then the group.
func lockGroup(ctx context.Context, tx pgx.Tx, id int64) (openGroup, error) {
	args := pgx.NamedArgs{"id": id}
	var rule string
	if err := tx.QueryRow(ctx, `select rule_ref from attune.match_group where id = @id`, args).Scan(&rule); err != nil {
		return openGroup{}, notFound(err)
	}
	if err := lockRules(ctx, tx, []string{rule}); err != nil {
		return openGroup{}, err
	}
	return one[openGroup](ctx, tx, `
		select id, rule_ref, rule_version, kind, key, status, coalesce(reason, '') as reason, due, event
		from attune.match_group where id = @id for update`, args)
}

// wait returns how long to wait for what may belong to the group; 0: for nothing. Its events are recorded before its time,
// but may be matched later: while they are in a batch that is not matched, and while a transaction goes on that began
// before.
func (g *openGroup) wait(ctx context.Context, tx pgx.Tx) (time.Duration, error) {
	var left time.Duration
	var unsettled bool
	err := tx.QueryRow(ctx, `
		select greatest(@due::timestamptz + @settling::interval - clock_timestamp(), '0'),
			exists (
				select from attune.poll_batch b where b.status = 'generated' and b.generated <= @due and exists (
					select from attune.event e where e.batch = b.id and e.trigger_ref in (
						select trigger_ref from attune.rule_version where rule_ref = @rule or starts_with(rule_ref, @parts)))
			) or exists (
				select from pg_stat_activity
				where datname = current_database() and backend_type = 'client backend'
					and (backend_xid is not null or wait_event_type = 'Lock') -- it writes, or waits to
					and xact_start <= @due and pid <> pg_backend_pid()
			)`, pgx.NamedArgs{
		"due": g.Due, "settling": settling, "rule": g.RuleRef, "parts": g.RuleRef + "/",
	}).Scan(&left, &unsettled)
	if unsettled && err == nil {
		left = max(left, time.Second)
	}
	return left, err
}

// close ends a group whose time has come.
func (g *openGroup) close(ctx context.Context, tx pgx.Tx, render sensor.GroupRenderer) error {
	r, err := one[RuleVersion](ctx, tx, ruleVersionSelect+` where v.rule_ref = @ref and v.version = @version`,
		pgx.NamedArgs{"ref": g.RuleRef, "version": g.RuleVersion})
	if err != nil {
		return fmt.Errorf("loading version %d of rule %q: %w", g.RuleVersion, g.RuleRef, err)
	}
	reason, err := stoppedRule(ctx, tx, g.RuleRef)
	if err != nil {
		return err
	}
	if reason != "" {
		return g.end(ctx, tx, sensor.GroupDropped, reason, nil)
	}
	m, err := g.match(ctx, tx, &r.Rule, render)
	if err != nil {
		return err
	}
	args := pgx.NamedArgs{"id": g.ID, "rule": g.RuleRef, "event": m.Event.ID}
	batch := &pgx.Batch{}
	batch.Queue(`delete from attune.held_match where match_group = @id and event = @event`, args)
	batch.Queue(`
		update attune.held_match set answered_by = @event where match_group = @id and state = 'collected'`, args)
	if err := tx.SendBatch(ctx, batch).Close(); err != nil {
		return err
	}
	if _, err := insertEnforcements(ctx, tx, origin{}, []sensor.Match{m}); err != nil {
		return err
	}
	return g.end(ctx, tx, sensor.GroupClosed, "", &m.Event.ID)
}

func (g *openGroup) end(ctx context.Context, tx pgx.Tx, status, reason string, event *int64) error {
	g.Status, g.Reason, g.Event = status, reason, event
	_, err := tx.Exec(ctx, `
		update attune.match_group set status = @status, reason = nullif(@reason, ''), event = @event, closed = now()
		where id = @id`, pgx.NamedArgs{"id": g.ID, "status": status, "reason": reason, "event": event})
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

// match is the last of the group's matches, as the one that orders for all of them.
func (g *openGroup) match(ctx context.Context, tx pgx.Tx, r *sensor.Rule, render sensor.GroupRenderer) (sensor.Match, error) {
	type member struct {
		sensor.Event
		Since   time.Time
		Matches int
	}
	latest, err := list[member](ctx, tx, `
		select `+eventColumns+`, min(e.created) over () as since, count(*) over () as matches
		from attune.held_match h join attune.event e on e.id = h.event
		where h.match_group = @id and h.state = 'collected'
		order by e.created desc, e.id desc limit @most`, pgx.NamedArgs{"id": g.ID, "most": sensor.MaxGroupEvents})
	if err == nil && len(latest) == 0 {
		err = errors.New("none of its events is there")
	}
	if err != nil {
		return sensor.Match{}, fmt.Errorf("reading its events: %w", err)
	}
	m := sensor.Match{Event: &latest[0].Event, Rule: r}
	events := make([]sensor.GroupEvent, len(latest))
	for i, e := range latest {
		events[i] = sensor.GroupEvent{ID: e.ID, TriggerRef: e.TriggerRef, Created: e.Created, Payload: e.Payload}
	}
	slices.Reverse(events)
	if m.Group, err = json.Marshal(sensor.NewGroup(g.ID, g.Key, latest[0].Matches, latest[0].Since, events)); err != nil {
		return m, err
	}
	m.Params, m.Reason, err = render(ctx, r, m.Event, m.Group)
	return m, err
}

// enforcement reads the enforcement of a closed group.
func (g *openGroup) enforcement(ctx context.Context, tx pgx.Tx, closed *sensor.ClosedGroup) error {
	args := pgx.NamedArgs{"event": g.Event, "rule": g.RuleRef}
	e, err := one[sensor.Enforcement](ctx, tx, enforcementSelect+`
		where n.event = @event and n.rule_ref = @rule and n.forced = 0`, args)
	if err != nil {
		return fmt.Errorf("reading its enforcement: %w", err)
	}
	closed.Enforcement = &e
	return tx.QueryRow(ctx, `select batch from attune.event where id = @event`, args).Scan(&closed.BatchID)
}
