package activities

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"github.com/attune-automation/sensors/internal/sensor"
)

// manyRules has a rule for each number, and one for all.
type manyRules struct{ ruleStore }

func (manyRules) RulesetVersion(context.Context, string) (int64, error) { return 1, nil }

func (manyRules) Ruleset(_ context.Context, ref string) (sensor.Ruleset, error) {
	set := sensor.Ruleset{TriggerRef: ref, Version: 1, Rules: []sensor.Rule{{Ref: "r.all", Condition: "all", Conditions: json.RawMessage(`[]`)}}}
	for i := range 100 {
		set.Rules = append(set.Rules, sensor.Rule{
			Ref: fmt.Sprintf("r.%d", i), Condition: "any", Conditions: fmt.Appendf(nil, `[{"field": "n", "operator": "equals", "value": %d}]`, i),
		})
	}
	return set, nil
}

// TestSpreadIsInOrder proves that a batch has the same matches on any number of processors.
func TestSpreadIsInOrder(t *testing.T) {
	t.Parallel()
	events := make([]sensor.Event, 1000)
	var want []string
	for i := range events {
		events[i] = sensor.Event{ID: int64(i), TriggerRef: "t.a", Payload: fmt.Appendf(nil, `{"n": %d}`, i%150), Config: json.RawMessage(`{}`)}
		if i%150 < 100 {
			want = append(want, fmt.Sprintf("%d r.%d", i, i%150))
		}
		want = append(want, fmt.Sprintf("%d r.all", i))
	}
	rules, err := newRuleCache(manyRules{}, zap.NewNop()).of(t.Context(), events)
	require.NoError(t, err)
	for _, processors := range []int{1, 2, 8} {
		found, err := rules.spread(t.Context(), events, processors, nil)
		require.NoError(t, err)
		require.Equal(t, want, matched(found.matches))
	}
	found, err := rules.match(t.Context(), events, nil)
	require.NoError(t, err)
	require.Equal(t, want, matched(found.matches))

	events[700].Payload = json.RawMessage(`{`)
	_, err = rules.spread(t.Context(), events, 8, nil)
	require.ErrorContains(t, err, "event 700: payload: invalid JSON")
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = rules.spread(canceled, events, 8, nil)
	require.ErrorIs(t, err, context.Canceled)
}

func matched(matches []sensor.Match) []string {
	var got []string
	for _, m := range matches {
		got = append(got, fmt.Sprintf("%d %s", m.Event.ID, m.Rule.Ref))
	}
	return got
}
