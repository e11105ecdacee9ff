package rule_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/internal/condition"
	"github.com/attune-automation/sensors/internal/rule"
	"github.com/attune-automation/sensors/internal/sensor"
)

func TestGrouping(t *testing.T) {
	t.Parallel()
	compiled, err := rule.Compile(&sensor.Rule{
		Ref: "shop.r", Conditions: json.RawMessage(`[]`), Throttle: json.RawMessage(`{"once_within": "1m", "group_by": ["host", "event.source_ref"]}`),
		ActionParams: json.RawMessage(`{"n": "{{ group.count }}", "hosts": "{{ events.map(e, e.payload.host) }}", "own": "{{ payload.host }}"}`),
	})
	require.NoError(t, err)
	require.Equal(t, "once_within 1m", compiled.Throttle().String())
	require.True(t, compiled.Uses(condition.Event), "what it groups by is read")
	doc := document(t, `{"host": "a"}`)
	g := compiled.Grouping(doc)
	require.Equal(t, `{"event.source_ref":null,"host":"a"}`, g.Key)
	params, reason, err := g.Render(t.Context(), json.RawMessage(`{"count": 2, "events": [{"payload": {"host": "b"}}, {"payload": {"host": "a"}}]}`))
	require.NoError(t, err)
	require.Empty(t, reason)
	require.JSONEq(t, `{"n": 2, "hosts": ["b", "a"], "own": "a"}`, string(params))
	params, reason, err = compiled.Params(t.Context(), doc)
	require.NoError(t, err)
	require.Empty(t, reason)
	require.JSONEq(t, `{"n": 1, "hosts": ["a"], "own": "a"}`, string(params), "where it is tried out, an event stands for itself")
	_, reason, err = g.Render(t.Context(), json.RawMessage(`{"count": 1}`))
	require.NoError(t, err)
	require.Contains(t, reason, "action.params.hosts")

	plain, err := rule.Compile(&sensor.Rule{Conditions: json.RawMessage(`[]`)})
	require.NoError(t, err)
	require.Nil(t, plain.Grouping(doc))
	require.Nil(t, plain.Throttle())
	_, err = rule.Compile(&sensor.Rule{Conditions: json.RawMessage(`[]`), Throttle: json.RawMessage(`{"once_within": "1m", "group_by": ["a..b"]}`)})
	var problems condition.Problems
	require.ErrorAs(t, err, &problems)
	require.Equal(t, "throttle.group_by[0]", problems[0].Path)
}
