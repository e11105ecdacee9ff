package store_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/internal/sensor"
	"github.com/attune-automation/sensors/internal/store"
)

func TestRuleset(t *testing.T) {
	t.Parallel()
	b := setup(t)

	set, err := b.Ruleset(b.ctx, triggerRef)
	require.NoError(t, err)

	require.Equal(t, triggerRef, set.TriggerRef)
	require.EqualValues(t, 7, set.Version)
	require.Equal(t, []string{"shop.big", "shop.every"}, refs(set.Rules), "enabled ones, by ref")
	require.Equal(t, sensor.Rule{
		ID: set.Rules[0].ID, Ref: "shop.big", PackRef: "shop", Label: "shop.big", TriggerRef: triggerRef,
		Condition:  "any",
		Conditions: json.RawMessage(`[{"field": "total", "value": 100, "operator": "greater_than"}]`),
		ActionRef:  "mail.send", ActionParams: json.RawMessage(`{"to": "boss"}`), Enabled: true, Ruleset: 7, Version: 1, Active: json.RawMessage(`[]`),
	}, set.Rules[0])

	version, err := b.RulesetVersion(b.ctx, triggerRef)
	require.NoError(t, err)
	require.EqualValues(t, 7, version)
}

func TestRulesetOfGoneTrigger(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.exec(t, `delete from attune.pack`)

	_, err := b.RulesetVersion(b.ctx, triggerRef)
	require.ErrorIs(t, err, sensor.ErrNotFound)
	_, err = b.Ruleset(b.ctx, triggerRef)
	require.ErrorIs(t, err, sensor.ErrNotFound)
}

// TestRulesetSince proves that a ruleset that is brought up to date is the one that is loaded anew.
func TestRulesetSince(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.apply(t, weather(), store.ApplyOptions{})
	since := b.ruleset(t, "weather.reading")
	none, err := b.RulesetSince(b.ctx, "weather.reading", since)
	require.NoError(t, err)
	require.Equal(t, sensor.RulesetChange{Version: since, Rules: none.Rules, Gone: none.Gone}, none)
	require.Empty(t, none.Rules)
	require.Empty(t, none.Gone)

	steps := []struct {
		name         string
		change       func(*sensor.Pack)
		changed      []string
		gone         []string
		stormChanged []string
		stormGone    []string
	}{
		{"changed", func(p *sensor.Pack) { p.Rules[0].Condition = "any" }, []string{"weather.frost"}, []string{}, []string{}, []string{}},
		{"disabled", func(p *sensor.Pack) { p.Rules[1].Enabled = false }, []string{"weather.frost"}, []string{"weather.heat"}, []string{}, []string{}},
		{"moved", func(p *sensor.Pack) { p.Rules[0].TriggerRef = "weather.storm" }, []string{}, []string{"weather.frost", "weather.heat"}, []string{"weather.frost"}, []string{}},
		{"added", func(p *sensor.Pack) {
			p.Rules[1].Enabled = true
			added := p.Rules[1]
			added.Ref = "weather.new"
			p.Rules = append(p.Rules, added)
		}, []string{"weather.heat", "weather.new"}, []string{"weather.frost"}, []string{"weather.frost"}, []string{}},
		{"deleted", func(p *sensor.Pack) { p.Rules = p.Rules[1:2] }, []string{"weather.heat"}, []string{"weather.frost", "weather.new"}, []string{}, []string{"weather.frost"}},
	}
	pack := weather()
	for _, step := range steps {
		step.change(&pack)
		b.apply(t, pack, store.ApplyOptions{Prune: true})
		for trigger, want := range map[string][2][]string{
			"weather.reading": {step.changed, step.gone}, "weather.storm": {step.stormChanged, step.stormGone},
		} {
			from := since
			if trigger == "weather.storm" {
				from = 0
			}
			change, err := b.RulesetSince(b.ctx, trigger, from)
			require.NoError(t, err)
			require.Equal(t, b.ruleset(t, trigger), change.Version, step.name)
			require.ElementsMatch(t, want[0], refs(change.Rules), "%s: %s", step.name, trigger)
			require.ElementsMatch(t, want[1], change.Gone, "%s: %s", step.name, trigger)
		}
	}
	_, err = b.RulesetSince(b.ctx, "weather.none", 0)
	require.ErrorIs(t, err, sensor.ErrNotFound)
}

func TestRules(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for name, test := range map[string]struct {
		filter store.RuleFilter
		want   []string
	}{
		"all":           {store.RuleFilter{}, []string{"shop.big", "shop.every", "shop.off"}},
		"of a trigger":  {store.RuleFilter{TriggerRef: triggerRef}, []string{"shop.big", "shop.every", "shop.off"}},
		"of a pack":     {store.RuleFilter{PackRef: "shop"}, []string{"shop.big", "shop.every", "shop.off"}},
		"other trigger": {store.RuleFilter{TriggerRef: "shop.other", PackRef: "shop"}, []string{}},
		"other pack":    {store.RuleFilter{TriggerRef: triggerRef, PackRef: "other"}, []string{}},
	} {
		rules, err := b.Rules(b.ctx, test.filter)
		require.NoError(t, err, name)
		require.Equal(t, test.want, refs(rules), name)
	}

	rule, err := b.Rule(b.ctx, "shop.off")
	require.NoError(t, err)
	require.False(t, rule.Enabled)
	_, err = b.Rule(b.ctx, "shop.nothing")
	require.ErrorIs(t, err, sensor.ErrNotFound)
}

func TestTriggers(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.exec(t, `
		insert into attune.trigger (ref, pack, label, enabled, param_schema)
		select 'shop.a', id, 'A', false, '{"type": "object"}' from attune.pack`)

	triggers, err := b.Triggers(b.ctx)
	require.NoError(t, err)

	require.Len(t, triggers, 2)
	require.Equal(t, sensor.Trigger{
		ID: triggers[0].ID, Ref: "shop.a", PackRef: "shop", Label: "A", ParamSchema: json.RawMessage(`{"type": "object"}`),
	}, triggers[0])
	trigger, err := b.Trigger(b.ctx, triggerRef)
	require.NoError(t, err)
	require.Equal(t, triggers[1], trigger)
	_, err = b.Trigger(b.ctx, "shop.nothing")
	require.ErrorIs(t, err, sensor.ErrNotFound)
}

func TestSensors(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.exec(t, `
		insert into attune.sensor (ref, pack, label, runtime_ref, trigger, trigger_ref)
		select 'shop.a', pack, 'A', 'core.exec', id, ref from attune.trigger`)
	require.NoError(t, b.SetStopped(b.ctx, "shop.a", true))

	sensors, err := b.Sensors(b.ctx)
	require.NoError(t, err)

	require.Len(t, sensors, 2)
	require.Equal(t, sensor.Sensor{
		ID: sensors[0].ID, Ref: "shop.a", PackRef: "shop", PackDigest: digest, Label: "A", Runtime: sensor.RuntimeExec,
		TriggerRef: triggerRef, TriggerRefs: []string{triggerRef}, Mode: sensor.ModePoll, Enabled: true, Stopped: true, Config: json.RawMessage(`{}`), Version: 1,
	}, sensors[0])
	turn, err := b.Turn(b.ctx, sensorRef)
	require.NoError(t, err)
	require.Equal(t, turn.Sensor, sensors[1])
	one, err := b.Sensor(b.ctx, sensorRef)
	require.NoError(t, err)
	require.Equal(t, turn.Sensor, one)
	_, err = b.Sensor(b.ctx, "shop.nothing")
	require.ErrorIs(t, err, sensor.ErrNotFound)
}

func TestPackArchive(t *testing.T) {
	t.Parallel()
	b := setup(t)

	content, err := b.PackArchive(b.ctx, digest)
	require.NoError(t, err)
	require.Equal(t, "files", string(content))
	_, err = b.PackArchive(b.ctx, "unknown")
	require.ErrorIs(t, err, sensor.ErrNotFound)
}

func refs(rules []sensor.Rule) []string {
	refs := []string{}
	for _, r := range rules {
		refs = append(refs, r.Ref)
	}
	return refs
}
