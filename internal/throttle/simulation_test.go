package throttle_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/internal/throttle"
)

// A simulation orders what decisions order, however many groups there are, of which most are over.
func TestSimulation(t *testing.T) {
	t.Parallel()
	for _, text := range []string{`{"once_within": "9s"}`, `{"at_least": 3, "within": "9s"}`, `{"once_after": "9s"}`} {
		th := parse(t, text)
		random := rand.New(rand.NewPCG(1, 2))
		s := throttle.NewSimulation(th)
		open := map[string][]*throttle.Group{}
		orders := 0
		for i := range 20_000 {
			key := fmt.Sprint(i/100 + random.IntN(5))
			m := throttle.Match{Event: int64(i + 1), At: start.Add(time.Duration(i) * 200 * time.Millisecond)}
			before := len(open[key])
			groups, d := th.Decide(open[key], m)
			open[key] = groups
			if d.State == throttle.Ordered || len(groups) > before && th.Waits() {
				orders++
			}
			s.Add(key, m)
		}
		require.EqualValues(t, orders, s.Orders(), text)
	}
	s := throttle.NewSimulation(nil)
	s.Add("", throttle.Match{})
	s.Add("", throttle.Match{})
	require.EqualValues(t, 2, s.Orders())
}
