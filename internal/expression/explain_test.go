package expression_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/internal/expression"
)

func TestExplain(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]expression.Verdict{
		`payload.files > 3`: {Actual: json.RawMessage(`7`), Matched: true, Reason: "is true"},
		`payload.nope > 3`:  {Reason: "payload.nope: nope is missing", Failed: true},
		`payload.branch.startsWith("ma") && payload.files < 3 && payload.nope == 1`: {
			Reason: "is false",
			All: []expression.Verdict{
				{Expression: `payload.branch.startsWith("ma")`, Actual: json.RawMessage(`"main"`), Matched: true, Reason: "is true"},
				{Expression: `payload.files < 3`, Actual: json.RawMessage(`7`), Reason: "is false"},
				{Expression: `payload.nope == 1`, Reason: "payload.nope: nope is missing", Failed: true},
			},
		},
		`payload.user.tags.exists(x, x == "z") && payload.ok`: {
			Reason: "is false",
			All: []expression.Verdict{
				{Expression: `payload.user.tags.exists(x, x == "z")`, Reason: "is false"},
				{Expression: `payload.ok`, Matched: true, Reason: "is true"},
			},
		},
	} {
		program, err := expression.CompileCondition(rule, text)
		require.NoError(t, err)
		got, err := program.Explain(t.Context(), input(t, payload))
		require.NoError(t, err)
		want.Expression = text
		require.Equal(t, want, got)
	}
}
