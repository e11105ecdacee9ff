package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/attune-automation/sensors/internal/correlation"
	"github.com/attune-automation/sensors/internal/sensor"
)

// conclude ends a group of a correlation that is over, by the rule as it is now. One that is complete is at once. Otherwise
// it is decided when all is there that was recorded until its time: so it does not depend on the order of commits whether
// something is absent.
func (g *openGroup) conclude(ctx context.Context, tx pgx.Tx, render sensor.GroupRenderer, closed *sensor.ClosedGroup) (err error) {
	if g.Status == sensor.GroupOpen {
		if closed.Wait, err = g.wait(ctx, tx); err != nil || closed.Wait > 0 {
			closed.Status = sensor.GroupOpen
			return err
		}
	}
	if g.Status == sensor.GroupOpen || g.Status == sensor.GroupCompleted {
		if err := g.endCorrelation(ctx, tx, render, closed); err != nil {
			return err
		}
	}
	closed.Status, closed.Reason = g.Status, g.Reason
	if g.Status != sensor.GroupClosed {
		return nil
	}
	return g.enforcement(ctx, tx, closed)
}

func (g *openGroup) endCorrelation(ctx context.Context, tx pgx.Tx, render sensor.GroupRenderer, closed *sensor.ClosedGroup) error {
	r, reason, err := g.correlatedRule(ctx, tx)
	switch {
	case err != nil:
		return err
	case reason != "":
		return g.end(ctx, tx, sensor.GroupDropped, reason, nil)
	case g.Status == sensor.GroupCompleted:
		if err := g.end(ctx, tx, sensor.GroupClosed, "", g.Event); err != nil {
			return err
		}
		return g.order(ctx, tx, r, render)
	}
	k, err := g.key(ctx, tx, r)
	if err != nil {
		return err
	}
	decided, err := k.due(ctx, tx)
	if err != nil {
		return err
	}
	if decided == nil { // the correlation has changed: its group is another one now
		closed.Wait = time.Second
		return k.redecide(ctx, tx)
	}
	return g.apply(ctx, tx, k, decided, r, render, closed)
}

// correlatedRule returns the rule as it is now, or why it orders nothing any more.
func (g *openGroup) correlatedRule(ctx context.Context, tx pgx.Tx) (*sensor.Rule, string, error) {
	reason, err := stoppedRule(ctx, tx, g.RuleRef)
	if err != nil || reason != "" {
		return nil, reason, err
	}
	r, err := one[sensor.Rule](ctx, tx, `select `+ruleColumns+` from `+ruleTables+` where r.ref = @ref`, pgx.NamedArgs{"ref": g.RuleRef})
	if err == nil && r.Correlation == nil {
		reason = "the rule correlates no more"
	}
	return &r, reason, err
}

// key returns the key of an open group.
func (g *openGroup) key(ctx context.Context, tx pgx.Tx, r *sensor.Rule) (*correlated, error) {
	d, _, err := correlation.Parse(r.Correlation)
	if err != nil {
		return nil, fmt.Errorf("the correlation of rule %q: %w", r.Ref, err)
	}
	pending, err := pendingGroups(ctx, tx, []string{g.RuleRef}, []string{g.Key})
	if err == nil && (len(pending) != 1 || pending[0].id != g.ID) {
		err = errors.New("it is not the one group of its key that is pending")
	}
	if err != nil {
		return nil, err
	}
	return &correlated{groupKey: pending[0].groupKey, whole: newWhole(d), pending: pending[0]}, nil
}

// A conclusion is what becomes of a group that is due.
type conclusion struct {
	outcome correlation.Outcome
	event   int64 // that the enforcement is of; 0: there is none
	reason  string
	left    []placed // matches of groups that follow
}

// due decides on the key's group, whose time has come; nil: it is another one by what the correlation is now.
func (k *correlated) due(ctx context.Context, tx pgx.Tx) (*conclusion, error) {
	if err := k.read(ctx, tx, k.pending.due.Add(-k.whole.Within)); err != nil {
		return nil, err
	}
	byMatch := map[correlation.Match]placed{}
	var matches []correlation.Match
	for _, p := range k.rows {
		if p.Part != noPart {
			byMatch[p.Match] = p
			matches = append(matches, p.Match)
		}
	}
	groups := k.whole.Fold(matches)
	if k.pending.mark != k.whole.mark || len(groups) != 1 {
		return nil, nil
	}
	g := groups[0]
	outcome, left := k.whole.Close(g, k.pending.due)
	if due, _ := k.whole.Due(&g.State); outcome == correlation.Open || !due.Equal(k.pending.due) {
		return nil, nil
	}
	c := &conclusion{outcome: outcome}
	if c.outcome == correlation.Fulfilled {
		c.event = g.State.Armed.By
	} else {
		c.reason = k.whole.Reason(&g.State)
	}
	for _, m := range left {
		c.left = append(c.left, byMatch[m])
	}
	return c, nil
}

// read reads what the key's group holds, from a time on.
func (k *correlated) read(ctx context.Context, tx pgx.Tx, since time.Time) error {
	rows, err := heldRows(ctx, tx, []int64{k.pending.id}, []time.Time{since})
	for i := range rows {
		rows[i].Part = k.whole.part(rows[i].ref)
	}
	slices.SortFunc(rows, func(a, b placed) int { return a.Compare(b.Match) })
	k.rows = rows
	return err
}

// redecide looks at all again that the key's group holds.
func (k *correlated) redecide(ctx context.Context, tx pgx.Tx) error {
	if err := k.read(ctx, tx, time.Time{}); err != nil {
		return err
	}
	k.pending.mark = ""
	k.decide()
	if len(k.groups) == 0 { // its events have been deleted
		k.pending.status = sensor.GroupEarly
		k.groups = append(k.groups, k.pending)
	}
	return writeGroups(ctx, tx, 0, k.groups)
}

// apply writes what becomes of the group, and has what is left go on in groups that follow.
func (g *openGroup) apply(
	ctx context.Context, tx pgx.Tx, k *correlated, c *conclusion, r *sensor.Rule, render sensor.GroupRenderer, closed *sensor.ClosedGroup,
) error {
	status, event := sensor.GroupExpired, (*int64)(nil)
	switch c.outcome {
	case correlation.Cancelled:
		status = sensor.GroupCancelled
	case correlation.Fulfilled:
		status, event = sensor.GroupClosed, &c.event
	}
	if err := g.end(ctx, tx, status, c.reason, event); err != nil {
		return err
	}
	following := &correlated{groupKey: k.groupKey, whole: k.whole, matches: c.left}
	following.decide()
	if err := writeGroups(ctx, tx, 0, following.groups); err != nil {
		return err
	}
	if len(c.left) > 0 { // which are not its matches any more
		if err := recount(ctx, tx, []*pendingGroup{{id: g.ID, recount: true}}); err != nil {
			return err
		}
	}
	for _, n := range following.groups {
		if n.status != sensor.GroupEarly {
			closed.Next = append(closed.Next, sensor.GroupHead{
				ID: n.id, Due: n.due, Over: n.status == sensor.GroupCompleted || n.state.Came != nil, Rule: k.rule, What: k.whole.String(),
			})
		}
	}
	if event == nil {
		return nil
	}
	answers := &pendingGroup{id: g.ID, event: c.event, since: k.pending.due.Add(-k.whole.Within)}
	if err := answerMatches(ctx, tx, []*pendingGroup{answers}); err != nil {
		return err
	}
	return g.order(ctx, tx, r, render)
}

// order writes the enforcement of a group, for the matches that it answers.
func (g *openGroup) order(ctx context.Context, tx pgx.Tx, r *sensor.Rule, render sensor.GroupRenderer) error {
	type member struct {
		sensor.GroupEvent
		RuleRef string
		Since   time.Time
		Matches int
	}
	d, _, err := correlation.Parse(r.Correlation)
	if err != nil {
		return err
	}
	latest, err := list[member](ctx, tx, `
		select e.id, e.trigger_ref, '' as part, e.created, e.payload, h.rule_ref, min(e.created) over () as since, count(*) over () as matches
		from attune.held_match h join attune.event e on e.id = h.event
		where h.match_group = @id and h.answered_by = @event and h.state = 'collected'
		order by e.created desc, e.id desc, h.rule_ref desc limit @most`,
		pgx.NamedArgs{"id": g.ID, "event": g.Event, "most": sensor.MaxGroupEvents})
	if err == nil && len(latest) == 0 {
		err = errors.New("none of its events is there")
	}
	if err != nil {
		return fmt.Errorf("reading its events: %w", err)
	}
	events := make([]sensor.GroupEvent, len(latest))
	for i, m := range latest {
		m.Part = d.PartName(m.RuleRef)
		events[len(latest)-1-i] = m.GroupEvent
	}
	event, err := one[sensor.Event](ctx, tx, `select `+eventColumns+` from attune.event e where e.id = @event`, pgx.NamedArgs{"event": g.Event})
	if err != nil {
		return fmt.Errorf("reading event %d: %w", *g.Event, err)
	}
	m := sensor.Match{Event: &event, Rule: r}
	if m.Group, err = json.Marshal(sensor.NewGroup(g.ID, g.Key, latest[0].Matches, latest[0].Since, events)); err != nil {
		return err
	}
	if m.Params, m.Reason, err = render(ctx, r, m.Event, m.Group); err != nil {
		return err
	}
	_, err = insertEnforcements(ctx, tx, origin{}, []sensor.Match{m})
	return err
}
