package workflows

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/internal/sensor"
)

func TestNextPollIsTheNextMomentOfTheSensorsOwnGrid(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 3, 29, 0, 59, 58, 123, time.UTC)
	for _, interval := range []time.Duration{time.Second, 30 * time.Second, 7 * time.Minute, 24 * time.Hour} {
		for i := range 50 {
			ref := fmt.Sprintf("pack.sensor%d", i)
			first := nextPoll(start, interval, ref)
			require.True(t, first.After(start))
			require.LessOrEqual(t, first.Sub(start), interval)
			require.Equal(t, first, nextPoll(first.Add(-1), interval, ref))
			require.Equal(t, first.Add(interval), nextPoll(first, interval, ref))
			require.Equal(t, first.Add(3*interval), nextPoll(first.Add(2*interval+interval/2), interval, ref), "missed moments are skipped")
		}
	}
}

func TestNextPollSpreadsAFleet(t *testing.T) {
	t.Parallel()
	const sensors, buckets = 3000, 30
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	var load [buckets]int
	for i := range sensors {
		load[int(nextPoll(now, buckets*time.Second, fmt.Sprintf("pack.sensor%d", i)).Sub(now)-1)/int(time.Second)]++
	}
	for second, n := range load {
		require.InDelta(t, sensors/buckets, n, 50, "second %d", second)
	}
}

func TestBackoffDoublesUpToItsLimit(t *testing.T) {
	t.Parallel()
	spec := sensor.Spec{Ref: "a.b", RestartBackoff: 10 * time.Second, MaxRestartBackoff: time.Minute}
	require.Zero(t, backoff(spec, 1))
	for attempt, most := range map[int]time.Duration{2: 10, 3: 20, 4: 40, 5: 60, 6: 60, 100: 60} {
		d := backoff(spec, attempt)
		require.LessOrEqual(t, d, most*time.Second, "attempt %d", attempt)
		require.GreaterOrEqual(t, d, most*time.Second*3/4, "attempt %d", attempt)
	}
	require.Zero(t, backoff(sensor.Spec{Ref: "a.b"}, 3))
}

func TestHistoryLimitsAreSpread(t *testing.T) {
	t.Parallel()
	seen := map[int]bool{}
	for i := range 100 {
		limit := historyLimit(fmt.Sprintf("pack.sensor%d", i))
		require.GreaterOrEqual(t, limit, 500)
		require.Less(t, limit, 1000)
		seen[limit] = true
	}
	require.Greater(t, len(seen), 50)
}
