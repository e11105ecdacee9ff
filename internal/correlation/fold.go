package correlation

import (
	"slices"
	"time"
)

// Outcome is what became of a group.
type Outcome string

// The outcomes of a group.
const (
	Open      Outcome = "open"      // something may come yet, or nothing has begun
	Completed Outcome = "completed" // all parts came
	Cancelled Outcome = "cancelled" // the part came that must not
	Fulfilled Outcome = "fulfilled" // the part did not come that must not
	Expired   Outcome = "expired"   // time was over before all parts had come
)

// Taken is a match with what it is to its group.
type Taken struct {
	Match
	Verdict Verdict
}

// Group is the matches of a key up to the one that completed it, or all of them.
type Group struct {
	Matches []Taken // in order
	State   State
	Outcome Outcome // Open or Completed
}

// Fold looks at all matches of a key that no closed group has, in whatever order they come, and returns their groups: at
// most the last is open, and there is none without a match.
func (d *Definition) Fold(matches []Match) []Group {
	matches = slices.Clone(matches)
	slices.SortFunc(matches, Match.Compare)
	var groups []Group
	g := Group{Outcome: Open}
	for _, m := range matches {
		verdict := d.Take(&g.State, m)
		g.Matches = append(g.Matches, Taken{m, verdict})
		if verdict == Completes {
			g.Outcome = Completed
			groups, g = append(groups, g), Group{Outcome: Open}
		}
	}
	if len(g.Matches) > 0 {
		groups = append(groups, g)
	}
	return groups
}

// Close decides on an open group when nothing that was recorded until the horizon is outstanding: so that the decision
// does not depend on the order in which its matches were committed. It is Open until the group is due. What is left of the
// matches belongs to groups that follow.
func (d *Definition) Close(g Group, horizon time.Time) (outcome Outcome, left []Match) {
	due, begun := d.Due(&g.State)
	switch {
	case !begun || due.After(horizon):
		return Open, nil
	case g.State.Came != nil:
		outcome = Cancelled
	case g.State.Armed != nil:
		outcome = Fulfilled
	default:
		outcome = Expired
	}
	for _, m := range g.Matches {
		if m.Verdict == Waits || m.At.After(due) && outcome == Expired {
			left = append(left, m.Match)
		}
	}
	return outcome, left
}

// Decisive returns the matches of a group that its enforcement is about: those that count, within the time before its end,
// which is that of the match that completed it, or else when it was due.
func (d *Definition) Decisive(g Group, end time.Time) []Match {
	var matches []Match
	for _, m := range g.Matches {
		counts := m.Verdict == Collected || m.Verdict == Completes
		if counts && !m.At.After(end) && end.Sub(m.At) <= d.Within {
			matches = append(matches, m.Match)
		}
	}
	return matches
}
