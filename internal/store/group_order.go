package store

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/attune-automation/sensors/internal/sensor"
)

// member is a match that an enforcement answers, with what is known of all of them.
type member struct {
	sensor.Event
	MatchGroup int64
	RuleRef    string
	Since      time.Time // when the first was recorded
	Matches    int
}

// members returns the latest matches of each group that its enforcement answers, the last one first.
func (c *closer) members(ctx context.Context, groups []*openGroup) (map[int64][]member, error) {
	ids, events := make([]int64, len(groups)), make([]*int64, len(groups))
	for i, g := range groups {
		ids[i], events[i] = g.ID, g.Event
	}
	latest, err := list[member](ctx, c.tx, `
		select `+eventColumns+`, w.id as match_group, e.held_of as rule_ref, e.since, e.matches
		from unnest(@ids::bigint[], @events::bigint[]) as w (id, event)
		cross join lateral (
			select e.*, h.rule_ref as held_of, min(e.created) over () as since, count(*) over () as matches
			from attune.held_match h join attune.event e on e.id = h.event
			where h.match_group = w.id and h.state = 'collected' and (w.event is null or h.answered_by = w.event)
			order by e.created desc, e.id desc, h.rule_ref desc limit @most
		) e`, pgx.NamedArgs{"ids": ids, "events": events, "most": sensor.MaxGroupEvents})
	byGroup := map[int64][]member{}
	for _, m := range latest {
		byGroup[m.MatchGroup] = append(byGroup[m.MatchGroup], m)
	}
	for _, all := range byGroup {
		slices.SortFunc(all, func(a, b member) int {
			return cmp.Or(b.Created.Compare(a.Created), cmp.Compare(b.ID, a.ID), cmp.Compare(b.RuleRef, a.RuleRef))
		})
	}
	return byGroup, err
}

// match is what a group orders: of the event, for its members.
func (c *closer) match(
	ctx context.Context, g *openGroup, r *sensor.Rule, render sensor.GroupRender, event *sensor.Event, latest []member, part func(ruleRef string) string,
) (m sensor.Match, err error) {
	events := make([]sensor.GroupEvent, len(latest))
	for i, e := range latest {
		events[len(latest)-1-i] = sensor.GroupEvent{
			ID: e.ID, TriggerRef: e.TriggerRef, Part: part(e.RuleRef), Created: e.Created, Payload: e.Payload,
		}
	}
	m = sensor.Match{Event: event, Rule: r}
	if m.Group, err = json.Marshal(sensor.NewGroup(g.ID, g.Key, latest[0].Matches, latest[0].Since, events)); err != nil {
		return m, itemErrorf("group %d: %w", g.ID, err)
	}
	if m.Params, m.Reason, err = render(ctx, m.Event, m.Group); err != nil && ctx.Err() == nil {
		err = itemErrorf("the parameters of group %d: %w", g.ID, err)
	}
	return m, err
}

// order writes the enforcements that groups come to, and reads those of groups that have been closed before.
func (c *closer) order(ctx context.Context, groups []*openGroup) error {
	batches := map[int64]int64{}
	for _, m := range c.orders {
		batches[m.Event.ID] = m.Event.BatchID
	}
	stored, err := insertEnforcements(ctx, c.tx, origin{}, c.orders)
	if err != nil {
		return err
	}
	for _, e := range stored {
		c.enforcements[e.EventID] = enforced{e, batches[e.EventID]}
	}
	var before []int64
	for _, g := range groups {
		if g.Status != sensor.GroupClosed {
			continue
		}
		if _, ok := c.enforcements[*g.Event]; !ok {
			before = append(before, *g.Event)
		}
	}
	if len(before) == 0 {
		return nil
	}
	return c.readEnforcements(ctx, before)
}

func (c *closer) readEnforcements(ctx context.Context, events []int64) error {
	args := pgx.NamedArgs{"events": events, "rule": c.rule}
	there, err := list[sensor.Enforcement](ctx, c.tx, enforcementSelect+`
		where n.event = any(@events) and n.rule_ref = @rule and n.forced = 0`, args)
	if err != nil {
		return err
	}
	type origin struct{ ID, Batch int64 }
	origins, err := list[origin](ctx, c.tx, `select id, batch from attune.event where id = any(@events)`, args)
	if err != nil {
		return err
	}
	batches := make(map[int64]int64, len(origins))
	for _, o := range origins {
		batches[o.ID] = o.Batch
	}
	for _, e := range there {
		c.enforcements[e.EventID] = enforced{e, batches[e.EventID]}
	}
	return nil
}

// result says what became of a group.
func (c *closer) result(g *openGroup) (sensor.ClosedGroup, error) {
	closed := sensor.ClosedGroup{Status: g.Status, Reason: g.Reason, Wait: g.Wait, Next: g.Next}
	if g.Status != sensor.GroupClosed {
		return closed, nil
	}
	w, ok := c.enforcements[*g.Event]
	if !ok {
		return closed, itemErrorf("reading the enforcement of group %d, event %d: %w", g.ID, *g.Event, sensor.ErrNotFound)
	}
	closed.Enforcement, closed.BatchID = &w.enforcement, w.batch
	return closed, nil
}
