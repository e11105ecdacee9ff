package activities

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/attune-automation/sensors/internal/sensor"
)

// brittle has a rule that needs an n, a shadow that needs an n that is a number, and one that needs nothing.
type brittle struct {
	MatchStore
	written []sensor.RuleErrors
}

func (*brittle) RulesetVersion(context.Context, string) (int64, error) { return 1, nil }

func (*brittle) Ruleset(_ context.Context, ref string) (sensor.Ruleset, error) {
	set := sensor.Ruleset{TriggerRef: ref, Version: 1}
	for name, cel := range map[string]string{"r.n": `payload.n != 0`, "r.shadow": `payload.n > 0`, "r.all": `true`} {
		set.Rules = append(set.Rules, sensor.Rule{
			Ref: name, TriggerRef: ref, Version: 3, Shadow: name == "r.shadow", Condition: "all", Conditions: json.RawMessage(`[]`), CEL: cel,
		})
	}
	return set, nil
}

func (b *brittle) CommitEnforcements(
	_ context.Context, _ int64, _ map[string]int64, _ []sensor.Match, errors []sensor.RuleErrors,
) ([]sensor.Enforcement, error) {
	b.written = append(b.written, errors...)
	return nil, nil
}

type countedErrors struct {
	uncounted
	errors map[string]int
}

func (c *countedErrors) RuleErrors(trigger string, n int) { c.errors[trigger] += n }

// TestErrorsOfRules proves that the events that a rule has no result for are counted, with the last of them, on any number of
// processors, and that the log names the rule without quoting what the event has.
func TestErrorsOfRules(t *testing.T) {
	t.Parallel()
	events := make([]sensor.Event, 100)
	for i := range events {
		payload := fmt.Sprintf(`{"n": %d}`, i)
		switch {
		case i%10 == 5:
			payload = `{"secret": 1}`
		case i%10 == 7:
			payload = `{"n": "secret"}`
		}
		events[i] = sensor.Event{ID: int64(i), TriggerRef: "t.a", Payload: json.RawMessage(payload), Config: json.RawMessage(`{}`)}
	}
	store, metrics := &brittle{}, &countedErrors{errors: map[string]int{}}
	core, log := observer.New(zapcore.WarnLevel)
	m := NewMatcher(MatcherConfig{Store: store, Metrics: metrics, Logger: zap.New(core)})
	for _, processors := range []int{1, 2, 8} {
		rules, err := m.rules.of(t.Context(), events)
		require.NoError(t, err)
		found, err := rules.spread(t.Context(), events, processors, nil)
		require.NoError(t, err)
		errors := found.failed.list()
		require.Len(t, errors, 2)
		require.Equal(t, []any{"r.n", int64(10), int64(95)}, []any{errors[0].Rule.Ref, errors[0].Count, errors[0].LastEvent})
		require.Equal(t, []any{"r.shadow", int64(20), int64(97)}, []any{errors[1].Rule.Ref, errors[1].Count, errors[1].LastEvent})
		require.Contains(t, errors[0].LastReason, "n is missing")
	}
	for range 2 {
		_, err := m.write(t.Context(), 1, events)
		require.NoError(t, err)
	}
	require.Len(t, store.written, 4, "who writes knows whether the batch is written")
	require.Equal(t, map[string]int{"t.a": 60}, metrics.errors)
	require.Equal(t, 2, log.Len(), "a rule is named once a minute")
	for _, entry := range log.All() {
		line, err := json.Marshal(entry.ContextMap())
		require.NoError(t, err)
		require.NotContains(t, string(line), "secret")
		require.Contains(t, []any{int64(10), int64(20)}, entry.ContextMap()["errors"])
	}
}

// TestComplaints proves how often the log names a rule, and that no error is left out.
func TestComplaints(t *testing.T) {
	t.Parallel()
	c, now := newComplaints(zap.NewNop()), time.Now()
	r := &sensor.Rule{Ref: "t.r", Version: 1}
	require.EqualValues(t, 2, c.due(r, 2, now))
	require.Zero(t, c.due(r, 3, now.Add(59*time.Second)))
	require.EqualValues(t, 1, c.due(&sensor.Rule{Ref: "t.other", Version: 1}, 1, now.Add(59*time.Second)))
	require.EqualValues(t, 7, c.due(r, 4, now.Add(time.Minute)))
	require.EqualValues(t, 1, c.due(&sensor.Rule{Ref: "t.r", Version: 2}, 1, now.Add(time.Minute)), "another version")
}
