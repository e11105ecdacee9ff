package rule_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/internal/condition"
	"github.com/attune-automation/sensors/internal/expression"
	"github.com/attune-automation/sensors/internal/rule"
	"github.com/attune-automation/sensors/internal/sensor"
)

const equalsMain = `[{"field": "branch", "operator": "equals", "value": "main"}]`

// The conditions and the expression must hold, whatever combines the conditions. An expression without a result does not.
func TestExpressionBesideConditions(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		rule    sensor.Rule
		payload string
		want    bool
		reason  string
	}{
		"both hold":            {sensor.Rule{Conditions: json.RawMessage(equalsMain), CEL: `payload.n > 1`}, `{"branch": "main", "n": 2}`, true, "is true"},
		"any, and expression":  {sensor.Rule{Condition: "any", Conditions: json.RawMessage(equalsMain), CEL: `payload.n > 1`}, `{"branch": "dev", "n": 2}`, false, "is true"},
		"only conditions hold": {sensor.Rule{Conditions: json.RawMessage(equalsMain), CEL: `payload.n > 1`}, `{"branch": "main", "n": 1}`, false, "is false"},
		"expression alone":     {sensor.Rule{Conditions: json.RawMessage(`[]`), CEL: `rule.ref == "shop.r" && payload.n > 1`}, `{"n": 2}`, true, "is true"},
		"no result":            {sensor.Rule{Conditions: json.RawMessage(`[]`), CEL: `payload.n > 1`}, `{}`, false, "payload.n: n is missing"},
	} {
		c.rule.Ref = "shop.r"
		compiled, err := rule.Compile(&c.rule)
		require.NoError(t, err, name)
		matched, err := compiled.Match(t.Context(), document(t, c.payload))
		require.NoError(t, err, name)
		require.Equal(t, c.want, matched, name)
		explanation, err := compiled.Explain(t.Context(), document(t, c.payload))
		require.NoError(t, err, name)
		require.Equal(t, c.want, explanation.Matched, name)
		require.Equal(t, c.reason, explanation.CEL.Reason, name)
	}
}

func TestParams(t *testing.T) {
	t.Parallel()
	for params, want := range map[string]struct{ params, reason string }{
		`{"level": 2}`:                            {},
		`{"n": "{{ payload.n }}", "k": [1]}`:      {params: `{"k":[1],"n":7}`},
		`{"n": "{{ payload.nope }}"}`:             {reason: "action.params.n: payload.nope: nope is missing"},
		`{"a": "{{ payload.t }}{{ payload.t }}"}`: {reason: "action.params would have 300008 bytes: at most 262144 are allowed"},
	} {
		compiled, err := rule.Compile(&sensor.Rule{Conditions: json.RawMessage(`[]`), ActionParams: json.RawMessage(params)})
		require.NoError(t, err)
		got, reason, err := compiled.Params(t.Context(), document(t, `{"n": 7, "t": "`+strings.Repeat("a", 150_000)+`"}`))
		require.NoError(t, err)
		require.Equal(t, want.params, string(got))
		require.Equal(t, want.reason, reason)
	}
}

// The templates of an action have a limit together, whatever each of them may cost.
func TestParamsCost(t *testing.T) {
	t.Parallel()
	const loop = `{{ lists.range(100).all(a, lists.range(100).all(b, a + b >= 0)) }}`
	texts := make([]string, 20)
	for i := range texts {
		texts[i] = []string{loop, "text " + loop}[i%2]
	}
	params, err := json.Marshal(texts)
	require.NoError(t, err)
	compiled, err := rule.Compile(&sensor.Rule{Conditions: json.RawMessage(`[]`), ActionParams: params})
	require.NoError(t, err)
	_, reason, err := compiled.Params(t.Context(), document(t, `{}`))
	require.NoError(t, err)
	require.Regexp(t, `^action\.params\.?\[\d+\]: the templates so far cost more than 1000000 on this event`, reason)
}

func TestUsesAllThatTheRuleLooksAt(t *testing.T) {
	t.Parallel()
	compiled, err := rule.Compile(&sensor.Rule{
		Conditions: json.RawMessage(`[]`), CEL: `event.id > 1`, ActionParams: json.RawMessage(`{"a": "{{ trigger.ref }}"}`),
	})
	require.NoError(t, err)
	require.True(t, compiled.Uses(condition.Event))
	require.True(t, compiled.Uses(condition.Trigger))
	require.False(t, compiled.Uses(condition.Sensor))
}

func TestInvalidNamesEveryPlace(t *testing.T) {
	t.Parallel()
	_, err := rule.Compile(&sensor.Rule{
		Condition: "some", Conditions: json.RawMessage(`[]`), CEL: `payload.`, ActionParams: json.RawMessage(`{"a": ["{{ nope }}"]}`),
	})
	var conditions condition.Problems
	var cel expression.Problems
	var params expression.PathProblems
	require.ErrorAs(t, err, &conditions)
	require.ErrorAs(t, err, &cel)
	require.ErrorAs(t, err, &params)
	require.ErrorContains(t, err, "cel: line 1, column 9: syntax error")
	require.ErrorContains(t, err, `action.params.a[0]: line 1, column 4: unknown name "nope"`)
}
