package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/attune-automation/sensors/internal/sensor"
)

// closingEvents is how many events of groups are read at once, about.
const closingEvents = 1000

// collect ends groups that collect and whose time has come: each orders once for all of its matches, by the version of the
// rule that the last of them is of.
func (c *closer) collect(ctx context.Context, groups []*openGroup) error {
	if len(groups) == 0 {
		return nil
	}
	rules, err := c.versions(ctx, groups)
	if err != nil {
		return err
	}
	for len(groups) > 0 {
		n, events := 0, int64(0)
		for n < len(groups) && (n == 0 || events < closingEvents) {
			events += min(groups[n].Count, sensor.MaxGroupEvents)
			n++
		}
		if err := c.collectSome(ctx, groups[:n], rules); err != nil {
			return err
		}
		groups = groups[n:]
	}
	return nil
}

// collectRule is a version of the rule, and how its groups get their parameters.
type collectRule struct {
	rule   *sensor.Rule
	render sensor.GroupRender
}

// versions returns the versions of the rule that groups need.
func (c *closer) versions(ctx context.Context, groups []*openGroup) (map[int64]collectRule, error) {
	wanted := map[int64]bool{}
	var numbers []int64
	for _, g := range groups {
		if !wanted[g.RuleVersion] {
			wanted[g.RuleVersion] = true
			numbers = append(numbers, g.RuleVersion)
		}
	}
	there, err := list[RuleVersion](ctx, c.tx, ruleVersionSelect+` where v.rule_ref = @ref and v.version = any(@versions)`,
		pgx.NamedArgs{"ref": c.rule, "versions": numbers})
	if err != nil {
		return nil, fmt.Errorf("loading versions of rule %q: %w", c.rule, err)
	}
	rules := make(map[int64]collectRule, len(there))
	for i := range there {
		rules[there[i].Version] = collectRule{&there[i].Rule, c.render(&there[i].Rule)}
	}
	for _, g := range groups {
		if rules[g.RuleVersion].rule == nil {
			return nil, itemErrorf("loading version %d of rule %q: %w", g.RuleVersion, c.rule, sensor.ErrNotFound)
		}
	}
	return rules, nil
}

func (c *closer) collectSome(ctx context.Context, groups []*openGroup, rules map[int64]collectRule) error {
	members, err := c.members(ctx, groups)
	if err != nil {
		return fmt.Errorf("reading the events of groups: %w", err)
	}
	ids, events := make([]int64, len(groups)), make([]int64, len(groups))
	for i, g := range groups {
		latest := members[g.ID]
		if len(latest) == 0 {
			return itemError{errors.New("reading its events: none of them is there")}
		}
		r, last := rules[g.RuleVersion], latest[0].Event
		m, err := c.match(ctx, g, r.rule, r.render, &last, latest, func(string) string { return "" })
		if err != nil {
			return err
		}
		c.orders = append(c.orders, m)
		g.Status, g.Event = sensor.GroupClosed, &last.ID
		ids[i], events[i] = g.ID, last.ID
	}
	args := pgx.NamedArgs{"ids": ids, "events": events, "rule": c.rule}
	batch := &pgx.Batch{}
	batch.Queue(`
		delete from attune.held_match h using unnest(@ids::bigint[], @events::bigint[]) as g (id, event)
		where h.event = g.event and h.rule_ref = @rule and h.match_group = g.id`, args)
	batch.Queue(`
		update attune.held_match h set answered_by = g.event from unnest(@ids::bigint[], @events::bigint[]) as g (id, event)
		where h.match_group = g.id and h.state = 'collected'`, args)
	if err := c.tx.SendBatch(ctx, batch).Close(); err != nil {
		return err
	}
	return c.write(ctx, groups)
}
