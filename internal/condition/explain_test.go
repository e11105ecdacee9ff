package condition_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/internal/condition"
)

func TestExplain(t *testing.T) {
	t.Parallel()
	program := compile(t, condition.All, `[
		{"field": "payload.branch", "operator": "equals", "value": "main"},
		{"any": [
			{"field": "files", "operator": "greater_than", "value": 1.50},
			{"not": {"field": "author", "operator": "in", "value": ["bot", null]}}
		]},
		{"field": "labels.*", "operator": "not_equals", "value": null}
	]`)
	doc := condition.Document{condition.Payload: decode(t, `{"branch": "dev <1>", "files": 1.0, "author": null}`)}
	encoded, err := json.Marshal(program.Explain(&doc))
	require.NoError(t, err)
	require.JSONEq(t, `{
		"matched": false,
		"verdicts": [
			{"field": "payload.branch", "operator": "equals", "expected": "main", "actual": "dev <1>", "matched": false, "reason": "value is different"},
			{"any": [
				{"field": "files", "operator": "greater_than", "expected": 1.50, "actual": 1.0, "matched": false, "reason": "value is not greater"},
				{"not": {"field": "author", "operator": "in", "expected": ["bot", null], "actual": null, "matched": false, "reason": "value is null"}, "matched": true}
			], "matched": true},
			{"field": "labels.*", "operator": "not_equals", "expected": null, "matched": true, "reason": "field is missing"}
		]
	}`, string(encoded))
	require.Contains(t, string(encoded), `"expected":1.50,"actual":1.0`, "numbers keep their digits")

	empty, err := json.Marshal(compile(t, condition.Any, `[]`).Explain(&doc))
	require.NoError(t, err)
	require.Equal(t, `{"matched":true,"verdicts":[]}`, string(empty))
}
