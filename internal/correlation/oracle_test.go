package correlation_test

import (
	"slices"
	"time"

	"github.com/attune-automation/sensors/internal/correlation"
)

// An ending is what a group came to: the event that completed or cancelled it, or the time at which it was fulfilled.
type ending struct {
	outcome correlation.Outcome
	event   int64 // 0: fulfilled
	at      time.Time
}

// oracle looks at all matches of a key at once and tries all combinations: the first moment at which all parts are there,
// within the time, is the end of a group, which has all matches until then; what follows begins anew.
func oracle(d *correlation.Definition, matches []correlation.Match) (endings []ending) {
	rest := slices.SortedFunc(slices.Values(matches), correlation.Match.Compare)
	for j := 0; j < len(rest); j++ {
		latest, ok := opener(d, rest[:j+1])
		if !ok {
			continue
		}
		end := ending{correlation.Completed, rest[j].Event, rest[j].At}
		left := rest[j+1:]
		if d.Waits() {
			end, left = wait(d, left, latest.Add(d.Within))
		}
		endings = append(endings, end)
		rest, j = left, -1
	}
	return endings
}

// opener returns the latest match that the last one completes all parts with, in any way.
func opener(d *correlation.Definition, matches []correlation.Match) (latest time.Time, ok bool) {
	parts := len(d.Parts)
	if d.Waits() {
		parts--
	}
	last := matches[len(matches)-1]
	if !d.Ordered {
		for part := range parts {
			if !slices.ContainsFunc(matches, func(m correlation.Match) bool {
				return m.Part == part && last.At.Sub(m.At) <= d.Within
			}) {
				return latest, false
			}
		}
		return latest, true
	}
	var chains func(part int, before int, first time.Time)
	chains = func(part, after int, first time.Time) {
		for i := after; i < len(matches); i++ {
			m := matches[i]
			if m.Part != part || part > 0 && m.At.Sub(first) > d.Within {
				continue
			}
			begin := first
			if part == 0 {
				begin = m.At
			}
			if part < parts-1 {
				chains(part+1, i+1, begin)
			} else if m == last && (!ok || begin.After(latest)) {
				latest, ok = begin, true
			}
		}
	}
	chains(0, 0, time.Time{})
	return latest, ok
}

func wait(d *correlation.Definition, matches []correlation.Match, due time.Time) (ending, []correlation.Match) {
	for i, m := range matches {
		if m.At.After(due) {
			return ending{correlation.Fulfilled, 0, due}, matches[i:]
		}
		if d.Parts[m.Part].Absent {
			return ending{correlation.Cancelled, m.Event, m.At}, matches[i+1:]
		}
	}
	return ending{correlation.Fulfilled, 0, due}, nil
}
