package throttle_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/internal/throttle"
)

var start = time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)

// run decides about matches at these seconds, whose events are numbered from 1.
func run(th *throttle.Throttle, seconds ...int) (decisions []throttle.Decision, open []*throttle.Group) {
	for i, s := range seconds {
		var d throttle.Decision
		open, d = th.Decide(open, throttle.Match{Event: int64(i + 1), At: start.Add(time.Duration(s) * time.Second)})
		decisions = append(decisions, d)
	}
	return decisions, open
}

func TestOnceWithin(t *testing.T) {
	t.Parallel()
	// A late match, of 5 s, is suppressed by what is open; one at the end of the span orders.
	got, open := run(parse(t, `{"once_within": "10s"}`), 20, 29, 5, 30, 39, 60)
	require.Equal(t, []string{"ordered", "suppressed by 1", "suppressed by 1", "ordered", "suppressed by 4", "ordered"}, tell(got))
	require.Len(t, open, 1)
	require.Equal(t, start.Add(70*time.Second), open[0].Due)
	require.Zero(t, open[0].Count)
}

func TestAtLeast(t *testing.T) {
	t.Parallel()
	got, open := run(parse(t, `{"at_least": 3, "within": "10s"}`), 0, 5, 10, 11, 12, 13, 14)
	require.Equal(t, []string{"counted", "counted", "counted", "ordered for [2 3]", "counted", "counted", "ordered for [5 6]"}, tell(got))
	require.Zero(t, open[0].Count)
	// A late match counts with those that came before it, as long as it is not too late itself.
	got, _ = run(parse(t, `{"at_least": 3, "within": "10s"}`), 20, 11, 15)
	require.Equal(t, []string{"counted", "counted", "ordered for [1 2]"}, tell(got))
	got, open = run(parse(t, `{"at_least": 3, "within": "10s"}`), 20, 25, 5, 31)
	require.Equal(t, []string{"counted", "counted", "ordered for [1 2]", "counted"}, tell(got))
	require.EqualValues(t, 1, open[0].Count)
	require.EqualValues(t, 4, open[0].First)
}

func TestOnceAfter(t *testing.T) {
	t.Parallel()
	got, open := run(parse(t, `{"once_after": "10s"}`), 0, 9, 10, 5, 19, 20)
	require.Equal(t, []string{"collected", "collected", "collected", "collected", "collected", "collected"}, tell(got))
	require.Len(t, open, 3)
	require.EqualValues(t, []int64{3, 2, 1}, []int64{open[0].Count, open[1].Count, open[2].Count})
	require.EqualValues(t, 4, open[0].Last, "a late match belongs to the first that is open")
	require.Equal(t, start.Add(10*time.Second), open[0].Due)
}

func tell(decisions []throttle.Decision) []string {
	var all []string
	for _, d := range decisions {
		text := string(d.State)
		switch {
		case d.AnsweredBy != 0:
			text += fmt.Sprintf(" by %d", d.AnsweredBy)
		case len(d.Answers) > 0:
			text += fmt.Sprintf(" for %v", d.Answers)
		}
		all = append(all, text)
	}
	return all
}

// TestModel compares decisions about matches that come in the order of their time with what the words say, computed in the
// most naive way from all that came before.
func TestModel(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(8, 9))
	for range 500 {
		span, count := 1+random.IntN(30), 2+random.IntN(6)
		var seconds []int
		at := 0
		for range 60 {
			at += random.IntN(12)
			seconds = append(seconds, at)
		}
		within, _ := run(parse(t, fmt.Sprintf(`{"once_within": "%ds"}`, span)), seconds...)
		require.Equal(t, modelWithin(seconds, span), ordered(within))
		atLeast, _ := run(parse(t, fmt.Sprintf(`{"at_least": %d, "within": "%ds"}`, count, span)), seconds...)
		require.Equal(t, modelAtLeast(seconds, span, count), ordered(atLeast))
		after, open := run(parse(t, fmt.Sprintf(`{"once_after": "%ds"}`, span)), seconds...)
		require.Empty(t, ordered(after))
		require.Equal(t, modelWithin(seconds, span), opened(open), "a group opens where once_within would order")
	}
}

// TestStateSurvivesAnyOrder: in whatever order matches come, each is held or orders, and nothing is answered twice.
func TestStateSurvivesAnyOrder(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(10, 11))
	for range 300 {
		var seconds []int
		for range 80 {
			seconds = append(seconds, random.IntN(200))
		}
		for _, text := range []string{`{"once_within": "9s"}`, `{"at_least": 4, "within": "9s"}`, `{"once_after": "9s"}`} {
			th := parse(t, text)
			decisions, open := run(th, seconds...)
			answered, collected := map[int64]bool{}, int64(0)
			for i, d := range decisions {
				for _, event := range d.Answers {
					require.False(t, answered[event])
					require.Equal(t, throttle.Counted, decisions[event-1].State)
					answered[event] = true
				}
				require.True(t, d.AnsweredBy == 0 || decisions[d.AnsweredBy-1].State == throttle.Ordered)
				require.LessOrEqual(t, d.AnsweredBy, int64(i))
			}
			for _, g := range open {
				collected += g.Count
			}
			if th.Waits() {
				require.EqualValues(t, len(seconds), collected)
			}
		}
	}
}

func ordered(decisions []throttle.Decision) (places []int) {
	for i, d := range decisions {
		if d.State == throttle.Ordered {
			places = append(places, i)
		}
	}
	return places
}

func opened(groups []*throttle.Group) (places []int) {
	for _, g := range groups {
		places = append(places, int(g.First)-1)
	}
	return places
}

func modelWithin(seconds []int, span int) (places []int) {
	for i, s := range seconds {
		if !slices.ContainsFunc(places, func(p int) bool { return s-seconds[p] < span }) {
			places = append(places, i)
		}
	}
	return places
}

func modelAtLeast(seconds []int, span, count int) (places []int) {
	from := 0 // the first that is not answered
	for i, s := range seconds {
		n := 0
		for j := from; j <= i; j++ {
			if s-seconds[j] < span {
				n++
			}
		}
		if n >= count {
			places = append(places, i)
			from = i + 1
		}
	}
	return places
}
