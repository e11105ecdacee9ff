package store

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/attune-automation/sensors/internal/correlation"
	"github.com/attune-automation/sensors/internal/sensor"
	"github.com/attune-automation/sensors/internal/throttle"
)

// kindCorrelation is the kind of groups of rules that are parts of a correlation.
const kindCorrelation = "correlation"

// correlating decides about the matches of rules that are parts of a correlation, in the transaction that writes what
// becomes of them. All matches of all parts are held: what orders is their group.
//
// At most one group of a key has not been decided about, open or early. It has the matches that no decided group has, and
// its state is all that most matches need. When one is late, or the correlation has changed, they are all read again.
type correlating struct {
	tx     pgx.Tx
	batch  int64
	wholes map[string]*whole // by ref
	keys   map[groupKey]*correlated
	order  []*correlated // in the order of their first matches
}

// whole is a correlation with the mark of its definition, which tells a state that is of another one.
type whole struct {
	*correlation.Definition
	mark  string
	parts map[string]int // by ref
}

// correlated is a key with what a batch brings to it.
type correlated struct {
	groupKey
	whole   *whole
	matches []placed
	pending *pendingGroup   // nil: there is none
	rows    []placed        // of the pending group, if they have to be looked at again
	groups  []*pendingGroup // with what is brought
}

// placed is a match and its place: one that the batch brings, or one that is held already.
type placed struct {
	correlation.Match
	row   *sensor.Match // nil: it is held already
	ref   string        // of the part
	group int64         // that it is held in; 0: none yet
	state string        // in which it is held, and then in which it is to be
}

// The states in which matches of correlations are held.
const (
	heldCollected = string(throttle.Collected)
	heldEarly     = "early"
)

// pendingGroup is a row of match_group that takes matches, or is to have them.
type pendingGroup struct {
	groupKey
	id          int64 // 0: it is new
	status      string
	mark        string // of the definition that the state is of
	state       correlation.State
	opened, due time.Time
	count       int64 // matches that count
	recount     bool  // since they were looked at again
	first, last int64
	event       int64     // that completed it; 0: none
	since       time.Time // from when on matches count for the enforcement of one that is completed
	members     []placed  // that come to it, or are looked at again
}

// correlate decides about the matches of parts of correlations, and returns the other matches.
func correlate(ctx context.Context, tx pgx.Tx, batch int64, again bool, matches []sensor.Match) ([]sensor.Match, error) {
	if !slices.ContainsFunc(matches, isPart) {
		return matches, nil
	}
	c := &correlating{tx: tx, batch: batch, wholes: map[string]*whole{}, keys: map[groupKey]*correlated{}}
	others, err := c.sort(matches)
	if err != nil {
		return nil, err
	}
	if err := c.load(ctx, again); err != nil {
		return nil, fmt.Errorf("reading the groups of correlations: %w", err)
	}
	for _, k := range c.order {
		k.decide()
	}
	if err := c.write(ctx); err != nil {
		return nil, fmt.Errorf("writing the groups of correlations: %w", err)
	}
	return others, nil
}

func isPart(m sensor.Match) bool { return m.Grouping != nil && len(m.Rule.Correlation) > 0 }

// sort brings the matches of parts to their keys, and returns the others.
func (c *correlating) sort(matches []sensor.Match) (others []sensor.Match, err error) {
	byRule := map[string]*whole{}
	for i := range matches {
		m := &matches[i]
		if !isPart(*m) {
			others = append(others, *m)
			continue
		}
		w := byRule[m.Rule.Ref]
		if w == nil {
			if w, err = c.whole(m.Rule); err != nil {
				return nil, err
			}
			byRule[m.Rule.Ref] = w
		}
		key := groupKey{w.Rule, m.Grouping.Key}
		if c.keys[key] == nil {
			c.keys[key] = &correlated{groupKey: key, whole: w}
			c.order = append(c.order, c.keys[key])
		}
		c.keys[key].matches = append(c.keys[key].matches, placed{
			Match: correlation.Match{Part: w.part(m.Rule.Ref), Event: m.Event.ID, At: m.Event.Created}, row: m, ref: m.Rule.Ref,
		})
	}
	return others, nil
}

// whole returns what a rule is a part of. If the parts of a batch are of two definitions, because that changes just now, the
// first of them counts, and the next match brings the other.
func (c *correlating) whole(r *sensor.Rule) (*whole, error) {
	d, _, err := correlation.Parse(r.Correlation)
	if err != nil {
		return nil, fmt.Errorf("the correlation of rule %q: %w", r.Ref, err)
	}
	if known := c.wholes[d.Rule]; known != nil {
		return known, nil
	}
	c.wholes[d.Rule] = newWhole(d)
	return c.wholes[d.Rule], nil
}

func newWhole(d *correlation.Definition) *whole {
	w := &whole{Definition: d, mark: d.Mark(), parts: map[string]int{}}
	for i, ref := range d.Refs() {
		w.parts[ref] = i
	}
	return w
}

// noPart is the place of a match whose part the correlation does not have any more.
const noPart = -1

func (w *whole) part(ref string) int {
	if i, ok := w.parts[ref]; ok {
		return i
	}
	return noPart
}

// again says whether the rows of the pending group have to be looked at, too.
func (k *correlated) again() bool {
	return k.pending != nil && (k.pending.mark != k.whole.mark ||
		slices.ContainsFunc(k.matches, func(p placed) bool { return k.pending.state.Late(p.Match) }))
}

// decide finds the groups of the key with what the batch brings.
func (k *correlated) decide() {
	g, matches := k.pending, k.matches
	switch {
	case g == nil:
		g = k.newGroup()
	case k.again():
		g.state, g.recount = correlation.State{}, true
		matches = append(slices.Clone(k.rows), matches...)
	}
	g.mark = k.whole.mark
	slices.SortFunc(matches, func(a, b placed) int { return a.Compare(b.Match) })
	for _, p := range matches {
		verdict := correlation.Early
		if p.Part != noPart {
			verdict = k.whole.Take(&g.state, p.Match)
		}
		g.take(p, verdict)
		if verdict != correlation.Completes {
			continue
		}
		g.status, g.event, g.due, g.since = sensor.GroupCompleted, p.Event, p.At, p.At.Add(-k.whole.Within)
		k.groups = append(k.groups, g)
		g = k.newGroup()
	}
	if len(g.members) > 0 {
		g.settle(k.whole)
		k.groups = append(k.groups, g)
	}
}

func (k *correlated) newGroup() *pendingGroup {
	return &pendingGroup{groupKey: k.groupKey, status: sensor.GroupEarly, mark: k.whole.mark}
}

// take counts a match in.
func (g *pendingGroup) take(p placed, verdict correlation.Verdict) {
	if p.state = heldCollected; verdict == correlation.Early {
		p.state = heldEarly
	}
	g.members = append(g.members, p)
	g.last = p.Event
	if p.state == heldCollected {
		g.count++
	}
	if p.state == heldCollected && (g.status == sensor.GroupEarly || p.At.Before(g.opened)) {
		g.status, g.opened, g.first = sensor.GroupOpen, p.At, p.Event
	}
}

// settle says until when something may come.
func (g *pendingGroup) settle(w *whole) {
	due, begun := w.Due(&g.state)
	if begun {
		g.status, g.due = sensor.GroupOpen, due
		return
	}
	first := g.members[0]
	g.status, g.opened, g.due, g.first = sensor.GroupEarly, first.At, first.At.Add(w.Within), first.Event
}
