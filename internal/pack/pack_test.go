package pack_test

import (
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/rogpeppe/go-internal/txtar"
	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/internal/pack"
	"github.com/attune-automation/sensors/internal/runner/filewatch"
	"github.com/attune-automation/sensors/internal/sensor"
	"github.com/attune-automation/sensors/packs"
)

var update = flag.Bool("update", false, "rewrite the golden files in testdata")

func TestLoad(t *testing.T) {
	t.Parallel()
	got, err := pack.LoadFS(folder(t, "testdata/good.txtar"), pack.Options{Known: known()})
	require.NoError(t, err)

	require.Len(t, got.Digest, 64)
	require.NotEmpty(t, got.Archive)
	got.Digest, got.Archive = "", nil
	no := false
	from, until := time.Date(2026, 1, 31, 0, 0, 0, 0, time.UTC), time.Date(2026, 2, 28, 18, 0, 0, 0, time.UTC)
	require.Equal(t, sensor.Pack{
		Ref: "good", Label: "good", Version: "1.10", Description: "A pack without problems.",
		Triggers: []sensor.Trigger{{
			Ref: "good.push", PackRef: "good", Label: "2026-01-02", Enabled: true,
			ParamSchema: []byte(`{"required":["url"],"properties":{"url":{"type":"string"}}}`),
			OutSchema:   []byte(`{"type":"object"}`),
		}, {
			Ref: "good.quiet", PackRef: "good", Label: "good.quiet", Enabled: false,
		}},
		Sensors: []sensor.Sensor{{
			Ref: "good.contained", PackRef: "good", Label: "good.contained", Enabled: true, TriggerRef: "good.quiet",
			TriggerRefs: []string{"good.quiet", "good.push", "core.sensor_failed"},
			Runtime:     sensor.RuntimePython, Entrypoint: "code/watch.py", Mode: sensor.ModePoll, DedupeTTL: 24 * time.Hour,
			Queue: "on-site.2", Sandbox: sensor.SandboxBwrap, Network: sensor.NetworkNone, Warm: &no,
			Limits:      sensor.Limits{CPU: time.Minute, Memory: 256 << 20, OpenFiles: 64, Processes: 8, Output: 1e6},
			ParamSchema: []byte(`{"properties":{"token":{"type":"string","pattern":"^[a-f]+$"},"template":{"const":"$${secret:a}"}}}`),
			Config:      []byte(`{"url":"https://${secret:USER}:${secret:PASSWORD}@localhost","token":"${secret:TOKEN}","template":"$${secret:a}"}`),
		}, {
			Ref: "good.defaults", PackRef: "good", Label: "good.defaults", Enabled: true, TriggerRef: "core.sensor_failed",
			TriggerRefs: []string{"core.sensor_failed"}, Mode: sensor.ModePoll,
			Runtime: sensor.RuntimeNode, Entrypoint: "code/watch.js", Config: []byte(`{}`),
		}, {
			Ref: "good.stream", PackRef: "good", Label: "good.stream", Enabled: true, TriggerRef: "good.quiet",
			TriggerRefs: []string{"good.quiet"}, Mode: sensor.ModeStream, Sandbox: sensor.SandboxNone,
			Runtime: sensor.RuntimeNode, Entrypoint: "code/watch.js", Config: []byte(`{}`),
		}, {
			Ref: "good.watch", PackRef: "good", Label: "Watch", Description: "Two\nlines\n", Enabled: false,
			TriggerRef: "good.push", TriggerRefs: []string{"good.push"}, Mode: sensor.ModePoll, Runtime: sensor.RuntimePython, Entrypoint: "code/watch.py",
			PollInterval: 90 * time.Second, Timeout: 1500 * time.Millisecond, MaxRestartAttempts: 5, RestartOnError: &no,
			ParamSchema: []byte(`true`),
			Config: []byte(`{"url":"http://localhost?a=1&b=<2>","big":123456789012345678901234567890,"exact":0.10,` +
				`"hex":255,"octal":493,"positive":5,"point":0.5,"whole":1,"power":1e3,"date":"2026-01-02","answer":"yes",` +
				`"time":"12:30:00","none":null,"text":"5","copy":["a","b"],"again":["a","b"]}`),
		}},
		Rules: []sensor.Rule{{
			Ref: "good.all", PackRef: "good", Label: "good.all", TriggerRef: "core.sensor_failed", Enabled: true,
			Condition: "all", Conditions: []byte(`[]`), ActionRef: "notify.page", ActionParams: []byte(`{}`),
			Shadow: true, Priority: -5, ValidFrom: &from, ValidUntil: &until,
			Active: []byte(`[{"days":"mon-fri","from":"09:00","to":"17:00","timezone":"Europe/Berlin"},{"days":["sat"]}]`),
		}, {
			Ref: "good.main", PackRef: "good", Label: "good.main", TriggerRef: "good.push", Enabled: true,
			Condition:  "any",
			Conditions: []byte(`[{"field":"payload.branch","operator":"equals","value":"main"},{"not":{"field":"payload.size","operator":"less_than","value":9007199254740993}}]`),
			ActionRef:  "notify.send", ActionParams: []byte(`{"to":"ops"}`), Active: []byte(`[]`),
		}},
	}, got)
}

func TestLoadReportsEveryProblem(t *testing.T) {
	t.Parallel()
	archives, err := filepath.Glob("testdata/bad*.txtar")
	require.NoError(t, err)
	require.NotEmpty(t, archives)
	for _, archive := range archives {
		t.Run(filepath.Base(archive), func(t *testing.T) {
			t.Parallel()
			_, err := pack.LoadFS(folder(t, archive), pack.Options{Known: known()})
			problems, ok := errors.AsType[pack.Problems](err)
			require.True(t, ok, "%v", err)
			golden(t, strings.TrimSuffix(archive, ".txtar")+".golden", problems.Error()+"\n")
		})
	}
}

func TestLoadOfAnUnreadableFolder(t *testing.T) {
	t.Parallel()
	_, err := pack.Load("testdata/nowhere", pack.Options{})
	require.EqualError(t, err, `opening the pack's folder "testdata/nowhere": no such file or directory`)
	_, err = pack.Load("testdata", pack.Options{})
	require.EqualError(t, err, `pack.yaml: missing: write one with at least ref`)
}

func TestSet(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ set, config, problem string }{
		"text":           {"good.dotted.name.path=/srv/repo", `{"path":"/srv/repo","nested":{"a":1}}`, ""},
		"number":         {"good.dotted.name.nested.a=2", `{"path":"/tmp","nested":{"a":2}}`, ""},
		"quoted number":  {"good.dotted.name.nested.a='2'", `{"path":"/tmp","nested":{"a":"2"}}`, ""},
		"new keys":       {"good.dotted.name.x.y=[1, b]", `{"path":"/tmp","nested":{"a":1},"x":{"y":[1,"b"]}}`, ""},
		"nothing":        {"good.dotted.name.path=", `{"path":"","nested":{"a":1}}`, ""},
		"equals sign":    {"good.dotted.name.path=a=b", `{"path":"a=b","nested":{"a":1}}`, ""},
		"config of none": {"good.dotted.new=true", `{"new":true}`, ""},
		"no value":       {"good.dotted.name.path", "", "--set: good.dotted.name.path: write SENSOR_REF.KEY=VALUE"},
		"no sensor":      {"good.other.path=1", "", "--set: good.other.path=1: names no sensor of this pack: write SENSOR_REF.KEY=VALUE; its sensors are good.dotted, good.dotted.name"},
		"no YAML":        {"good.dotted.name.path=[", "", "--set: good.dotted.name.path=[: the value is not YAML: write it in quotes"},
		"below a text":   {"good.dotted.name.path.x=1", "", "--set: good.dotted.name.path.x=1: path.x has a value already that holds no keys"},
		"breaks schema":  {"good.dotted.name.path=5", "", "sensors/b.yaml:6: config.path: by param_schema of trigger good.t: got number, want string"},
		"the same twice": {"good.dotted.name.a={b: 1, b: 2}", "", "sensors/b.yaml:6: config.a.b: key is already in line 6: keep one"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := pack.LoadFS(folder(t, "testdata/set.txtar"), pack.Options{Set: []string{test.set}})
			if test.problem != "" {
				require.EqualError(t, err, test.problem)
				return
			}
			require.NoError(t, err)
			var configs []string
			for _, s := range got.Sensors {
				configs = append(configs, string(s.Config))
			}
			require.Contains(t, configs, test.config)
		})
	}
}

// TestCorePack holds the embedded pack to what the service emits.
func TestCorePack(t *testing.T) {
	t.Parallel()
	core, err := packs.Core()
	require.NoError(t, err)
	got, err := pack.LoadFS(core, pack.Options{})
	require.NoError(t, err)
	require.Equal(t, "core", got.Ref)
	var refs []string
	for _, trigger := range got.Triggers {
		refs = append(refs, trigger.Ref)
	}
	require.Subset(t, refs, []string{sensor.TriggerSensorFailed, filewatch.TriggerFile, filewatch.TriggerLine})
}

// TestDocumentation loads the pack that docs/packs.md builds up: every code block there that starts with `# PATH`.
func TestDocumentation(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/packs.md")
	require.NoError(t, err)
	files := fstest.MapFS{}
	for i, block := range strings.Split(string(text), "```") {
		_, body, _ := strings.Cut(block, "\n")
		title, _, _ := strings.Cut(body, "\n")
		if name, ok := strings.CutPrefix(title, "# "); ok && i%2 == 1 && strings.Contains(name, ".") {
			files[name] = &fstest.MapFile{Data: []byte(body), Mode: 0o644}
		}
	}
	got, err := pack.LoadFS(files, pack.Options{Set: []string{"weather.station.url=http://localhost:8080"}})
	require.NoError(t, err)
	require.Len(t, got.Triggers, 1)
	require.Len(t, got.Sensors, 1)
	require.Len(t, got.Rules, 1)
}

func TestAliasBombs(t *testing.T) {
	t.Parallel()
	bomb := "ref: a.b\nx0: &x0 [z, z, z, z, z, z, z, z, z, z]\n"
	for i := range 12 {
		bomb += fmt.Sprintf("x%d: &x%d [%s]\n", i+1, i+1, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*x%d, ", i), 10), ", "))
	}
	bomb += "param_schema: {enum: *x12}\nout_schema: &loop {anyOf: [*loop, *loop]}\n"
	_, err := pack.LoadFS(fstest.MapFS{
		"pack.yaml":       {Data: []byte("ref: a")},
		"triggers/b.yaml": {Data: []byte(bomb)},
	}, pack.Options{})
	require.ErrorContains(t, err, "grows beyond 1048576 bytes: write less, or use fewer aliases")
	require.ErrorContains(t, err, "out_schema: nests deeper than 100 levels")
	require.Less(t, len(err.Error()), 5000)
}

// The config of a webhook is checked with file and line, and its trigger is that of the runtime.
func TestWebhooks(t *testing.T) {
	t.Parallel()
	known := []sensor.Trigger{{Ref: "core.webhook", PackRef: "core", Enabled: true}}
	sensors := func(texts ...string) fstest.MapFS {
		files := fstest.MapFS{"pack.yaml": {Data: []byte("ref: shop")}}
		for i, text := range texts {
			files[fmt.Sprintf("sensors/%d.yaml", i)] = &fstest.MapFile{Data: []byte(text)}
		}
		return files
	}
	const head = "runtime: core.webhook\nref: shop."
	got, err := pack.LoadFS(sensors(head+"orders\npoll_interval: 1m\nconfig:\n  path: orders/{id}\n  auth: none", head+"new\nconfig:\n  path: orders/new\n  auth: none"),
		pack.Options{Known: known})
	require.NoError(t, err)
	require.Equal(t, "core.webhook", got.Sensors[0].TriggerRef)

	_, err = pack.LoadFS(sensors(
		head+"a\nqueue: x\nconfig:\n  methods: [POST]\n  auth:\n    type: hmac\n    header: X-Sig\n    secrets:\n      - plain",
		head+"b\nconfig:\n  path: orders/{id}\n  auth: none",
		head+"c\nconfig:\n  auth: none\n  path: orders/{order}",
	), pack.Options{Known: known})
	require.EqualError(t, err, "sensors/0.yaml:3: queue: core.webhook has no use for it: leave it out\n"+
		"sensors/0.yaml:10: config.auth.secrets[0]: is no reference to a secret: keep the secret where the worker finds it, and write ${secret:NAME}\n"+
		"sensors/2.yaml:5: config.path: its path \"orders/{order}\" conflicts with \"orders/{id}\" of sensor shop.b, which was there first: choose another path")
}

// What is wrong with a timer is said with its line, and its trigger is that of the runtime.
func TestTimers(t *testing.T) {
	t.Parallel()
	load := func(text string) (sensor.Pack, error) {
		return pack.LoadFS(fstest.MapFS{
			"pack.yaml":      {Data: []byte("ref: shop")},
			"sensors/a.yaml": {Data: []byte("ref: shop.a\nruntime: core.timer\n" + text)},
		}, pack.Options{Known: []sensor.Trigger{{Ref: "core.timer", Enabled: true}}})
	}
	got, err := load("config:\n  schedules:\n  - cron: 0 9 * * MON-FRI\n    timezone: Europe/Berlin\n  - {every: 15m}\n  - {at: 2099-12-01T09:00:00Z}\n  exclude: [2099-12-25]")
	require.NoError(t, err)
	require.Equal(t, "core.timer", got.Sensors[0].TriggerRef)
	_, err = load("poll_interval: 1m\nconfig:\n  schedules:\n  - cron: 0 0 30 2 *\n  - every: 15m\n    start: 2027-01-01\n    end: 2026-01-01\n  timezone: Europe/Bern")
	require.EqualError(t, err, "sensors/a.yaml:3: poll_interval: core.timer has no use for it: leave it out\n"+
		"sensors/a.yaml:10: config.timezone: unknown time zone \"Europe/Bern\": write an IANA name such as Europe/Berlin, America/New_York or UTC")
	_, err = load("config:\n  schedules:\n  - cron: 0 0 30 2 *\n  - every: 15m\n    start: 2027-01-01\n    end: 2026-01-01")
	require.EqualError(t, err, "sensors/a.yaml:5: config.schedules[0].cron: \"0 0 30 2 *\": never due: no month of those has such a day\n"+
		"sensors/a.yaml:8: config.schedules[1].end: 2026-01-01 is before start, 2027-01-01: write a later one")
}

// What is wrong with a config of files is said with its line, and the mode decides about the trigger.
func TestFileSensors(t *testing.T) {
	t.Parallel()
	load := func(text string) (sensor.Pack, error) {
		return pack.LoadFS(fstest.MapFS{
			"pack.yaml":      {Data: []byte("ref: shop")},
			"sensors/a.yaml": {Data: []byte("ref: shop.a\nruntime: core.filewatch\n" + text)},
		}, pack.Options{Known: []sensor.Trigger{{Ref: "core.file", Enabled: true}, {Ref: "core.line", Enabled: true}}})
	}
	for mode, trigger := range map[string]string{"watch": "core.file", "tail": "core.line"} {
		got, err := load("queue: site-a\npoll_interval: 10s\nconfig:\n  mode: " + mode + "\n  paths: [/srv/in/**/*.csv]")
		require.NoError(t, err)
		require.Equal(t, trigger, got.Sensors[0].TriggerRef)
		require.Equal(t, "site-a", got.Sensors[0].PollQueue())
	}
	_, err := load("entrypoint: x\nconfig:\n  mode: tail\n  paths:\n    - /var/log/*.log\n    - log\n  patterns:\n    - regex: (\n")
	require.EqualError(t, err, "sensors/a.yaml:3: entrypoint: core.filewatch has no use for it: leave it out\n"+
		"sensors/a.yaml:8: config.paths[1]: \"log\" is relative: write an absolute path, such as /srv/in/*.csv\n"+
		"sensors/a.yaml:10: config.patterns[0].regex: does not compile: error parsing regexp: missing closing ): `(`; write a regular expression in RE2 syntax")
}

// FuzzLoad feeds any text to every kind of definition: it may be refused, but never bring the loader down.
func FuzzLoad(f *testing.F) {
	for _, name := range []string{"testdata/bad.txtar", "testdata/good.txtar", "testdata/set.txtar"} {
		archive, err := txtar.ParseFile(name)
		require.NoError(f, err)
		for _, file := range archive.Files {
			f.Add(file.Data)
		}
	}
	f.Add([]byte("a: &a {b: *a}\nconfig: *a\nout_schema: *a\nconditions: [*a]"))
	f.Add([]byte("? [a]\n: b\n!!map {}: c"))
	f.Fuzz(func(t *testing.T, text []byte) {
		_, err := pack.LoadFS(fstest.MapFS{
			"pack.yaml":       {Data: []byte("ref: good")},
			"triggers/x.yaml": {Data: text},
			"sensors/x.yaml":  {Data: text},
			"rules/x.yaml":    {Data: text},
		}, pack.Options{Set: []string{"good.watch.url=1"}})
		if err != nil {
			require.NotEmpty(t, err.Error())
		}
	})
}

// known is a trigger of another pack, as the database would have it.
func known() []sensor.Trigger {
	return []sensor.Trigger{{Ref: "core.sensor_failed", PackRef: "core", Enabled: true}}
}

// folder is the file system that a txtar archive describes.
func folder(t *testing.T, name string) fs.FS {
	t.Helper()
	text, err := os.ReadFile(name)
	require.NoError(t, err)
	return folderOf(t, string(text))
}

// folderOf returns a pack's folder that is written as a txtar archive.
func folderOf(t *testing.T, text string) fs.FS {
	t.Helper()
	files := fstest.MapFS{}
	for _, file := range txtar.Parse([]byte(text)).Files {
		files[file.Name] = &fstest.MapFile{Data: file.Data, Mode: 0o644}
	}
	return files
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	if *update {
		require.NoError(t, os.WriteFile(name, []byte(got), 0o644))
	}
	want, err := os.ReadFile(name)
	require.NoError(t, err, "run the test with -update")
	require.Equal(t, string(want), got)
}
