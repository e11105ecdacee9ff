// Package correlation says what comes of the matches of several rules that belong together: of "A and then B within 10
// minutes", of "A and B in any order", and of "A and then no B". The rules are the parts of one; their matches are told apart
// by a key, and those with the same key are a group. The package is pure: it is told of matches in whatever order they are
// committed, and decides by when their events were recorded.
package correlation

import (
	"cmp"
	"time"
)

// Match says that a part matched an event.
type Match struct {
	Part  int       // its place in Definition.Parts
	Event int64     // the event's ID
	At    time.Time // when the event was recorded
}

// Compare orders matches by time. Of matches by one event the part that comes last in the definition is first: so one event
// is never two parts of a chain.
func (m Match) Compare(o Match) int {
	return cmp.Or(m.Moment().compare(o.Moment()), cmp.Compare(o.Part, m.Part))
}

// Moment returns when the match was, among all others.
func (m Match) Moment() Moment { return Moment{m.At, m.Event} }

// Moment is the place of an event among all others: by time, then by ID.
type Moment struct {
	At    time.Time `json:"at"`
	Event int64     `json:"event"`
}

func (m Moment) compare(o Moment) int {
	return cmp.Or(m.At.Compare(o.At), cmp.Compare(m.Event, o.Event))
}

// Verdict says what a match is to its group.
type Verdict string

// The verdicts on a match.
const (
	// Early: what has to come before it has not come, or is too long ago.
	Early Verdict = "early"
	// Collected: it belongs to the group, which goes on.
	Collected Verdict = "collected"
	// Completes: with it all parts are there.
	Completes Verdict = "completes"
	// Cancels: it is the part that must not come, and the group is over.
	Cancels Verdict = "cancels"
	// Waits: it came after the group was over, and is looked at when that is closed.
	Waits Verdict = "waits"
)
