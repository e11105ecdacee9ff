package rule_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/internal/condition"
	"github.com/attune-automation/sensors/internal/rule"
	"github.com/attune-automation/sensors/internal/sensor"
)

func at(t *testing.T, text string) time.Time {
	t.Helper()
	v, err := time.Parse(time.RFC3339, text)
	require.NoError(t, err)
	return v
}

// A rule goes by when the event happened: occurred_at if the sensor says so, and otherwise created.
func TestTimesOfARule(t *testing.T) {
	t.Parallel()
	from, until := at(t, "2026-03-01T00:00:00Z"), at(t, "2026-04-01T00:00:00Z")
	compiled, err := rule.Compile(&sensor.Rule{
		Condition: "all", Conditions: json.RawMessage(`[]`), ValidFrom: &from, ValidUntil: &until,
		Active: json.RawMessage(`[{"days": "mon-fri", "from": "22:00", "to": "06:00", "timezone": "Europe/Berlin"}]`),
	})
	require.NoError(t, err)
	for _, c := range []struct{ created, occurred, untimely string }{
		{"2026-03-02T22:00:00Z", "", ""},
		{"2026-03-02T12:00:00Z", "2026-03-02T22:00:00Z", ""},
		{"2026-03-02T22:00:00Z", "2026-03-02T12:00:00.5Z", "mon 13:00 in Europe/Berlin is not in mon-fri 22:00-06:00 Europe/Berlin"},
		{"2026-02-28T23:59:59.999999Z", "", "2026-02-28T23:59:59.999999Z is before valid.from, 2026-03-01T00:00:00Z"},
		{"2026-04-01T00:00:00Z", "", "2026-04-01T00:00:00Z is not before valid.until, 2026-04-01T00:00:00Z"},
		{"2026-03-31T23:59:59Z", "", ""},
	} {
		event := sensor.Event{ID: 1, Created: at(t, c.created), Config: json.RawMessage(`{}`), Payload: json.RawMessage(`{}`)}
		if c.occurred != "" {
			occurred := at(t, c.occurred)
			event.OccurredAt = &occurred
		}
		doc, err := rule.NewReader(rule.NeedsOf([]*rule.Compiled{compiled})).Read(&event)
		require.NoError(t, err)
		matched, err := compiled.Match(t.Context(), doc)
		require.NoError(t, err)
		explanation, err := compiled.Explain(t.Context(), doc)
		require.NoError(t, err)
		require.Equal(t, c.untimely, explanation.Untimely)
		require.Equal(t, c.untimely == "", matched)
		require.Equal(t, matched, explanation.Matched)
	}
}

// Whoever evaluates a rule reads the event in the same way; what no rule needs is not decoded.
func TestReader(t *testing.T) {
	t.Parallel()
	occurred := at(t, "2026-01-02T03:04:05.678901Z")
	event := sensor.Event{
		ID: 7, TriggerRef: "shop.order", SensorRef: "shop.orders", Created: at(t, "2026-01-02T04:00:00+01:00"), OccurredAt: &occurred,
		Config: json.RawMessage(`{"trigger": {"ref": "shop.order"}, "sensor": null}`), Payload: json.RawMessage(`{"total": 3}`),
	}
	compile := func(conditions string) *rule.Compiled {
		compiled, err := rule.Compile(&sensor.Rule{Conditions: json.RawMessage(conditions)})
		require.NoError(t, err)
		return compiled
	}
	all := compile(`[
		{"field": "total", "operator": "equals", "value": 3},
		{"field": "event.id", "operator": "equals", "value": 7},
		{"field": "event.created", "operator": "equals", "value": "2026-01-02T03:00:00Z"},
		{"field": "event.occurred_at", "operator": "equals", "value": "2026-01-02T03:04:05.678901Z"},
		{"field": "event.source_ref", "operator": "equals", "value": "shop.orders"},
		{"field": "trigger.ref", "operator": "equals", "value": "shop.order"},
		{"field": "config.trigger.ref", "operator": "equals", "value": "shop.order"},
		{"field": "sensor", "operator": "equals", "value": null}]`)
	for _, needs := range []rule.Needs{nil, rule.NeedsOf([]*rule.Compiled{all})} {
		doc, err := rule.NewReader(needs).Read(&event)
		require.NoError(t, err)
		matched, err := all.Match(t.Context(), doc)
		require.NoError(t, err)
		require.True(t, matched)
	}
	doc, err := rule.NewReader(rule.NeedsOf([]*rule.Compiled{compile(`[{"field": "total", "operator": "equals", "value": 3}]`)})).Read(&event)
	require.NoError(t, err)
	require.Zero(t, doc.Values[condition.Config])
	require.Zero(t, doc.Values[condition.Event])

	event.Payload = json.RawMessage(`{`)
	_, err = rule.NewReader(nil).Read(&event)
	require.ErrorContains(t, err, "payload")
}

func TestCompileReportsProblemsOfTimes(t *testing.T) {
	t.Parallel()
	from := at(t, "2026-03-01T00:00:00Z")
	_, err := rule.Compile(&sensor.Rule{
		Conditions: json.RawMessage(`[1]`), ValidFrom: &from, ValidUntil: &from, Active: json.RawMessage(`[{"days": "moon"}]`),
	})
	var problems condition.Problems
	require.ErrorAs(t, err, &problems)
	require.Len(t, problems, 3)
	require.Equal(t, "valid.until", problems[1].Path)
	require.Equal(t, "active[0].days", problems[2].Path)
}
