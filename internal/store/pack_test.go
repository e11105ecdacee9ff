package store_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/internal/pack"
	"github.com/attune-automation/sensors/internal/sensor"
	"github.com/attune-automation/sensors/internal/store"
	"github.com/attune-automation/sensors/packs"
)

// weather is a pack with two triggers, two sensors and two rules, next to the pack shop of setup.
func weather() sensor.Pack {
	no := false
	return sensor.Pack{
		Ref: "weather", Label: "Weather", Description: "Stations.", Version: "1.0",
		Digest: strings.Repeat("b", 64), Archive: []byte("code"),
		Triggers: []sensor.Trigger{
			{Ref: "weather.reading", Label: "Reading", Enabled: true, OutSchema: json.RawMessage(`{"type":"object"}`)},
			{Ref: "weather.storm", Label: "Storm", Enabled: true},
		},
		Sensors: []sensor.Sensor{{
			Ref: "weather.roof", Label: "Roof", Description: "On the roof.", Runtime: sensor.RuntimePython,
			Entrypoint: "code/station.py", TriggerRef: "weather.reading", Enabled: true,
			ParamSchema: json.RawMessage(`{"required":["url"]}`), Config: json.RawMessage(`{"url":"http://roof","n":15,"a":[1,2.50]}`),
			TriggerRefs:  []string{"weather.reading", "weather.storm"},
			PollInterval: time.Minute, Timeout: 1500 * time.Millisecond, MaxRestartAttempts: 5, RestartOnError: &no,
			DedupeTTL: 36 * time.Hour, Mode: sensor.ModeStream, Queue: "roof", Sandbox: sensor.SandboxBwrap,
			Network: sensor.NetworkNone, Warm: &no,
			Limits: sensor.Limits{CPU: 90 * time.Second, Memory: 512 << 20, OpenFiles: 64, Processes: 8, Output: 1000},
		}, {
			Ref: "weather.radar", Label: "Radar", Runtime: "core.timer", TriggerRef: "weather.storm", Enabled: true,
			Config: json.RawMessage(`{}`),
		}},
		Rules: []sensor.Rule{{
			Ref: "weather.frost", Label: "Frost", TriggerRef: "weather.reading", Condition: "all", Enabled: true,
			Conditions: json.RawMessage(`[{"field":"payload.celsius","operator":"less_than","value":0}]`),
			ActionRef:  "heating.start", ActionParams: json.RawMessage(`{"level":2}`),
		}, {
			Ref: "weather.heat", Label: "Heat", TriggerRef: "weather.reading", Condition: "any", Enabled: true,
			Conditions: json.RawMessage(`[]`), ActionRef: "cooling.start", ActionParams: json.RawMessage(`{}`),
		}},
	}
}

func (b *bundle) apply(t testing.TB, p sensor.Pack, opts store.ApplyOptions) []sensor.Change {
	t.Helper()
	changes, err := b.ApplyPack(b.ctx, p, opts)
	require.NoError(t, err)
	return changes
}

// rows are all rows that an apply could touch, with the transaction that wrote each.
func (b *bundle) rows(t testing.TB) (rows []string) {
	t.Helper()
	for _, table := range []string{"pack_archive", "pack", "trigger", "sensor", "rule", "rule_version", "sensor_state"} {
		var part []string
		err := b.db.QueryRow(b.ctx, fmt.Sprintf(
			`select coalesce(array_agg(format('%s %%s %%s', r.xmin, to_jsonb(r)) order by to_jsonb(r)), '{}') from attune.%[1]s r`,
			table)).Scan(&part)
		require.NoError(t, err)
		rows = append(rows, part...)
	}
	return rows
}

func (b *bundle) version(t testing.TB, ref string) int64 {
	t.Helper()
	s, err := b.Sensor(b.ctx, ref)
	require.NoError(t, err)
	return s.Version
}

func (b *bundle) ruleset(t testing.TB, trigger string) int64 {
	t.Helper()
	n, err := b.RulesetVersion(b.ctx, trigger)
	require.NoError(t, err)
	return n
}

func TestApplyPackCreates(t *testing.T) {
	t.Parallel()
	b := setup(t)
	want := weather()
	require.Equal(t, []sensor.Change{
		{Kind: "pack", Ref: "weather", Action: sensor.ActionCreate},
		{Kind: "trigger", Ref: "weather.reading", Action: sensor.ActionCreate},
		{Kind: "trigger", Ref: "weather.storm", Action: sensor.ActionCreate},
		{Kind: "sensor", Ref: "weather.radar", Action: sensor.ActionCreate},
		{Kind: "sensor", Ref: "weather.roof", Action: sensor.ActionCreate},
		{Kind: "rule", Ref: "weather.frost", Action: sensor.ActionCreate},
		{Kind: "rule", Ref: "weather.heat", Action: sensor.ActionCreate},
	}, b.apply(t, want, store.ApplyOptions{}))

	roof, err := b.Sensor(b.ctx, "weather.roof")
	require.NoError(t, err)
	require.JSONEq(t, string(want.Sensors[0].Config), string(roof.Config))
	require.JSONEq(t, string(want.Sensors[0].ParamSchema), string(roof.ParamSchema))
	want.Sensors[0].ID, want.Sensors[0].Config, want.Sensors[0].ParamSchema = roof.ID, roof.Config, roof.ParamSchema
	want.Sensors[0].PackRef, want.Sensors[0].PackDigest, want.Sensors[0].Version = "weather", want.Digest, 1
	require.Equal(t, want.Sensors[0], roof)

	radar, err := b.Sensor(b.ctx, "weather.radar")
	require.NoError(t, err)
	require.Zero(t, radar.PollInterval)
	require.Equal(t, []string{"weather.storm"}, radar.TriggerRefs)
	require.Equal(t, sensor.ModePoll, radar.Mode)
	require.Zero(t, radar.Limits)
	require.Nil(t, radar.RestartOnError)
	require.Nil(t, radar.ParamSchema)

	set, err := b.Ruleset(b.ctx, "weather.reading")
	require.NoError(t, err)
	require.EqualValues(t, 1, set.Version, "two new rules are one change")
	require.Len(t, set.Rules, 2)
	require.EqualValues(t, 1, set.Rules[0].Ruleset)
	require.EqualValues(t, 0, b.ruleset(t, "weather.storm"))

	content, err := b.PackArchive(b.ctx, want.Digest)
	require.NoError(t, err)
	require.Equal(t, want.Archive, content)
}

func TestApplyPackAgainTouchesNoRow(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.apply(t, weather(), store.ApplyOptions{})
	before := b.rows(t)
	same := weather()
	same.Sensors[0].Config = json.RawMessage(`{"a": [1.0, 2.5], "n": 1.50e1, "url": "http:\/\/roof"}`)
	require.Empty(t, b.apply(t, same, store.ApplyOptions{Prune: true}))
	require.Equal(t, before, b.rows(t))
}

func TestApplyPackUpdates(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.apply(t, weather(), store.ApplyOptions{})
	radar := b.version(t, "weather.radar")

	changed := weather()
	changed.Version = "1.1"
	changed.Triggers[0].OutSchema = nil
	roof, yes := &changed.Sensors[0], true
	roof.Config, roof.PollInterval, roof.RestartOnError = json.RawMessage(`{"url":"http://roof?a&b"}`), 0, &yes
	roof.TriggerRefs, roof.Limits, roof.Queue = nil, sensor.Limits{Memory: 1 << 30}, ""
	changed.Rules[1].Enabled = false
	require.Equal(t, []sensor.Change{
		{Kind: "pack", Ref: "weather", Action: sensor.ActionUpdate, Fields: []sensor.FieldChange{
			{Field: "version", Old: "1.0", New: "1.1"},
		}},
		{Kind: "trigger", Ref: "weather.reading", Action: sensor.ActionUpdate, Fields: []sensor.FieldChange{
			{Field: "out_schema", Old: `{"type":"object"}`, New: ""},
		}},
		{Kind: "sensor", Ref: "weather.roof", Action: sensor.ActionUpdate, Fields: []sensor.FieldChange{
			{Field: "trigger", Old: "weather.reading, weather.storm", New: "weather.reading"},
			{Field: "poll_interval", Old: "1m0s", New: ""},
			{Field: "restart_on_error", Old: "false", New: "true"},
			{Field: "queue", Old: "roof", New: ""},
			{Field: "config", Old: `{"a":[1,2.5],"n":15,"url":"http://roof"}`, New: `{"url":"http://roof?a&b"}`},
			{Field: "limits.cpu", Old: "1m30s", New: ""},
			{Field: "limits.memory", Old: "512MiB", New: "1GiB"},
			{Field: "limits.open_files", Old: "64", New: ""},
			{Field: "limits.processes", Old: "8", New: ""},
			{Field: "limits.output", Old: "1000B", New: ""},
		}},
		{Kind: "rule", Ref: "weather.heat", Action: sensor.ActionUpdate, Fields: []sensor.FieldChange{
			{Field: "enabled", Old: "true", New: "false"},
		}},
	}, b.apply(t, changed, store.ApplyOptions{}))

	require.EqualValues(t, 2, b.version(t, "weather.roof"))
	require.Equal(t, radar, b.version(t, "weather.radar"))
	trigger, err := b.Trigger(b.ctx, "weather.reading")
	require.NoError(t, err)
	require.Nil(t, trigger.OutSchema)
	require.Empty(t, b.apply(t, changed, store.ApplyOptions{}))
}

func TestApplyPackWithNewCode(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.apply(t, weather(), store.ApplyOptions{})
	b.exec(t, `update attune.pack_archive set created = now() - interval '2 days'`)

	changed := weather()
	changed.Digest, changed.Archive = strings.Repeat("c", 64), []byte("new code")
	changes := b.apply(t, changed, store.ApplyOptions{})
	code := []sensor.FieldChange{{Field: "code", Old: "bbbbbbbbbbbb", New: "cccccccccccc"}}
	require.Equal(t, []sensor.Change{
		{Kind: "pack", Ref: "weather", Action: sensor.ActionUpdate, Fields: code},
		{Kind: "sensor", Ref: "weather.roof", Action: sensor.ActionUpdate, Fields: code},
	}, changes, "radar has no entrypoint")
	require.EqualValues(t, 2, b.version(t, "weather.roof"))
	_, err := b.PackArchive(b.ctx, weather().Digest)
	require.NoError(t, err, "a worker may be about to fetch what was just replaced")

	changed.Label = "Weather again"
	b.apply(t, changed, store.ApplyOptions{})
	_, err = b.PackArchive(b.ctx, weather().Digest)
	require.ErrorIs(t, err, sensor.ErrNotFound)
	for _, used := range []string{changed.Digest, digest} {
		_, err = b.PackArchive(b.ctx, used)
		require.NoError(t, err)
	}
}

func TestApplyPackCountsRulesets(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.apply(t, weather(), store.ApplyOptions{})

	moved := weather()
	moved.Rules[0].TriggerRef = "weather.storm"
	moved.Rules[1].Label = "Still of the first trigger"
	b.apply(t, moved, store.ApplyOptions{})
	require.EqualValues(t, 2, b.ruleset(t, "weather.reading"), "one apply is one change")
	require.EqualValues(t, 1, b.ruleset(t, "weather.storm"))
	frost, err := b.Rule(b.ctx, "weather.frost")
	require.NoError(t, err)
	require.Equal(t, "weather.storm", frost.TriggerRef)
	require.EqualValues(t, 1, frost.Ruleset)

	moved.Rules = moved.Rules[:1]
	b.apply(t, moved, store.ApplyOptions{Prune: true})
	require.EqualValues(t, 3, b.ruleset(t, "weather.reading"))
	require.EqualValues(t, 1, b.ruleset(t, "weather.storm"))
	require.EqualValues(t, 7, b.ruleset(t, triggerRef), "of another pack")
}

func TestApplyPackPrunes(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.apply(t, weather(), store.ApplyOptions{})
	less := weather()
	less.Triggers, less.Sensors, less.Rules = less.Triggers[1:], nil, less.Rules[:0]

	require.Empty(t, b.apply(t, less, store.ApplyOptions{}), "without prune, nothing goes")
	left, err := b.LeftOver(b.ctx, less)
	require.NoError(t, err)
	require.Len(t, left, 5)
	require.Equal(t, []sensor.Change{
		{Kind: "trigger", Ref: "weather.reading", Action: sensor.ActionDelete},
		{Kind: "sensor", Ref: "weather.radar", Action: sensor.ActionDelete},
		{Kind: "sensor", Ref: "weather.roof", Action: sensor.ActionDelete},
		{Kind: "rule", Ref: "weather.frost", Action: sensor.ActionDelete},
		{Kind: "rule", Ref: "weather.heat", Action: sensor.ActionDelete},
	}, b.apply(t, less, store.ApplyOptions{Prune: true}))
	_, err = b.Trigger(b.ctx, "weather.reading")
	require.ErrorIs(t, err, sensor.ErrNotFound)
	require.Equal(t, 1, b.count(t, "sensor"), "that of the other pack")
	require.Equal(t, 3, b.count(t, "rule"))
}

func TestApplyPackKeepsTriggersInUse(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.apply(t, weather(), store.ApplyOptions{})
	user := sensor.Pack{
		Ref: "garden", Label: "Garden", Digest: weather().Digest, Archive: weather().Archive,
		Sensors: []sensor.Sensor{{
			Ref: "garden.pond", Label: "Pond", Runtime: sensor.RuntimeExec, Entrypoint: "x", TriggerRef: "shop.order",
			TriggerRefs: []string{"shop.order", "weather.reading"}, Config: json.RawMessage(`{}`),
		}},
		Rules: []sensor.Rule{{
			Ref: "garden.water", Label: "Water", TriggerRef: "weather.reading", Condition: "all",
			Conditions: json.RawMessage(`[]`), ActionRef: "a.b", ActionParams: json.RawMessage(`{}`),
		}},
	}
	b.apply(t, user, store.ApplyOptions{})
	before := b.rows(t)
	less := weather()
	less.Triggers, less.Sensors, less.Rules = nil, nil, nil
	for _, dry := range []bool{true, false} {
		_, err := b.ApplyPack(b.ctx, less, store.ApplyOptions{Prune: true, DryRun: dry})
		require.EqualError(t, err, `applying pack "weather": trigger weather.reading is still used by rule garden.water; `+
			`trigger weather.reading is still used by sensor garden.pond: change or delete what uses it first, or keep it in the pack`)
	}
	require.Equal(t, before, b.rows(t))
}

func TestApplyPackTellsSensorsOfAToggledTrigger(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.apply(t, weather(), store.ApplyOptions{})
	b.exec(t, `update attune.sensor set trigger_ref = 'weather.reading',
		trigger = (select id from attune.trigger where ref = 'weather.reading') where ref = $1`, sensorRef)
	other := b.version(t, sensorRef)

	off := weather()
	off.Triggers[0].Enabled = false
	off.Sensors[0].Label = "Changed as well"
	b.apply(t, off, store.ApplyOptions{})
	require.Equal(t, other+1, b.version(t, sensorRef), "a sensor of another pack")
	require.EqualValues(t, 2, b.version(t, "weather.roof"), "bumped once")
	require.EqualValues(t, 1, b.version(t, "weather.radar"))
	roof, err := b.Sensor(b.ctx, "weather.roof")
	require.NoError(t, err)
	require.False(t, roof.Enabled)
	require.Empty(t, b.apply(t, off, store.ApplyOptions{}), "the trigger's state is not the sensor's")
}

func TestApplyPackDryRun(t *testing.T) {
	t.Parallel()
	b := setup(t)
	before := b.rows(t)
	tried := b.apply(t, weather(), store.ApplyOptions{DryRun: true})
	require.Equal(t, before, b.rows(t))
	require.Equal(t, tried, b.apply(t, weather(), store.ApplyOptions{}))
}

func TestApplyPackThatFailsLeavesNothing(t *testing.T) {
	t.Parallel()
	b := setup(t)
	before := b.rows(t)
	broken := weather()
	broken.Rules[1].TriggerRef = "weather.gone"
	_, err := b.ApplyPack(b.ctx, broken, store.ApplyOptions{})
	require.EqualError(t, err, `applying pack "weather": rule "weather.heat": trigger "weather.gone" does not exist: apply the pack that defines it first`)
	require.Equal(t, before, b.rows(t))
}

func TestApplyPackNeedsEveryTriggerOfASensor(t *testing.T) {
	t.Parallel()
	b := setup(t)
	lost := weather()
	lost.Sensors[0].TriggerRefs = []string{"weather.reading", "weather.storm", "weather.gone"}
	_, err := b.ApplyPack(b.ctx, lost, store.ApplyOptions{})
	require.EqualError(t, err, `applying pack "weather": sensor "weather.roof": trigger "weather.gone" does not exist: apply the pack that defines it first`)
}

func TestManyAtOnceApplyPacks(t *testing.T) {
	t.Parallel()
	b := setup(t)
	const appliers = 8
	var wg sync.WaitGroup
	created := make([]int, appliers)
	for i := range appliers {
		wg.Go(func() {
			changes, err := b.ApplyPack(b.ctx, weather(), store.ApplyOptions{Prune: true})
			if err != nil {
				t.Error(err)
			}
			created[i] = len(changes)
		})
	}
	wg.Wait()
	require.ElementsMatch(t, []int{7, 0, 0, 0, 0, 0, 0, 0}, created)
}

// TestPartsThatComeBackAreNew proves that a trigger or sensor that was deleted and is applied again gets no number that
// an earlier one had: caches, workflows and the audit go by them.
func TestPartsThatComeBackAreNew(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.apply(t, weather(), store.ApplyOptions{})
	_, err := b.StoreSystemEvent(b.ctx, sensor.SystemEvent{TriggerRef: "weather.reading", Payload: json.RawMessage(`{}`)})
	require.NoError(t, err)
	b.exec(t, `insert into attune.event (batch, position, trigger_ref, config, payload)
		select id, 0, trigger_ref, '{}', '{}' from attune.poll_batch`)
	none := weather()
	none.Triggers, none.Sensors, none.Rules = nil, nil, nil
	b.apply(t, none, store.ApplyOptions{Prune: true})
	b.apply(t, weather(), store.ApplyOptions{})

	yesterday := time.Now().Add(-24 * time.Hour).Unix()
	require.Greater(t, b.version(t, "weather.roof"), yesterday)
	require.Greater(t, b.ruleset(t, "weather.reading"), yesterday)
	require.EqualValues(t, 0, b.ruleset(t, "weather.storm"), "no event, so nothing that could be mistaken")
}

func TestApplyCorePack(t *testing.T) {
	t.Parallel()
	b := setup(t)
	files, err := packs.Core()
	require.NoError(t, err)
	core, err := pack.LoadFS(files, pack.Options{})
	require.NoError(t, err)
	require.Len(t, b.apply(t, core, store.ApplyOptions{Prune: true}), 1+len(core.Triggers))
	require.Empty(t, b.apply(t, core, store.ApplyOptions{Prune: true}), "what was stored compares equal to the files")
}
