package correlation_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/internal/correlation"
)

// A simulation orders what the oracle says that groups come to, whenever it is asked.
func TestSimulation(t *testing.T) {
	t.Parallel()
	for name, d := range definitions() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(1, 2))
			for range 2000 {
				matches := history(d, r, 1+r.IntN(12))
				slices.SortFunc(matches, correlation.Match.Compare)
				s := correlation.NewSimulation(d)
				for _, m := range matches {
					s.Add("", m)
				}
				horizon := minute(30 + r.IntN(20))
				var want int64
				for _, e := range oracle(d, matches) {
					if e.outcome != correlation.Cancelled && !e.at.After(horizon) {
						want++
					}
				}
				require.Equal(t, want, s.Orders(horizon), "%v", matches)
			}
		})
	}
}

// However many keys there are, each is a group of its own, and those that are over are forgotten.
func TestSimulationOfManyKeys(t *testing.T) {
	t.Parallel()
	d := definitions()["a then no b"]
	s := correlation.NewSimulation(d)
	at := midnight
	const keys = 20_000
	for i := range keys {
		at = at.Add(time.Second)
		s.Add(fmt.Sprint(i), correlation.Match{Part: 0, Event: int64(2*i + 1), At: at})
		if i%4 == 0 {
			s.Add(fmt.Sprint(i), correlation.Match{Part: 1, Event: int64(2*i + 2), At: at.Add(time.Minute)})
		}
	}
	require.EqualValues(t, keys*3/4, s.Orders(at.Add(d.Within)))
}
