package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/attune-automation/sensors/internal/correlation"
	"github.com/attune-automation/sensors/internal/sensor"
)

// conclude ends groups of a correlation that are over, by the rule as it is now. One that is complete is at once. Otherwise
// it is decided when all is there that was recorded until its time: so it does not depend on the order of commits whether
// something is absent.
func (c *closer) conclude(ctx context.Context, groups []*openGroup) error {
	if len(groups) == 0 {
		return nil
	}
	r, err := one[sensor.Rule](ctx, c.tx, `select `+ruleColumns+` from `+ruleTables+` where r.ref = @ref`, pgx.NamedArgs{"ref": c.rule})
	if err != nil {
		return fmt.Errorf("loading rule %q: %w", c.rule, err)
	}
	if r.Correlation == nil {
		for _, g := range groups {
			g.Status, g.Reason = sensor.GroupDropped, "the rule correlates no more"
		}
		return c.write(ctx, groups)
	}
	d, _, err := correlation.Parse(r.Correlation)
	if err != nil {
		return fmt.Errorf("the correlation of rule %q: %w", c.rule, err)
	}
	w := newWhole(d)
	var completed, expected []*openGroup
	for _, g := range groups {
		if g.Status == sensor.GroupCompleted {
			g.Status = sensor.GroupClosed
			completed = append(completed, g)
		} else {
			expected = append(expected, g)
		}
	}
	if err := c.write(ctx, completed); err != nil {
		return err
	}
	fulfilled, err := c.expect(ctx, expected, w)
	if err != nil {
		return err
	}
	return c.orderParts(ctx, append(completed, fulfilled...), &r, d)
}

// expect decides on groups whose time has come, and returns those that order.
func (c *closer) expect(ctx context.Context, groups []*openGroup, w *whole) (fulfilled []*openGroup, err error) {
	keys, err := c.keys(ctx, groups, w)
	if err != nil {
		return nil, err
	}
	var over, again []*openGroup
	var ends []*conclusion
	var redecided []*correlated
	for i, k := range keys {
		decided := k.due()
		if decided == nil { // the correlation has changed: its group is another one now
			groups[i].Wait = time.Second
			redecided, again = append(redecided, k), append(again, groups[i])
			continue
		}
		groups[i].conclude(decided)
		over, ends = append(over, groups[i]), append(ends, decided)
		if groups[i].Status == sensor.GroupClosed {
			fulfilled = append(fulfilled, groups[i])
		}
	}
	if err := c.write(ctx, over); err != nil {
		return nil, err
	}
	if err := c.redecide(ctx, again, redecided, w); err != nil {
		return nil, err
	}
	return fulfilled, c.goOn(ctx, over, ends, w)
}

// keys returns the keys of open groups with what they hold, as far back as it matters.
func (c *closer) keys(ctx context.Context, groups []*openGroup, w *whole) ([]*correlated, error) {
	if len(groups) == 0 {
		return nil, nil
	}
	rules, names := make([]string, len(groups)), make([]string, len(groups))
	for i, g := range groups {
		rules[i], names[i] = c.rule, g.Key
	}
	pending, err := pendingGroups(ctx, c.tx, rules, names)
	if err != nil {
		return nil, err
	}
	byID := make(map[int64]*pendingGroup, len(pending))
	for _, p := range pending {
		byID[p.id] = p
	}
	keys := make([]*correlated, len(groups))
	since := make([]time.Time, len(groups))
	for i, g := range groups {
		p := byID[g.ID]
		if p == nil {
			return nil, itemErrorf("group %d is not the one of its key that is pending", g.ID)
		}
		keys[i], since[i] = &correlated{groupKey: p.groupKey, whole: w, pending: p}, p.due.Add(-w.Within)
	}
	return keys, readKeys(ctx, c.tx, keys, since)
}

// readKeys reads what the groups of keys hold, from a time on.
func readKeys(ctx context.Context, tx pgx.Tx, keys []*correlated, since []time.Time) error {
	ids := make([]int64, len(keys))
	byID := make(map[int64]*correlated, len(keys))
	for i, k := range keys {
		k.rows = nil
		ids[i], byID[k.pending.id] = k.pending.id, k
	}
	rows, err := heldRows(ctx, tx, ids, since)
	if err != nil {
		return err
	}
	for _, p := range rows {
		k := byID[p.group]
		p.Part = k.whole.part(p.ref)
		k.rows = append(k.rows, p)
	}
	for _, k := range keys {
		slices.SortFunc(k.rows, func(a, b placed) int { return a.Compare(b.Match) })
	}
	return nil
}

// A conclusion is what becomes of a group that is due.
type conclusion struct {
	outcome correlation.Outcome
	event   int64 // that the enforcement is of; 0: there is none
	reason  string
	left    []placed // matches of groups that follow

	following []*pendingGroup // that these open
}

// due decides on the key's group, whose time has come; nil: it is another one by what the correlation is now.
func (k *correlated) due() *conclusion {
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
		return nil
	}
	g := groups[0]
	outcome, left := k.whole.Close(g, k.pending.due)
	if due, _ := k.whole.Due(&g.State); outcome == correlation.Open || !due.Equal(k.pending.due) {
		return nil
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
	return c
}

// conclude says what becomes of the group.
func (g *openGroup) conclude(c *conclusion) {
	switch g.Reason = c.reason; c.outcome {
	case correlation.Cancelled:
		g.Status = sensor.GroupCancelled
	case correlation.Fulfilled:
		g.Status, g.Event = sensor.GroupClosed, &c.event
	default:
		g.Status = sensor.GroupExpired
	}
}

// redecide looks at all again that the groups of keys hold.
func (c *closer) redecide(ctx context.Context, groups []*openGroup, keys []*correlated, w *whole) error {
	if len(keys) == 0 {
		return nil
	}
	if err := readKeys(ctx, c.tx, keys, make([]time.Time, len(keys))); err != nil {
		return err
	}
	var written []*pendingGroup
	for _, k := range keys {
		k.pending.mark = ""
		k.decide()
		if len(k.groups) == 0 { // its events have been deleted
			k.pending.status = sensor.GroupEarly
			k.groups = append(k.groups, k.pending)
		}
		written = append(written, k.groups...)
	}
	if err := writeGroups(ctx, c.tx, 0, written); err != nil {
		return err
	}
	for i, g := range groups {
		g.follow(keys[i].groups, w)
	}
	return nil
}

// follow notes which groups follow this one and have begun, once they are written.
func (g *openGroup) follow(following []*pendingGroup, w *whole) {
	for _, n := range following {
		if n.id != g.ID && n.status != sensor.GroupEarly {
			g.Next = append(g.Next, sensor.GroupHead{
				ID: n.id, Due: n.due, Over: n.status == sensor.GroupCompleted || n.state.Came != nil, Rule: n.rule, What: w.String(),
			})
		}
	}
}

// goOn has what is left of groups that are over go on in groups that follow, and notes what the enforcements of the others
// answer.
func (c *closer) goOn(ctx context.Context, over []*openGroup, ends []*conclusion, w *whole) error {
	var following, recounted, answering []*pendingGroup
	for i, g := range over {
		k := &correlated{groupKey: groupKey{c.rule, g.Key}, whole: w, matches: ends[i].left}
		k.decide()
		following = append(following, k.groups...)
		if len(ends[i].left) > 0 { // which are not its matches any more
			recounted = append(recounted, &pendingGroup{id: g.ID, recount: true})
		}
		if g.Status == sensor.GroupClosed {
			answering = append(answering, &pendingGroup{id: g.ID, event: *g.Event, since: g.Due.Add(-w.Within)})
		}
		ends[i].following = k.groups
	}
	if err := writeGroups(ctx, c.tx, 0, following); err != nil {
		return err
	}
	if err := recount(ctx, c.tx, recounted); err != nil {
		return err
	}
	for i, g := range over {
		g.follow(ends[i].following, w)
	}
	return answerMatches(ctx, c.tx, answering)
}

// orderParts has groups of a correlation order, each for the matches that it answers.
func (c *closer) orderParts(ctx context.Context, groups []*openGroup, r *sensor.Rule, d *correlation.Definition) error {
	if len(groups) == 0 {
		return nil
	}
	render := c.render(r)
	for part := range slices.Chunk(groups, closingGroups) {
		members, err := c.members(ctx, part)
		if err != nil {
			return fmt.Errorf("reading the events of groups: %w", err)
		}
		events, err := c.events(ctx, part)
		if err != nil {
			return fmt.Errorf("reading the events of enforcements: %w", err)
		}
		for _, g := range part {
			event := events[*g.Event]
			if len(members[g.ID]) == 0 || event == nil {
				return itemError{errors.New("reading its events: none of them is there")}
			}
			m, err := c.match(ctx, g, r, render, event, members[g.ID], d.PartName)
			if err != nil {
				return err
			}
			c.orders = append(c.orders, m)
		}
	}
	return nil
}

// closingGroups is how many groups of a correlation have their events read at once.
const closingGroups = 50

// events returns the events that the enforcements of groups are of.
func (c *closer) events(ctx context.Context, groups []*openGroup) (map[int64]*sensor.Event, error) {
	ids := make([]int64, len(groups))
	for i, g := range groups {
		ids[i] = *g.Event
	}
	all, err := list[sensor.Event](ctx, c.tx, `select `+eventColumns+` from attune.event e where e.id = any(@ids)`, pgx.NamedArgs{"ids": ids})
	byID := make(map[int64]*sensor.Event, len(all))
	for i := range all {
		byID[all[i].ID] = &all[i]
	}
	return byID, err
}
