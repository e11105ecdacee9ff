package cron_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/internal/cron"
)

// BenchmarkNext takes the next instants of 10,000 distinct expressions, in zones all over the world, from moments of 30
// years. It reports the time of one.
func BenchmarkNext(b *testing.B) {
	r := rand.New(rand.NewPCG(7, 8))
	seen := map[string]bool{}
	specs, locations := []*cron.Spec{}, []*time.Location{}
	for len(specs) < 10_000 {
		j := randomJob(r, r.IntN(4) == 0)
		spec, err := cron.Parse(j.text)
		if err == nil && !seen[j.text] {
			seen[j.text] = true
			specs = append(specs, spec)
		}
	}
	for _, name := range append([]string{"UTC"}, odd...) {
		location, err := cron.LoadLocation(name)
		require.NoError(b, err)
		locations = append(locations, location)
	}
	from := time.Date(2026, 11, 26, 0, 0, 0, 0, time.UTC)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		at := from.Add(time.Duration(i%10_000) * 26 * time.Hour)
		specs[i%10_000].Next(at, cron.Zone{Location: locations[i%len(locations)]})
	}
}

// BenchmarkNextSparse takes the next instants of expressions that are hardly ever due.
func BenchmarkNextSparse(b *testing.B) {
	for _, text := range []string{"0 0 29 2 */6", "0 12 31W 12 ?", "0 0 * 2 SUN#5", "30 2 L-30 3 *"} {
		spec, err := cron.Parse(text)
		require.NoError(b, err)
		for _, name := range []string{"UTC", "America/New_York", "Africa/Casablanca"} {
			location, err := cron.LoadLocation(name)
			require.NoError(b, err)
			b.Run(text+" "+name, func(b *testing.B) {
				at := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
				for b.Loop() {
					spec.Next(at, cron.Zone{Location: location})
				}
			})
		}
	}
}
