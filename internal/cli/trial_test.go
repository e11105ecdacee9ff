package cli_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/internal/sensor"
	"github.com/attune-automation/sensors/internal/store"
)

// withCode lets an environment run sensors' code.
func (b *bench) withCode() *bench {
	b.t.Helper()
	b.set("ATTUNE__WORKER__CACHE_DIR", b.t.TempDir())
	b.set("PATH", os.Getenv("PATH"))
	return b
}

// tried is what a test of a sensor says, for programs.
type tried struct {
	Sensor, Source, Mode, Skip, Sandbox string
	Config                              map[string]any
	Cursor                              any
	CursorAfter                         any `json:"cursor_after"`
	Events                              []struct {
		Payload                  map[string]any
		Trigger, Key, OccurredAt string
		Refused, Suppressed      string
		Rules                    []struct {
			Rule, Reason string
			Fires        bool
			Explanation  *struct{ Verdicts []struct{ Reason string } }
		}
	}
	Parts     []struct{ Events int }
	More      bool
	NextAfter float64 `json:"next_after_seconds"`
	Log       []struct{ Source, Text string }
	Fault     *struct{ Kind, Message, Traceback string }
	Usage     *struct {
		Wall   float64 `json:"wall_seconds"`
		Memory int64   `json:"memory_bytes"`
	}
	Differences []struct{ Path, Expected, Actual string }
}

func (b *bench) try(code int, args ...string) tried {
	b.t.Helper()
	r := b.run(append([]string{"sensor", "test", "-o", "json"}, args...)...)
	require.Equal(b.t, code, r.code, "%v: %s%s", args, r.stdout, r.stderr)
	return decode[tried](b.t, r.stdout)
}

// What `sensor new` writes passes its own test, in every language, and the test notices a change.
func TestNewSensorsPassTheirTests(t *testing.T) {
	t.Parallel()
	b := newBench(t).withCode()
	for runtime, file := range map[string]string{"python3": "door.py", "nodejs": "door.mjs", "exec": "door.sh"} {
		dir := filepath.Join(t.TempDir(), "house")
		b.ok("sensor", "new", "door", "--runtime", runtime, "--dir", dir)
		expect := []string{"sensor", "test", dir, "--expect", filepath.Join(dir, "tests/door.json")}
		out := b.ok(expect...)
		require.Contains(t, out, "event 1  house.door\n  {\"id\":1,\"text\":\"item 1\"}\n", runtime)
		require.Contains(t, out, "cursor before  null\ncursor after   2\n")
		require.Contains(t, out, "as expected    yes\n")
		require.Regexp(t, `log\n.* after 0`, out)
		require.Regexp(t, `took +\S+, \S+ of the processor, \S+ MiB of memory`, out)

		code := filepath.Join(dir, "code", file)
		text, err := os.ReadFile(code)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(code, []byte(strings.ReplaceAll(string(text), "item", "thing")), 0o755))
		r := b.run(expect...)
		require.Equal(t, 1, r.code)
		require.Contains(t, r.stdout, "events[0].payload.text\n    expected  \"item 1\"\n    got       \"thing 1\"\n", runtime)
		require.Equal(t, "starter: 2 differences\n", r.stderr)
	}
}

func TestSensorTestShowsWhatWouldBecomeOfEvents(t *testing.T) {
	t.Parallel()
	b := newBench(t).withCode()
	dir := folder(t, "trial")
	got := b.try(0, dir, "--sensor", "all", "--match")
	require.Equal(t, []string{"trial.all", dir, "poll"}, []string{got.Sensor, got.Source, got.Mode})
	require.Nil(t, got.Cursor)
	require.EqualValues(t, 3, got.CursorAfter)
	require.True(t, got.More)
	require.Len(t, got.Events, 4)
	require.Equal(t, []any{"warning", "from 0"}, []any{got.Log[0].Source, got.Log[0].Text})
	require.Positive(t, got.Usage.Wall)
	require.Positive(t, got.Usage.Memory)

	first, second, other := got.Events[0].Rules, got.Events[1].Rules, got.Events[3].Rules
	require.Equal(t, "item-1", got.Events[0].Key)
	require.True(t, first[0].Fires)
	require.Equal(t, "it is disabled", first[1].Reason)
	require.False(t, second[0].Fires)
	require.Equal(t, "value is different", second[0].Explanation.Verdicts[0].Reason)
	require.Len(t, other, 1)
	require.True(t, other[0].Fires, "by its own trigger's rule, which looks at occurred_at")

	out := b.ok("sensor", "test", dir, "--sensor", "trial.all", "--match", "--cursor", "5", "--config", `{"limit": 1}`)
	require.Contains(t, out, "event 1  trial.item  key item-6\n  {\"id\":6,\"nested\":{\"a\":1}}\n  rule trial.first does not: all of\n"+
		"    no  payload.id equals 1")
	require.Contains(t, out, "  rule trial.off does not: it is disabled\n")
	require.Contains(t, out, "event 2  trial.other  occurred 2026-01-31T08:00:00Z\n")
	require.Contains(t, out, "  rule trial.other fires: action mail.send\n")
	require.Contains(t, out, "next poll      at once: it has more\n")

	spoilt := b.try(1, dir, "--sensor", "all", "--match", "--config", `{"spoil": true}`)
	require.Equal(t, "payload.id: got string, want integer", spoilt.Events[4].Refused)
	require.Empty(t, spoilt.Events[4].Rules)
	require.Contains(t, spoilt.Events[5].Refused, `trigger "trial.quiet" is disabled`)
	require.Equal(t, "event 1 of this poll has the same key", spoilt.Events[6].Suppressed)
	require.Equal(t, "starter: 2 events would be refused\n", b.fails(1, "sensor", "test", dir, "--sensor", "all", "--config", `{"spoil": true}`))
}

func TestSensorTestShowsFaults(t *testing.T) {
	t.Parallel()
	b := newBench(t).withCode()
	dir := folder(t, "trial")
	r := b.run("sensor", "test", dir, "--sensor", "broken", "--record", filepath.Join(dir, "tests/broken.json"))
	require.Equal(t, 1, r.code)
	require.Contains(t, r.stderr, "starter: exception: Error: no luck\n")
	require.Contains(t, r.stderr, filepath.Join(dir, "code/broken.mjs")+":5", "the file that the author saves, not its copy")
	require.Contains(t, r.stdout, "brought        1 event, up to the last checkpoint before it failed\n")
	require.Contains(t, r.stdout, "cursor after   \"half\"\n")
	require.NoFileExists(t, filepath.Join(dir, "tests/broken.json"))

	got := b.try(1, dir, "--sensor", "broken")
	require.Equal(t, "exception", got.Fault.Kind)
	require.Len(t, got.Events, 1)
}

func TestSensorTestResolvesSecretsAndHidesThem(t *testing.T) {
	t.Parallel()
	b := newBench(t).withCode()
	dir := folder(t, "trial")
	require.Contains(t, b.fails(1, "sensor", "test", dir, "--sensor", "secret"), "config.header: there is no secret \"TRIAL_TOKEN\": set ATTUNE_SECRET_TRIAL_TOKEN")

	b.set("ATTUNE_SECRET_TRIAL_TOKEN", "tr0ub4dor")
	record := filepath.Join(t.TempDir(), "secret.json")
	for _, format := range []string{"table", "json"} {
		r := b.run("sensor", "test", dir, "--sensor", "secret", "--record", record, "-o", format)
		require.Zero(t, r.code, r.stderr)
		require.NotContains(t, r.stdout+r.stderr, "tr0ub4dor")
		require.Contains(t, r.stdout, "using Bearer ***")
		require.Contains(t, r.stdout, "nothing for ***")
	}
	recorded, err := os.ReadFile(record)
	require.NoError(t, err)
	require.NotContains(t, string(recorded), "tr0ub4dor")
	require.Contains(t, string(recorded), `"Bearer ${secret:TRIAL_TOKEN}"`)
	got := b.try(0, dir, "--sensor", "secret", "--expect", record)
	require.InDelta(t, 90, got.NextAfter, 0)
}

func TestSensorTestListensToStreams(t *testing.T) {
	t.Parallel()
	b := newBench(t).withCode()
	dir := folder(t, "trial")
	got := b.try(0, dir, "--sensor", "stream", "--for", "1m", "--events", "3", "--cursor", "10")
	require.Equal(t, "stream", got.Mode)
	require.GreaterOrEqual(t, len(got.Events), 3)
	require.EqualValues(t, 11, got.Events[0].Payload["id"])
	require.NotEmpty(t, got.Parts)
	require.EqualValues(t, 10+len(got.Events), got.CursorAfter)

	b.try(0, dir, "--sensor", "stream", "--for", "100ms")
}

func TestSensorTestFixtures(t *testing.T) {
	t.Parallel()
	b := newBench(t).withCode()
	dir := folder(t, "trial")
	file := filepath.Join(dir, "all.json")
	require.Contains(t, b.ok("sensor", "test", dir, "--sensor", "all", "--cursor", "7", "--config", `{"limit": 2}`, "--record", file), "recorded "+file+"\n")
	var recorded map[string]any
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(text, &recorded))
	require.Equal(t, map[string]any{
		"sensor": "trial.all", "cursor": 7.0, "cursor_after": 9.0, "more": true,
		"config": map[string]any{"limit": 2.0, "nested": map[string]any{"a": 1.0}},
		"events": []any{
			map[string]any{"key": "item-8", "payload": map[string]any{"id": 8.0, "nested": map[string]any{"a": 1.0}}},
			map[string]any{"key": "item-9", "payload": map[string]any{"id": 9.0, "nested": map[string]any{"a": 1.0}}},
			map[string]any{"trigger": "trial.other", "occurred_at": "2026-01-31T08:00:00Z", "payload": map[string]any{"text": "other"}},
		},
	}, recorded)

	require.Empty(t, b.try(0, dir, "--expect", file).Differences, "the fixture says which sensor, config and cursor")
	got := b.try(1, dir, "--expect", file, "--config", `{"limit": 1}`)
	require.Equal(t, "events", got.Differences[0].Path)

	// A replay runs nothing: the code may be gone wrong.
	require.NoError(t, os.WriteFile(filepath.Join(dir, "code/all.py"), []byte("def"), 0o600))
	replayed := b.try(0, dir, "--replay", file, "--match")
	require.Nil(t, replayed.Usage)
	require.Len(t, replayed.Events, 3)
	require.False(t, replayed.Events[0].Rules[0].Fires)
	require.True(t, replayed.Events[2].Rules[0].Fires)
	require.EqualValues(t, 9, replayed.CursorAfter)
	b.try(1, dir, "--expect", file)
}

// The sensor of the database is tested from where it is, and nothing there changes.
func TestSensorTestOfAStoredSensor(t *testing.T) {
	t.Parallel()
	b := newBench(t).withDatabase().withCode()
	dir := folder(t, "trial")
	b.ok("apply", dir)
	turn, err := b.store.Turn(b.ctx, "trial.all")
	require.NoError(t, err)
	turn.Sensor.DedupeTTL = time.Hour
	_, err = b.store.Append(b.ctx, turn, sensor.Part{
		Items: []sensor.Item{{Payload: []byte(`{"id": 5}`), Key: "item-5"}}, Cursor: json.RawMessage("3"),
	})
	require.NoError(t, err)
	before, err := b.store.Turn(b.ctx, "trial.all")
	require.NoError(t, err)
	require.NoError(t, os.RemoveAll(dir), "the folder is not needed")

	got := b.try(0, "trial.all", "--match")
	require.Equal(t, "database", got.Source)
	require.EqualValues(t, 3, got.Cursor)
	require.EqualValues(t, 6, got.CursorAfter)
	require.Empty(t, got.Events[0].Suppressed)
	require.Contains(t, got.Events[1].Suppressed, "its key came at 2")
	require.False(t, got.Events[0].Rules[0].Fires)
	require.Contains(t, b.ok("sensor", "test", "trial.all"), "sensor         trial.all of the database\n")

	after, err := b.store.Turn(b.ctx, "trial.all")
	require.NoError(t, err)
	require.Equal(t, before, after)
	events, err := b.store.Events(b.ctx, store.EventFilter{})
	require.NoError(t, err)
	require.Empty(t, events)
	keys, err := b.store.Keys(b.ctx, store.KeyFilter{SensorRef: "trial.all"})
	require.NoError(t, err)
	require.Zero(t, keys[0].Suppressed)
	require.Contains(t, b.fails(2, "sensor", "test", "trial.al"), `there is no sensor "trial.al": did you mean trial.all`)
}

func TestSensorTestSaysThatDependenciesCannotBeInstalled(t *testing.T) {
	t.Parallel()
	b := newBench(t).withCode()
	dir := folder(t, "trial")
	manifest := []byte(`{"dependencies": {"left": "file:./nowhere.tgz"}}`)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "package.json"), manifest, 0o600))
	message := b.fails(2, "sensor", "test", dir, "--sensor", "broken")
	require.Contains(t, message, "installing the dependencies of pack trial\n")
	require.Contains(t, message, "cannot be installed, so that no code was run: failed: ")
	require.Contains(t, message, "nowhere.tgz")
}

func TestSensorTestRefusals(t *testing.T) {
	t.Parallel()
	b := newBench(t).withCode()
	dir := folder(t, "trial")
	fixture := filepath.Join(dir, "f.json")
	require.NoError(t, os.WriteFile(fixture, []byte(`{"sensor": "trial.stream"}`), 0o600))
	for want, args := range map[string][]string{
		`"Door" is neither the ref of a sensor nor a pack's folder`: {"Door"},
		"name one with --sensor: trial.all, trial.broken":           {dir},
		`pack trial has no sensor "al"`:                             {dir, "--sensor", "al"},
		"--cursor is not JSON":                                      {dir, "--sensor", "all", "--cursor", "x"},
		"--config: write an object":                                 {dir, "--sensor", "all", "--config", "[]"},
		"config.limit: got string, want integer":                    {dir, "--sensor", "all", "--config", `{"limit": "3"}`},
		"cannot both be the standard input":                         {dir, "--sensor", "all", "--config", "-", "--cursor", "-"},
		"the fixture is one of sensor trial.stream":                 {dir, "--sensor", "all", "--expect", fixture},
		"--replay: the fixture has no events":                       {dir, "--replay", fixture},
		"--expect: open nowhere.json":                               {dir, "--expect", "nowhere.json"},
		"if any flags in the group [replay expect] are set":         {dir, "--replay", fixture, "--expect", fixture},
		"--for -1s: write how long to listen":                       {dir, "--for", "-1s"},
		"--events -1: write how many":                               {dir, "--events", "-1"},
		"--sensor chooses from a folder":                            {"trial.all", "--sensor", "all"},
		"database.url (ATTUNE__DATABASE__URL) is missing":           {"trial.all"},
		"requires at least 1 arg":                                   {},
	} {
		require.Contains(t, b.fails(2, append([]string{"sensor", "test"}, args...)...), want)
	}
	r := b.run("sensor", "test", folder(t, "broken"))
	require.Equal(t, 1, r.code)
	require.Contains(t, r.stdout, "rules/one.yaml:2: trigger: unknown trigger")
	require.Contains(t, b.fails(1, "sensor", "test", folder(t, "alerts")), "problem", "its trigger is one of another pack")
	require.Contains(t, b.fails(2, "sensor", "test", folder(t, "alerts"), folder(t, "shop")), "pack alerts has no sensor")
}

// A timer is polled from the cursor that is given, and says when it is due next.
func TestTimerTrial(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	config := `{"schedules": [{"at": "2026-11-26T09:00:00Z"}], "catch_up_window": "366d", "timezone": "Europe/Berlin"}`
	out := b.ok("sensor", "test", examples, "--sensor", "clock", "--config", `{"schedules": [{"every": "20s"}]}`, "-o", "json")
	require.Contains(t, out, `"next_at": "20`)
	require.NotContains(t, out, `"completed"`)
	out = b.ok("sensor", "test", examples, "--sensor", "clock", "--config", config, "-o", "json")
	require.Contains(t, out, `"completed": true`)
}
