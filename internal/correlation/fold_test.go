package correlation_test

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/internal/correlation"
)

var midnight = time.Date(2026, 1, 31, 0, 0, 0, 0, time.UTC)

func minute(n int) time.Time { return midnight.Add(time.Duration(n) * time.Minute) }

// definitions are of all shapes, within 10 minutes.
func definitions() map[string]*correlation.Definition {
	parts := func(names ...string) (parts []correlation.Part) {
		for _, name := range names {
			parts = append(parts, correlation.Part{Name: name, Trigger: "shop." + name})
		}
		return parts
	}
	of := func(ordered bool, absent bool, names ...string) *correlation.Definition {
		d := &correlation.Definition{Rule: "shop.rule", Within: 10 * time.Minute, Ordered: ordered, Parts: parts(names...)}
		d.Parts[len(names)-1].Absent = absent
		return d
	}
	return map[string]*correlation.Definition{
		"a then b":             of(true, false, "first", "b"),
		"a then b then c":      of(true, false, "first", "b", "c"),
		"a and b":              of(false, false, "first", "b"),
		"a and b and c":        of(false, false, "first", "b", "c"),
		"a then no b":          of(true, true, "first", "b"),
		"a then b then no c":   of(true, true, "first", "b", "c"),
		"a then b, c and no d": of(true, true, "first", "b", "c", "d"),
	}
}

// history is random matches, some of them by one event, some at the same time.
func history(d *correlation.Definition, r *rand.Rand, n int) (matches []correlation.Match) {
	for event := range n {
		at := minute(r.IntN(30))
		for part := range d.Parts {
			if r.IntN(len(d.Parts)) == 0 {
				matches = append(matches, correlation.Match{Part: part, Event: int64(event + 1), At: at})
			}
		}
	}
	return matches
}

// A run is a key as the service keeps it: it is told of matches as they are committed, keeps what no closed group has, and
// decides as it goes.
type run struct {
	d       *correlation.Definition
	open    []correlation.Match
	state   correlation.State
	endings []ending
}

func (r *run) take(m correlation.Match) {
	r.open = append(r.open, m)
	if r.state.Late(m) || r.d.Take(&r.state, m) == correlation.Completes {
		r.fold()
	}
}

// fold looks at all again, and keeps what is open.
func (r *run) fold() correlation.Group {
	var last correlation.Group
	groups := r.d.Fold(r.open)
	r.open, r.state = nil, correlation.State{}
	for _, last = range groups {
		if last.Outcome == correlation.Completed {
			completes := last.Matches[len(last.Matches)-1]
			r.endings = append(r.endings, ending{correlation.Completed, completes.Event, completes.At})
			continue
		}
		r.state = last.State
		for _, m := range last.Matches {
			r.open = append(r.open, m.Match)
		}
	}
	return last
}

// close ends what is due when nothing can come any more.
func (r *run) close() {
	for len(r.open) > 0 {
		g := r.fold()
		due, _ := r.d.Due(&g.State)
		outcome, left := r.d.Close(g, minute(1000))
		switch r.open = left; outcome {
		case correlation.Fulfilled:
			r.endings = append(r.endings, ending{outcome, 0, due})
		case correlation.Cancelled:
			r.endings = append(r.endings, ending{outcome, g.State.Came.Event, due})
		}
	}
}

// arrive has all matches come in an order.
func arrive(d *correlation.Definition, matches []correlation.Match) []ending {
	r := &run{d: d}
	for _, m := range matches {
		r.take(m)
	}
	r.close()
	return r.endings
}

func TestMatchesInOrderComeToWhatTheOracleSays(t *testing.T) {
	t.Parallel()
	for name, d := range definitions() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(1, 2))
			for range 2000 {
				matches := history(d, r, 1+r.IntN(12))
				slices.SortFunc(matches, correlation.Match.Compare)
				require.Equal(t, oracle(d, matches), arrive(d, matches), "%v", matches)
			}
		})
	}
}

func TestTheOrderInWhichPartsAreCommittedChangesNothing(t *testing.T) {
	t.Parallel()
	for name, d := range definitions() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(3, 4))
			for range 3000 {
				var matches []correlation.Match
				for part := range d.Parts {
					if r.IntN(5) > 0 {
						matches = append(matches, correlation.Match{Part: part, Event: int64(r.IntN(100)*10 + part), At: minute(r.IntN(13))})
					}
				}
				want := oracle(d, matches)
				r.Shuffle(len(matches), func(i, j int) { matches[i], matches[j] = matches[j], matches[i] })
				require.Equal(t, want, arrive(d, matches), "%v", matches)
			}
		})
	}
}

// What waits for a time is decided when all is there, so that any number of matches in any order comes to the same.
func TestAnAbsenceIsNoticedInAnyOrder(t *testing.T) {
	t.Parallel()
	for name, d := range definitions() {
		if !d.Waits() {
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(5, 6))
			for range 3000 {
				matches := history(d, r, 1+r.IntN(12))
				want := oracle(d, matches)
				r.Shuffle(len(matches), func(i, j int) { matches[i], matches[j] = matches[j], matches[i] })
				require.Equal(t, want, arrive(d, matches), "%v", matches)
			}
		})
	}
}
