package timer

import (
	"cmp"
	"slices"
	"time"
)

// MaxTicks is the most ticks that one poll fires; more than that are several polls.
const MaxTicks = 1000

// A tick is missed when it could not fire within the time that follows until the next of its schedule, but for these
// bounds: no poll is expected to be as late as that.
const (
	minGrace = 2 * time.Second
	maxGrace = 10 * time.Second
)

// Cursor is where a timer got to. All ticks of its schedules up to Until are handled: they fired, or were passed over
// because they were missed.
type Cursor struct {
	Until     time.Time `json:"until"`
	Sequence  int64     `json:"sequence"`            // of the last tick that fired
	Schedules []string  `json:"schedules,omitempty"` // those that Until is about, by their ID; nil: all
}

// tick is one that fires.
type tick struct {
	at       time.Time
	schedule int // position in the config
	caughtUp bool
}

// plan is what to do at one moment.
type plan struct {
	ticks  []tick    // that fire now, in order
	until  time.Time // up to where everything is handled then
	passed bool      // ticks fire or are passed over, so that a poll must know
	all    bool      // until is about all schedules, those that are new included
	more   bool      // there are more ticks that should have fired
	next   time.Time // when the next tick is to fire; zero: there is none
}

// planner plans the ticks of one sensor at one moment.
type planner struct {
	*Timer
	ref   string
	now   time.Time
	since time.Time           // up to where everything is handled
	known func(Schedule) bool // since is about it
	plan
}

// plan says which ticks fire now. A nil cursor is that of a sensor that has just been applied: it has missed nothing,
// but for single ticks of which it may want to catch up.
func (t *Timer) plan(ref string, c *Cursor, now time.Time) plan {
	p := planner{Timer: t, ref: ref, now: now, since: now, known: func(Schedule) bool { return false }}
	if c != nil {
		p.since = c.Until
		p.known = func(s Schedule) bool { return c.Schedules == nil || slices.Contains(c.Schedules, s.id) }
	}
	until := p.firstPending().Add(-1)
	for i, s := range t.Schedules {
		if p.known(s) {
			p.fire(i, p.since, until)
		}
	}
	if p.ticks = merge(p.ticks); len(p.ticks) > MaxTicks {
		p.ticks = p.ticks[:MaxTicks]
		p.until, p.more = p.ticks[MaxTicks-1].at, true
		return p.plan
	}
	for i, s := range t.Schedules {
		if s.Once && !p.known(s) {
			p.fire(i, now.Add(-t.CatchUpWindow-1), now)
		}
	}
	p.ticks, p.all = merge(p.ticks), true
	p.until = until
	if until.Before(p.since) {
		p.until = p.since
	}
	p.next = p.following(p.until)
	return p.plan
}

// firstPending returns the first tick that is not to fire yet, or the moment after now.
func (p *planner) firstPending() time.Time {
	first := p.now.Add(1)
	if p.Jitter == 0 {
		return first
	}
	for _, s := range p.Schedules {
		after := p.now.Add(-p.Jitter - 1)
		if after.Before(p.since) {
			after = p.since
		}
		for at, ok := s.Next(after); p.known(s) && ok && at.Before(first); at, ok = s.Next(at) {
			if p.due(p.ref, at).After(p.now) {
				first = at
			}
		}
	}
	return first
}

// fire adds the ticks of a schedule that fire now: of those after one instant and not after another.
func (p *planner) fire(i int, since, until time.Time) {
	s := p.Schedules[i]
	first, ok := s.Next(since)
	if !ok || first.After(until) {
		return
	}
	p.passed = true
	missed := p.now.Sub(p.due(p.ref, first)) > grace(s, first)
	oldest := p.now.Add(-p.CatchUpWindow)
	switch {
	case !missed || p.CatchUp == CatchUpAll:
		if missed && first.Before(oldest) {
			first, ok = s.Next(oldest.Add(-1))
		}
		for n := 0; ok && !first.After(until) && n <= MaxTicks; n++ {
			p.ticks = append(p.ticks, tick{at: first, schedule: i, caughtUp: missed})
			first, ok = s.Next(first)
		}
	case p.CatchUp == CatchUpLast:
		if at, ok := s.last(since, until); ok && !at.Before(oldest) {
			p.ticks = append(p.ticks, tick{at: at, schedule: i, caughtUp: true})
		}
	}
}

// grace returns how late a tick may be before it counts as missed.
func grace(s Schedule, at time.Time) time.Duration {
	following, ok := s.Next(at)
	if !ok {
		return maxGrace
	}
	return min(max(following.Sub(at), minGrace), maxGrace)
}

// merge brings ticks in order, and makes one of those of the same instant.
func merge(ticks []tick) []tick {
	slices.SortFunc(ticks, func(a, b tick) int { return cmp.Or(a.at.Compare(b.at), cmp.Compare(a.schedule, b.schedule)) })
	return slices.CompactFunc(ticks, func(a, b tick) bool { return a.at.Equal(b.at) })
}

// following returns when the first tick after the given instant is to fire.
func (p *planner) following(after time.Time) time.Time {
	var first time.Time
	for _, s := range p.Schedules {
		if at, ok := s.Next(after); ok && (first.IsZero() || at.Before(first)) {
			first = at
		}
	}
	if first.IsZero() {
		return first
	}
	return p.due(p.ref, first)
}
