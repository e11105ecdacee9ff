package store

import (
	"context"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/attune-automation/sensors/internal/sensor"
	"github.com/attune-automation/sensors/internal/throttle"
)

// throttling decides about the matches of throttled rules, in the transaction that writes what becomes of them. Matches of
// a rule are decided about one batch at a time, whatever workers match them: so the state that is read is the latest.
type throttling struct {
	tx    pgx.Tx
	batch int64

	throttles map[string]*throttle.Throttle // by rule
	groups    map[groupKey][]*throttle.Group
	versions  map[*throttle.Group]int64 // of the rule at the latest match; those that changed
	keys      map[*throttle.Group]groupKey
	changed   []*throttle.Group // in the order in which they changed first
	held      []heldMatch
	answers   []answer
	orders    []order
}

// groupKey names a group of a rule.
type groupKey struct {
	rule string
	key  string
}

// heldMatch is a match that is held back.
type heldMatch struct {
	match      *sensor.Match
	state      throttle.State
	group      *throttle.Group
	answeredBy int64
}

// answer says that the match of an event is answered by the enforcement of another one.
type answer struct {
	event, by int64
	rule      string
}

// order is a match that orders, for itself and for others that were counted.
type order struct {
	match  int // its place among the matches that order
	group  *throttle.Group
	events []int64 // of the others, in the order in which they came
}

// hold decides which matches order something, and writes those that do not. The matches that order are returned in their
// order, with what they stand for.
func hold(ctx context.Context, tx pgx.Tx, batch int64, again bool, matches []sensor.Match) ([]sensor.Match, error) {
	if !slices.ContainsFunc(matches, isGrouped) {
		return matches, nil
	}
	t := &throttling{
		tx: tx, batch: batch, throttles: map[string]*throttle.Throttle{}, groups: map[groupKey][]*throttle.Group{},
		versions: map[*throttle.Group]int64{}, keys: map[*throttle.Group]groupKey{},
	}
	if err := t.load(ctx, matches); err != nil {
		return nil, fmt.Errorf("reading the groups of throttled rules: %w", err)
	}
	if again {
		var err error
		if matches, err = t.fresh(ctx, matches); err != nil {
			return nil, fmt.Errorf("looking for matches that are decided about: %w", err)
		}
	}
	orders := t.decide(matches)
	if err := t.write(ctx); err != nil {
		return nil, fmt.Errorf("writing matches that are held back: %w", err)
	}
	if err := t.complete(ctx, orders); err != nil {
		return nil, fmt.Errorf("reading the events of groups: %w", err)
	}
	return orders, nil
}

func isGrouped(m sensor.Match) bool { return m.Grouping != nil }

// load locks the rules, and then reads the open groups of the matches.
func (t *throttling) load(ctx context.Context, matches []sensor.Match) error {
	var rules, kinds, keys []string
	for i := range matches {
		m := &matches[i]
		if m.Grouping == nil {
			continue
		}
		if t.throttles[m.Rule.Ref] == nil {
			parsed, err := throttle.Parse(m.Rule.Throttle)
			if err != nil || parsed == nil {
				return fmt.Errorf("the throttle of rule %q: %w", m.Rule.Ref, err)
			}
			t.throttles[m.Rule.Ref] = parsed
		}
		key := groupKey{m.Rule.Ref, m.Grouping.Key}
		if _, known := t.groups[key]; !known {
			t.groups[key] = nil
			rules, kinds, keys = append(rules, key.rule), append(kinds, string(t.throttles[key.rule].Kind)), append(keys, key.key)
		}
	}
	if err := lockRules(ctx, t.tx, rules); err != nil {
		return err
	}
	rows, err := t.tx.Query(ctx, `
		select g.id, g.rule_ref, g.key, g.opened, g.due, g.first_event, g.last_event, g.count, g.counted
		from unnest(@rules::text[], @kinds::text[], @keys::text[]) as w (rule_ref, kind, key)
		join attune.match_group g on g.rule_ref = w.rule_ref and g.kind = w.kind and md5(g.key) = md5(w.key) and g.key = w.key
			and g.status = 'open'
		order by g.opened, g.id
		for update of g`, pgx.NamedArgs{"rules": rules, "kinds": kinds, "keys": keys})
	if err != nil {
		return err
	}
	var counting []*throttle.Group
	var g throttle.Group
	var key groupKey
	var counted []int64
	_, err = pgx.ForEachRow(rows, []any{
		&g.ID, &key.rule, &key.key, &g.Opened, &g.Due, &g.First, &g.Last, &g.Count, &counted,
	}, func() error {
		group := g
		for _, event := range counted {
			group.Recent = append(group.Recent, throttle.Match{Event: event})
		}
		t.groups[key] = append(t.groups[key], &group)
		if len(counted) > 0 {
			counting = append(counting, &group)
		}
		return nil
	})
	if err != nil {
		return err
	}
	return t.dateCounted(ctx, counting)
}

// dateCounted reads when the events were recorded whose matches count in groups. Those that are gone count no more.
func (t *throttling) dateCounted(ctx context.Context, groups []*throttle.Group) error {
	if len(groups) == 0 {
		return nil
	}
	var ids []int64
	for _, g := range groups {
		for _, m := range g.Recent {
			ids = append(ids, m.Event)
		}
	}
	rows, err := t.tx.Query(ctx, `select id, created from attune.event where id = any(@ids)`, pgx.NamedArgs{"ids": ids})
	if err != nil {
		return err
	}
	recorded := make(map[int64]time.Time, len(ids))
	var id int64
	var created time.Time
	if _, err := pgx.ForEachRow(rows, []any{&id, &created}, func() error {
		recorded[id] = created
		return nil
	}); err != nil {
		return err
	}
	for _, g := range groups {
		g.Recent = slices.DeleteFunc(g.Recent, func(m throttle.Match) bool { return recorded[m.Event].IsZero() })
		for i := range g.Recent {
			g.Recent[i].At = recorded[g.Recent[i].Event]
		}
	}
	return nil
}

// fresh returns the matches without those that are decided about already, which a batch has that is matched once more.
func (t *throttling) fresh(ctx context.Context, matches []sensor.Match) ([]sensor.Match, error) {
	type pair struct {
		Event   int64
		RuleRef string
	}
	there, err := list[pair](ctx, t.tx, `
		select h.event, h.rule_ref from attune.event e join attune.held_match h on h.event = e.id where e.batch = @batch
		union all
		select n.event, n.rule_ref from attune.event e join attune.enforcement n on n.event = e.id where e.batch = @batch`,
		pgx.NamedArgs{"batch": t.batch})
	if err != nil {
		return nil, err
	}
	known := make(map[pair]bool, len(there))
	for _, p := range there {
		known[p] = true
	}
	return slices.DeleteFunc(slices.Clone(matches), func(m sensor.Match) bool {
		return m.Grouping != nil && known[pair{m.Event.ID, m.Rule.Ref}]
	}), nil
}

// decide decides about each match in turn, and returns those that order.
func (t *throttling) decide(matches []sensor.Match) []sensor.Match {
	orders := make([]sensor.Match, 0, len(matches))
	for i := range matches {
		m := &matches[i]
		if m.Grouping == nil {
			orders = append(orders, *m)
			continue
		}
		key := groupKey{m.Rule.Ref, m.Grouping.Key}
		groups, d := t.throttles[key.rule].Decide(t.groups[key], throttle.Match{Event: m.Event.ID, At: m.Event.Created})
		t.groups[key] = groups
		t.touch(d.Group, key, m.Rule.Version)
		if d.State != throttle.Ordered {
			t.held = append(t.held, heldMatch{m, d.State, d.Group, d.AnsweredBy})
			continue
		}
		for _, event := range d.Answers {
			t.answers = append(t.answers, answer{event: event, by: m.Event.ID, rule: key.rule})
		}
		t.orders = append(t.orders, order{len(orders), d.Group, d.Answers})
		orders = append(orders, *m)
	}
	return orders
}

func (t *throttling) touch(g *throttle.Group, key groupKey, version int64) {
	if _, known := t.versions[g]; !known {
		t.changed = append(t.changed, g)
		t.keys[g] = key
	}
	t.versions[g] = version
}

// complete gives each match that orders what it stands for, and its parameters.
func (t *throttling) complete(ctx context.Context, orders []sensor.Match) error {
	var wanted []int64
	for _, o := range t.orders {
		wanted = append(wanted, o.events[max(0, len(o.events)-sensor.MaxGroupEvents):]...)
	}
	events, err := groupEvents(ctx, t.tx, wanted)
	if err != nil {
		return err
	}
	for _, o := range t.orders {
		m := &orders[o.match]
		since := m.Event.Created
		var members []sensor.GroupEvent
		for _, id := range o.events {
			if e, ok := events[id]; ok {
				members = append(members, e)
			}
		}
		if len(members) > 0 {
			since = members[0].Created
		}
		members = append(members, sensor.GroupEvent{
			ID: m.Event.ID, TriggerRef: m.Event.TriggerRef, Created: m.Event.Created, Payload: m.Event.Payload,
		})
		group := sensor.NewGroup(o.group.ID, m.Grouping.Key, len(o.events)+1, since, members)
		if m.Group, err = json.Marshal(group); err != nil {
			return err
		}
		if m.Params, m.Reason, err = m.Grouping.Render(ctx, m.Group); err != nil {
			return err
		}
	}
	return nil
}

// lockRules has the matches of rules decided about by one transaction at a time. The locks are taken in one order.
func lockRules(ctx context.Context, tx pgx.Tx, refs []string) error {
	locks := make([]int64, len(refs))
	for i, ref := range refs {
		h := fnv.New64a()
		fmt.Fprint(h, "attune.rule:", ref)
		locks[i] = int64(h.Sum64())
	}
	slices.Sort(locks)
	_, err := tx.Exec(ctx, `select pg_advisory_xact_lock(k) from unnest(@locks::bigint[]) as k`,
		pgx.NamedArgs{"locks": slices.Compact(locks)})
	return err
}

// groupEvents returns events as enforcements list them, by ID.
func groupEvents(ctx context.Context, q querier, ids []int64) (map[int64]sensor.GroupEvent, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	type row struct {
		ID         int64
		TriggerRef string
		Created    time.Time
		Payload    json.RawMessage
	}
	rows, err := list[row](ctx, q, `
		select id, trigger_ref, created, payload from attune.event where id = any(@ids)`, pgx.NamedArgs{"ids": ids})
	events := make(map[int64]sensor.GroupEvent, len(rows))
	for _, r := range rows {
		events[r.ID] = sensor.GroupEvent{ID: r.ID, TriggerRef: r.TriggerRef, Created: r.Created, Payload: r.Payload}
	}
	return events, err
}
