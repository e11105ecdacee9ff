package rule_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/internal/condition"
	"github.com/attune-automation/sensors/internal/rule"
	"github.com/attune-automation/sensors/internal/sensor"
)

// document is an event with this payload.
func document(t *testing.T, payload string) *rule.Document {
	t.Helper()
	value, err := condition.Decode([]byte(payload))
	require.NoError(t, err)
	return rule.NewDocument(condition.Document{condition.Payload: value})
}

func TestMatchAndExplainAgree(t *testing.T) {
	t.Parallel()
	compiled, err := rule.Compile(&sensor.Rule{
		Condition: "any", Conditions: json.RawMessage(`[
			{"field": "payload.branch", "operator": "equals", "value": "main"},
			{"field": "files", "operator": "greater_than", "value": 3}]`),
	})
	require.NoError(t, err)
	require.True(t, compiled.Uses(condition.Payload))
	require.False(t, compiled.Uses(condition.Sensor))
	for payload, want := range map[string]bool{
		`{"branch": "main"}`:              true,
		`{"branch": "dev", "files": 4}`:   true,
		`{"branch": "dev", "files": 3}`:   false,
		`{"branch": "Main", "files": ""}`: false,
	} {
		matched, err := compiled.Match(t.Context(), document(t, payload))
		require.NoError(t, err)
		require.Equal(t, want, matched, payload)
		explanation, err := compiled.Explain(t.Context(), document(t, payload))
		require.NoError(t, err)
		require.Equal(t, want, explanation.Matched, payload)
		require.Len(t, explanation.Verdicts, 2)
	}
}

func TestCompileReportsProblems(t *testing.T) {
	t.Parallel()
	_, err := rule.Compile(&sensor.Rule{Condition: "some", Conditions: json.RawMessage(`[{"field": "a", "operator": "is", "value": 1}]`)})
	var problems condition.Problems
	require.ErrorAs(t, err, &problems)
	require.Len(t, problems, 2)
}
