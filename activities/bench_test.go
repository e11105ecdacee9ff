package activities

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"github.com/attune-automation/sensors/internal/sensor"
)

// BenchmarkMatch is what an event of a batch costs against 101 rules, of which two match it: with a limit to what a rule may
// take, which reads the clock, and without one.
func BenchmarkMatch(b *testing.B) {
	events := make([]sensor.Event, 1000)
	for i := range events {
		events[i] = sensor.Event{ID: int64(i), TriggerRef: "t.a", Payload: fmt.Appendf(nil, `{"n": %d}`, i%100), Config: json.RawMessage(`{}`)}
	}
	rules, err := newRuleCache(manyRules{}, zap.NewNop()).of(b.Context(), events)
	require.NoError(b, err)
	for _, limit := range []time.Duration{0, 50 * time.Millisecond} {
		strikes := newStrikes(RuleLimits{Evaluation: limit, Overruns: 5, Within: time.Minute}, uncounted{}, zap.NewNop())
		b.Run(fmt.Sprintf("limit_%s", limit), func(b *testing.B) {
			b.ReportAllocs()
			for range b.N {
				if _, err := rules.spread(b.Context(), events, 1, strikes); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(events)), "ns/event")
		})
	}
}
