// Package throttle decides what becomes of the matches of a rule that has a throttle: which of them order something, and
// which are held back. Its decisions are pure: they depend on the state of a group and on a match, never on a clock, so that
// the step that matches events, a backtest and the audit come to the same.
//
// Time is when an event was recorded. It does not run backwards within a group: a match that comes late, because its batch
// waited, counts for what is open.
package throttle

import (
	"fmt"
	"time"
)

// Kind says how a throttle works.
type Kind string

// The kinds of throttles.
const (
	// OnceWithin has the first match order, and suppresses those that follow within a span of it.
	OnceWithin Kind = "once_within"
	// OnceAfter has the first match open a group, whose one enforcement is written a span later, with all that came.
	OnceAfter Kind = "once_after"
	// AtLeast has a match order that is one of so many within a span, and then counts anew.
	AtLeast Kind = "at_least"
)

// The bounds of a throttle.
const (
	MinSpan  = time.Second
	MaxSpan  = 30 * 24 * time.Hour
	MinCount = 2
	MaxCount = 1000
)

// Throttle is what a rule says of how often it may order something. It is immutable.
type Throttle struct {
	Kind  Kind
	Span  time.Duration
	Count int // of AtLeast: how many matches it takes
	By    GroupBy
}

// Waits says whether the enforcements of the throttle are written when their time has come, and not by a match.
func (t *Throttle) Waits() bool { return t.Kind == OnceAfter }

// Matches is how many matches an enforcement stands for at least, and at most; 0: any number.
func (t *Throttle) Matches() (least, most int) {
	switch t.Kind {
	case OnceWithin:
		return 1, 1
	case AtLeast:
		return t.Count, 0 // more, if it took more of them before the rule was changed
	}
	return 1, 0
}

// String returns the throttle as people write it.
func (t *Throttle) String() string {
	if t.Kind == AtLeast {
		return fmt.Sprintf("at_least %d within %s", t.Count, Text(t.Span))
	}
	return fmt.Sprintf("%s %s", t.Kind, Text(t.Span))
}

// Text writes a span without needless units: 15m, 1h30m, 7d.
func Text(d time.Duration) string {
	const day = 24 * time.Hour
	text := ""
	for _, unit := range []struct {
		size time.Duration
		name string
	}{{day, "d"}, {time.Hour, "h"}, {time.Minute, "m"}} {
		if n := d / unit.size; n > 0 {
			text += fmt.Sprintf("%d%s", n, unit.name)
			d %= unit.size
		}
	}
	if d > 0 || text == "" {
		text += d.String()
	}
	return text
}
