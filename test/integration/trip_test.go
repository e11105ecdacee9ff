package integration

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/internal/config"
	"github.com/attune-automation/sensors/internal/explain"
	"github.com/attune-automation/sensors/internal/sensor"
	"github.com/attune-automation/sensors/test/stack"
)

// slowPack is a pack with a rule that goes over all pairs of a list, and one that does not.
const slowPack = `
-- pack.yaml --
ref: t
-- triggers/list.yaml --
ref: t.list
-- rules/fast.yaml --
ref: t.fast
trigger: t.list
action: {ref: core.page}
-- rules/slow.yaml --
ref: t.slow
trigger: t.list
cel: '!payload.list.exists(a, payload.list.exists(b, a + b == -1))'
action: {ref: core.page}
`

// TestSlowRuleIsTripped proves that a rule that takes too long again and again is taken out, on record, and comes back when
// it is reset, and that what was in force at each event stays known exactly.
func TestSlowRuleIsTripped(t *testing.T) {
	t.Parallel()
	s := stack.New(t, nil)
	messages := s.Watch()
	s.Apply(slowPack)
	s.StartWorker(func(c *config.Config) {
		c.Rules = config.Rules{MaxEvaluation: 2 * time.Millisecond, MaxOverruns: 3, OverrunWindow: time.Hour}
	})
	list := make([]int, 150)
	emit := func() (event int64, enforcements int) {
		payload, err := json.Marshal(map[string]any{"list": list})
		require.NoError(t, err)
		id, err := s.Store.StoreSystemEvent(t.Context(), sensor.SystemEvent{TriggerRef: "t.list", Payload: payload})
		require.NoError(t, err)
		result, err := s.Fleet.Emit(t.Context(), id)
		require.NoError(t, err)
		return result.EventID, result.Enforcements
	}

	var last int64
	for i, want := range []int{2, 2, 1, 1} {
		event, n := emit()
		require.Equal(t, want, n, "event %d", i)
		last = event
	}
	slow, err := s.Store.Rule(t.Context(), "t.slow")
	require.NoError(t, err)
	require.NotNil(t, slow.Tripped)
	require.Contains(t, slow.TripReason, "3 evaluations within 1h0m0s took more than 2ms")
	report, err := explain.Event(t.Context(), s.Store, last, explain.Options{RuleRef: "t.slow"})
	require.NoError(t, err)
	require.False(t, report.Rules[0].Matched())
	require.Contains(t, report.Rules[0].Then.String(), "1 of 1; it was tripped at 20")
	s.Sound(messages)

	reset, err := s.Store.ResetRule(t.Context(), "t.slow")
	require.NoError(t, err)
	require.True(t, reset)
	_, n := emit()
	require.Equal(t, 2, n)
	s.Sound(messages)
}
