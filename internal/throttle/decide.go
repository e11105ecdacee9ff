package throttle

import (
	"slices"
	"time"
)

// State says what became of a match.
type State string

// The states of matches. Ordered is one that has an enforcement of its own; the others are held back.
const (
	Ordered    State = "ordered"
	Suppressed State = "suppressed" // another one has ordered already
	Counted    State = "counted"    // it takes more of them
	Collected  State = "collected"  // its group's enforcement lists it
)

// Match is a match of the rule, as far as decisions go.
type Match struct {
	Event int64     // its ID
	At    time.Time // when the event was recorded
}

// Group is the state of one group of a rule.
type Group struct {
	ID     int64     // 0: it is new
	Opened time.Time // OnceWithin: when it ordered last; AtLeast: the first match that counts
	Due    time.Time // OnceAfter: when its enforcement is written; else when it will be as if it had never been
	First  int64     // event that opened it; OnceWithin: whose enforcement suppresses the others
	Last   int64     // event of its latest match
	Count  int64     // its matches; OnceWithin: those that are suppressed; AtLeast: those that count
	Recent []Match   // AtLeast: those that count, in the order in which they came
}

// Decision is what becomes of a match.
type Decision struct {
	State State
	Group *Group
	// AnsweredBy is the event whose enforcement suppresses the match; 0: none does.
	AnsweredBy int64
	// Answers are the events of the matches that were counted before one that orders.
	Answers []int64
}

// Decide says what becomes of a match of a group, whose open states are these, the oldest first. It changes the state that
// the match belongs to, and returns the states with a new one, if the match opens it.
func (t *Throttle) Decide(open []*Group, m Match) ([]*Group, Decision) {
	switch t.Kind {
	case OnceAfter:
		return t.collect(open, m)
	case AtLeast:
		open, g := first(open)
		return open, t.count(g, m)
	default:
		open, g := first(open)
		return open, t.once(g, m)
	}
}

// first returns the one state of kinds that have one.
func first(open []*Group) ([]*Group, *Group) {
	if len(open) == 0 {
		open = []*Group{{}}
	}
	return open, open[0]
}

func (t *Throttle) once(g *Group, m Match) Decision {
	if g.First != 0 && m.At.Before(g.Opened.Add(t.Span)) {
		g.Count++
		g.Last = m.Event
		return Decision{State: Suppressed, Group: g, AnsweredBy: g.First}
	}
	g.open(m, t.Span)
	g.Count = 0
	return Decision{State: Ordered, Group: g}
}

func (t *Throttle) count(g *Group, m Match) Decision {
	now := m.At
	for _, r := range g.Recent {
		if r.At.After(now) {
			now = r.At
		}
	}
	since := now.Add(-t.Span)
	g.Recent = slices.DeleteFunc(g.Recent, func(r Match) bool { return !r.At.After(since) })
	d := Decision{State: Counted, Group: g}
	if len(g.Recent)+1 >= t.Count {
		d.State = Ordered
		for _, r := range g.Recent {
			d.Answers = append(d.Answers, r.Event)
		}
		g.Recent = nil
	} else {
		g.Recent = append(g.Recent, m)
	}
	oldest := m
	if g.Count = int64(len(g.Recent)); g.Count > 0 {
		oldest = g.Recent[0]
	}
	g.open(oldest, t.Span)
	g.Due, g.Last = now.Add(t.Span), m.Event
	return d
}

func (t *Throttle) collect(open []*Group, m Match) ([]*Group, Decision) {
	for _, g := range open {
		if m.At.Before(g.Due) {
			g.Count++
			g.Last = m.Event
			return open, Decision{State: Collected, Group: g}
		}
	}
	g := &Group{Count: 1}
	g.open(m, t.Span)
	return append(open, g), Decision{State: Collected, Group: g}
}

func (g *Group) open(m Match, span time.Duration) {
	g.Opened, g.Due, g.First, g.Last = m.At, m.At.Add(span), m.Event, m.Event
}
