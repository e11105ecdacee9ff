package store

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/attune-automation/sensors/internal/correlation"
	"github.com/attune-automation/sensors/internal/sensor"
)

// groupState is the column state of a group.
type groupState struct {
	Of string `json:"of"` // the mark of the definition
	correlation.State
}

// load locks the rules, and then reads the pending groups of the keys, and what is held in those that need it.
func (c *correlating) load(ctx context.Context, again bool) error {
	var rules, keys []string
	for _, k := range c.order {
		rules, keys = append(rules, k.rule), append(keys, k.key)
	}
	if err := lockRules(ctx, c.tx, rules); err != nil {
		return err
	}
	if again {
		if err := c.dropDecided(ctx); err != nil {
			return err
		}
	}
	pending, err := pendingGroups(ctx, c.tx, rules, keys)
	if err != nil {
		return err
	}
	for _, g := range pending {
		c.keys[g.groupKey].pending = g
	}
	return c.loadRows(ctx)
}

// dropDecided leaves out the matches that are held already, which a batch has that is matched once more.
func (c *correlating) dropDecided(ctx context.Context) error {
	type pair struct {
		Event   int64
		RuleRef string
	}
	there, err := list[pair](ctx, c.tx, `
		select h.event, h.rule_ref from attune.event e join attune.held_match h on h.event = e.id where e.batch = @batch`,
		pgx.NamedArgs{"batch": c.batch})
	if err != nil {
		return err
	}
	known := make(map[pair]bool, len(there))
	for _, p := range there {
		known[p] = true
	}
	for _, k := range c.order {
		k.matches = slices.DeleteFunc(k.matches, func(p placed) bool { return known[pair{p.Event, p.ref}] })
	}
	return nil
}

func pendingGroups(ctx context.Context, tx pgx.Tx, rules, keys []string) ([]*pendingGroup, error) {
	rows, err := tx.Query(ctx, `
		select g.id, g.rule_ref, g.key, g.status, g.state, g.opened, g.due, g.count, g.first_event, g.last_event
		from unnest(@rules::text[], @keys::text[]) as w (rule_ref, key)
		join attune.match_group g on g.rule_ref = w.rule_ref and g.kind = '`+kindCorrelation+`' and md5(g.key) = md5(w.key)
			and g.key = w.key and g.status in ('open', 'early')`, pgx.NamedArgs{"rules": rules, "keys": keys})
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (*pendingGroup, error) {
		g := &pendingGroup{}
		var state []byte
		err := row.Scan(&g.id, &g.rule, &g.key, &g.status, &state, &g.opened, &g.due, &g.count, &g.first, &g.last)
		if err != nil {
			return nil, err
		}
		var kept groupState
		if err := json.Unmarshal(state, &kept); err != nil {
			return nil, err
		}
		g.mark, g.state = kept.Of, kept.State
		return g, nil
	})
}

// loadRows reads what is held of the groups that have to be looked at again: back to when it could matter, and all of it if
// the correlation has changed.
func (c *correlating) loadRows(ctx context.Context) error {
	var ids []int64
	var since []time.Time
	byGroup := map[int64]*correlated{}
	for _, k := range c.order {
		if len(k.matches) == 0 || !k.again() {
			continue
		}
		var from time.Time
		if k.pending.mark == k.whole.mark {
			earliest := slices.MinFunc(k.matches, func(a, b placed) int { return a.Compare(b.Match) })
			from = earliest.At.Add(-k.whole.Within)
		}
		ids, since = append(ids, k.pending.id), append(since, from)
		byGroup[k.pending.id] = k
	}
	held, err := heldRows(ctx, c.tx, ids, since)
	for _, p := range held {
		k := byGroup[p.group]
		p.Part = k.whole.part(p.ref)
		k.rows = append(k.rows, p)
	}
	return err
}

// heldRows returns what is held in groups from the times on; which part each is of is for the caller to say.
func heldRows(ctx context.Context, q querier, groups []int64, since []time.Time) ([]placed, error) {
	if len(groups) == 0 {
		return nil, nil
	}
	rows, err := q.Query(ctx, `
		select h.match_group, h.event, h.rule_ref, h.state, e.created
		from unnest(@groups::bigint[], @since::timestamptz[]) as w (id, since)
		join attune.held_match h on h.match_group = w.id and h.state <> 'suppressed'
		join attune.event e on e.id = h.event and e.created >= w.since`, pgx.NamedArgs{"groups": groups, "since": since})
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (p placed, err error) {
		err = row.Scan(&p.group, &p.Event, &p.ref, &p.state, &p.At)
		return p, err
	})
}

// write writes the groups, then what is held in them.
func (c *correlating) write(ctx context.Context) error {
	var groups []*pendingGroup
	for _, k := range c.order {
		groups = append(groups, k.groups...)
	}
	return writeGroups(ctx, c.tx, c.batch, groups)
}

// writeGroups writes groups of correlations with what comes to them.
func writeGroups(ctx context.Context, tx pgx.Tx, batch int64, groups []*pendingGroup) error {
	isNew := func(g *pendingGroup) bool { return g.id == 0 }
	var created, updated, completed []*pendingGroup
	for _, g := range groups {
		if isNew(g) {
			created = append(created, g)
		} else {
			updated = append(updated, g)
		}
		if g.status == sensor.GroupCompleted {
			completed = append(completed, g)
		}
	}
	// What is over makes room for what follows: of a key, one group at most is pending.
	if err := updateCorrelated(ctx, tx, updated); err != nil {
		return err
	}
	if err := insertCorrelated(ctx, tx, created); err != nil {
		return err
	}
	if err := placeMatches(ctx, tx, batch, groups); err != nil {
		return err
	}
	if err := recount(ctx, tx, groups); err != nil {
		return err
	}
	return answerMatches(ctx, tx, completed)
}
