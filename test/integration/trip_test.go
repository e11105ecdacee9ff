package integration

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/internal/config"
	"github.com/attune-automation/sensors/internal/explain"
	"github.com/attune-automation/sensors/internal/sensor"
	"github.com/attune-automation/sensors/internal/store"
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
	emit := func() (event int64, enforcements int) { return emitted(t, s, map[string]any{"list": list}) }

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

// emitted emits an event of t.list, and returns it and how many enforcements it has.
func emitted(t *testing.T, s *stack.Stack, payload any) (event int64, enforcements int) {
	t.Helper()
	text, err := json.Marshal(payload)
	require.NoError(t, err)
	id, err := s.Store.StoreSystemEvent(t.Context(), sensor.SystemEvent{TriggerRef: "t.list", Payload: text})
	require.NoError(t, err)
	result, err := s.Fleet.Emit(t.Context(), id)
	require.NoError(t, err)
	return result.EventID, result.Enforcements
}

// costlyPack is a pack with a rule that costs too much on long lists, and one that needs a field.
const costlyPack = `
-- pack.yaml --
ref: t
-- triggers/list.yaml --
ref: t.list
-- rules/costly.yaml --
ref: t.costly
trigger: t.list
cel: '!payload.list.exists(a, payload.list.exists(b, a + b == -1))'
action: {ref: core.page}
-- rules/brittle.yaml --
ref: t.brittle
trigger: t.list
cel: 'payload.missing.exists(m, m == 1)'
action: {ref: core.page}
`

// TestErrorsOfEvaluationAreCounted proves that what a rule's expression has no result for is on record, and that a rule is
// tripped whose expression costs too much, and only that one.
func TestErrorsOfEvaluationAreCounted(t *testing.T) {
	t.Parallel()
	s := stack.New(t, nil)
	messages := s.Watch()
	s.Apply(costlyPack)
	s.StartWorker(func(c *config.Config) {
		c.Rules = config.Rules{MaxEvaluation: time.Minute, MaxOverruns: 5, OverrunWindow: time.Hour}
	})
	emit := func(payload any) (event int64, enforcements int) { return emitted(t, s, payload) }
	errors := func() [2]int64 {
		activity, err := s.Store.RuleActivity(t.Context(), store.RuleFilter{PackRef: "t"}, time.Now().Add(-time.Hour))
		require.NoError(t, err)
		return [2]int64{activity["t.brittle"].Errors, activity["t.costly"].Errors}
	}

	_, n := emit(map[string]any{"list": []int{0}, "missing": []int{1}})
	require.Equal(t, 2, n)
	require.Equal(t, [2]int64{0, 0}, errors())
	var last int64
	for range 4 {
		last, n = emit(map[string]any{"list": make([]int, 330)})
		require.Zero(t, n)
	}
	require.Equal(t, [2]int64{4, 4}, errors())
	failed, err := s.Store.LastRuleError(t.Context(), "t.costly")
	require.NoError(t, err)
	require.Equal(t, []any{last, int64(1)}, []any{failed.Event, failed.Version})
	require.Contains(t, failed.Reason, "costs more than 200000 on this event")

	emit(map[string]any{"list": make([]int, 330)})
	require.Equal(t, [2]int64{5, 4}, errors(), "the batch that tripped it was matched without it")
	costly, err := s.Store.Rule(t.Context(), "t.costly")
	require.NoError(t, err)
	require.NotNil(t, costly.Tripped)
	require.Contains(t, costly.TripReason, "5 evaluations within 1h0m0s cost more than 200000: the last one was ended for its cost on event")
	brittle, err := s.Store.Rule(t.Context(), "t.brittle")
	require.NoError(t, err)
	require.Nil(t, brittle.Tripped)

	_, err = s.Store.ResetRule(t.Context(), "t.costly")
	require.NoError(t, err)
	_, n = emit(map[string]any{"list": []int{0}})
	require.Equal(t, 1, n)
	s.Sound(messages)
}
