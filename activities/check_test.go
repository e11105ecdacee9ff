package activities

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"github.com/attune-automation/sensors/internal/schema"
	"github.com/attune-automation/sensors/internal/sensor"
)

// triggers are those that there are, by ref.
type triggers map[string]sensor.Trigger

func (s triggers) Trigger(_ context.Context, ref string) (sensor.Trigger, error) {
	trigger, ok := s[ref]
	if !ok {
		return sensor.Trigger{}, fmt.Errorf("loading trigger %q: %w", ref, sensor.ErrNotFound)
	}
	return trigger, nil
}

// triggerStore is an EventStore that has triggers only.
type triggerStore struct {
	EventStore
	triggers
}

func (s triggerStore) Trigger(ctx context.Context, ref string) (sensor.Trigger, error) {
	return s.triggers.Trigger(ctx, ref)
}

func TestEachPayloadIsCheckedByItsOwnTrigger(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	schemaOf := func(property string) json.RawMessage {
		return fmt.Appendf(nil, `{"type": "object", "required": [%q]}`, property)
	}
	g := &Generator{Schemas: schema.NewCache(10), Store: triggerStore{triggers: triggers{
		"t.first":  {Ref: "t.first", OutSchema: schemaOf("a")}, // disabled by now
		"t.second": {Ref: "t.second", OutSchema: schemaOf("b"), Enabled: true},
		"t.free":   {Ref: "t.free", Enabled: true},
		"t.off":    {Ref: "t.off"},
	}}}
	batch := sensor.Batch{TriggerRef: "t.first", Count: 9}
	add := func(trigger, payload string) {
		batch.Triggers = append(batch.Triggers, trigger)
		batch.Payloads = append(batch.Payloads, []byte(payload))
		batch.Occurred = append(batch.Occurred, nil)
	}
	add("", `{"a": 1}`)
	add("", `{"b": 1}`)
	add("t.second", `{"a": 1}`)
	add("t.second", `{"b": 1}`)
	add("t.free", `[]`)
	add("t.free", `{"a": "\u0000"}`)
	add("t.off", `{"a": 1}`)
	add("t.gone", `{"a": 1}`)
	batch.Occurred[3] = &at

	good, bad, err := g.check(t.Context(), batch)
	require.NoError(t, err)
	require.Equal(t, []sensor.NewEvent{
		{Position: 0, Payload: json.RawMessage(`{"a": 1}`)},
		{Position: 3, Payload: json.RawMessage(`{"b": 1}`), TriggerRef: "t.second", OccurredAt: at},
		{Position: 4, Payload: json.RawMessage(`[]`), TriggerRef: "t.free"},
	}, good)
	reasons := map[int]string{}
	for _, r := range bad {
		require.Equal(t, batch.Triggers[r.Position], r.TriggerRef)
		reasons[r.Position] = r.Reason
	}
	require.Len(t, reasons, 5)
	require.Contains(t, reasons[1], "a")
	require.Contains(t, reasons[2], "b")
	require.Contains(t, reasons[5], "\\u0000")
	require.Contains(t, reasons[6], `trigger "t.off" is disabled`)
	require.Contains(t, reasons[7], `trigger "t.gone" does not exist`)

	_, _, err = (&Generator{Schemas: schema.NewCache(10), Store: triggerStore{triggers: triggers{}}}).check(t.Context(),
		sensor.Batch{TriggerRef: "t.gone", Payloads: [][]byte{[]byte(`{}`)}})
	require.NoError(t, err, "that of the batch itself may be gone")
}

// ruleStore has one version of one rule a trigger.
type ruleStore map[string]sensor.Rule

func (s ruleStore) RulesetVersion(_ context.Context, ref string) (int64, error) {
	rule, ok := s[ref]
	if !ok {
		return 0, sensor.ErrNotFound
	}
	return rule.Ruleset, nil
}

func (s ruleStore) Ruleset(_ context.Context, ref string) (sensor.Ruleset, error) {
	return sensor.Ruleset{TriggerRef: ref, Version: s[ref].Ruleset, Rules: []sensor.Rule{s[ref]}}, nil
}

func (s ruleStore) RulesetSince(context.Context, string, int64) (sensor.RulesetChange, error) {
	return sensor.RulesetChange{}, errors.New("nothing ever changes")
}

func TestEachEventIsMatchedByTheRulesOfItsTrigger(t *testing.T) {
	t.Parallel()
	rule := func(ref, conditions string, version int64) sensor.Rule {
		return sensor.Rule{Ref: ref, Condition: "all", Conditions: json.RawMessage(conditions), Ruleset: version}
	}
	cache := newRuleCache(ruleStore{
		"t.a": rule("r.a", `[{"field": "event.occurred_at", "operator": "equals", "value": "2026-01-02T03:04:05.5Z"}]`, 4),
		"t.b": rule("r.b", `[{"field": "trigger.label", "operator": "equals", "value": "B"}]`, 9),
	}, zap.NewNop())
	at := time.Date(2026, 1, 2, 4, 4, 5, 500_000_000, time.FixedZone("", 3600))
	event := func(id int64, trigger, label string, at *time.Time) sensor.Event {
		return sensor.Event{
			ID: id, TriggerRef: trigger, Payload: json.RawMessage(`{}`), OccurredAt: at,
			Config: fmt.Appendf(nil, `{"trigger": {"ref": %q, "label": %q}}`, trigger, label),
		}
	}
	events := []sensor.Event{
		event(1, "t.a", "A", nil), event(2, "t.b", "B", nil), event(3, "t.a", "A", &at), event(4, "t.gone", "B", &at),
		event(5, "t.b", "was", nil), event(6, "t.b", "B", nil),
	}
	rules, err := cache.of(t.Context(), events)
	require.NoError(t, err)
	require.Equal(t, map[string]int64{"t.a": 4, "t.b": 9, "t.gone": 0}, rules.versions())
	found, err := rules.match(t.Context(), events, nil)
	require.NoError(t, err)
	var got []string
	for _, m := range found.matches {
		got = append(got, fmt.Sprint(m.Event.ID, m.Rule.Ref))
	}
	require.Equal(t, []string{"2r.b", "3r.a", "6r.b"}, got)
}

func TestRecentEvents(t *testing.T) {
	t.Parallel()
	head := func(id int64) sensor.BatchHead { return sensor.BatchHead{ID: id, Count: 2} }
	var none *RecentEvents
	none.put(head(1), []sensor.Event{{ID: 1}})
	require.Nil(t, none.take(1))

	recent := &RecentEvents{}
	events := []sensor.Event{{ID: 1, Payload: json.RawMessage(`{}`)}}
	recent.put(head(1), events)
	recent.put(head(2), nil)
	kept, ok := recent.peek(1)
	require.True(t, ok)
	require.Equal(t, 2, kept.count)
	require.Equal(t, events, recent.take(1), "a look takes nothing away")
	require.Nil(t, recent.take(1), "it is forgotten")
	require.Nil(t, recent.take(2))
	_, ok = recent.peek(1)
	require.False(t, ok)

	for id := range int64(recentBatches + 1) {
		recent.put(head(id), events)
	}
	require.Nil(t, recent.take(0), "others needed the place")
	require.Equal(t, events, recent.take(1))
	recent.put(head(10_000), []sensor.Event{{Payload: make([]byte, recentBytes)}})
	require.Nil(t, recent.take(2), "it takes all of the place")
	require.Len(t, recent.take(10_000), 1)
	recent.put(head(10_001), []sensor.Event{{Payload: make([]byte, recentBytes+1)}})
	require.Nil(t, recent.take(10_001), "too large")
	require.Zero(t, recent.bytes)
}
