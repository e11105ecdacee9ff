package config

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/knadh/koanf/v2"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/contrib/envconfig"
	"golang.org/x/tools/txtar"

	"github.com/attune-automation/sensors/internal/sensor"
	"github.com/attune-automation/sensors/internal/size"
)

var update = flag.Bool("update", false, "write the expected results of the tests")

// needed are the keys without a default.
var needed = []string{
	"ATTUNE__DATABASE__URL=postgres://attune:hunter2@localhost/attune",
	"ATTUNE__MESSAGE_QUEUE__URL=amqp://attune:hunter2@localhost/",
}

// testEnviron is an environment that does not see the settings of whoever runs the tests.
func testEnviron(variables ...string) []string {
	return append([]string{"PATH=/opt/bin:/bin", "TEMPORAL_CONFIG_FILE=/nowhere/temporal.toml"}, variables...)
}

func writeFile(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
	return path
}

func TestProblems(t *testing.T) {
	t.Parallel()
	paths, err := filepath.Glob("testdata/problems/*.txtar")
	require.NoError(t, err)
	require.NotEmpty(t, paths)
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) {
			t.Parallel()
			archive, err := txtar.ParseFile(path)
			require.NoError(t, err)
			files := map[string]string{}
			for _, file := range archive.Files {
				files[file.Name] = string(file.Data)
			}
			file := writeFile(t, "config.yaml", files["config.yaml"])
			_, err = Load(Options{File: file, Environ: testEnviron(strings.Split(strings.TrimSpace(files["environ"]), "\n")...)})
			require.Error(t, err)
			got := strings.ReplaceAll(err.Error(), filepath.Dir(file)+"/", "") + "\n"
			require.NotContains(t, got, "hunter2")
			require.NotContains(t, got, "sec/ret")
			require.NotContains(t, got, "sec%ret")
			if want := &archive.Files[len(archive.Files)-1]; *update {
				want.Data = []byte(got)
				require.NoError(t, os.WriteFile(path, txtar.Format(archive), 0o600))
			}
			require.Equal(t, files["want"], got)
		})
	}
}

func TestPrecedence(t *testing.T) {
	t.Parallel()
	file := writeFile(t, "config.yaml", `
sensor:
  poll_interval: 5s
  sensor_timeout: 1m
worker:
  roles: [activities]
ops:
  address: ""
log:
`)
	c, err := Load(Options{File: file, Environ: testEnviron(append(needed,
		"ATTUNE__SENSOR__POLL_INTERVAL=1s", "ATTUNE__SENSOR__POLL_INTERVAL=7s")...)})
	require.NoError(t, err)
	require.Equal(t, 7*time.Second, c.Sensor.PollInterval, "environment before file, later variable before earlier")
	require.Equal(t, time.Minute, c.Sensor.SensorTimeout, "file before default")
	require.Equal(t, 10*time.Second, c.Sensor.RestartBackoff, "default")
	require.Equal(t, []string{RoleActivities}, c.Worker.Roles)
	require.Empty(t, c.Ops.Address)
	require.Equal(t, "info", c.Log.Level, "an empty section leaves the default")
	require.Equal(t, "/opt/bin:/bin", c.Runtime.Path)
}

func TestDefaults(t *testing.T) {
	t.Parallel()
	file := writeFile(t, "config.yaml", "")
	c, err := Load(Options{File: file, Environ: testEnviron(needed...)})
	require.NoError(t, err)
	cache := c.Worker.CacheDir
	require.True(t, filepath.IsAbs(cache))
	require.Equal(t, "attune-sensors", filepath.Base(cache))
	require.Contains(t, c.Files(), file)
	c.Temporal.profile, c.files = envconfig.ClientConfigProfile{}, nil
	require.Equal(t, Config{
		File:     file,
		Database: Database{URL: "postgres://attune:hunter2@localhost/attune", MaxConnections: 20},
		MessageQueue: MessageQueue{
			URL: "amqp://attune:hunter2@localhost/", Exchange: "attune.events", DeclareQueues: true,
			EventsQueue: "attune.events.queue", EnforcementsQueue: "attune.enforcements.queue",
			ConfirmTimeout: 10 * time.Second, Channels: 4,
		},
		Temporal: Temporal{Address: "localhost:7233", Namespace: "default", TaskQueue: "attune"},
		Sensor: Sensor{
			PollInterval: 30 * time.Second, MaxConcurrentSensors: 100, SensorTimeout: 300 * time.Second,
			RestartOnError: true, MaxRestartAttempts: 3, RestartBackoff: 10 * time.Second,
			MaxRestartBackoff: 5 * time.Minute, ManagerInterval: 60 * time.Second, DedupeTTL: 7 * 24 * time.Hour,
		},
		Worker: Worker{
			Roles: []string{RoleWorkflows, RoleActivities, RoleWebhooks}, Queues: []string{"python3", "nodejs", "exec", "filewatch"}, ShutdownTimeout: 30 * time.Second,
			MaxConcurrentPolls: 100, CacheDir: cache,
		},
		Runtime: Runtime{
			Python: "python3", Node: "node", Path: "/opt/bin:/bin", Sandbox: "auto",
			WarmProcesses: 100, WarmIdle: 10 * time.Minute, WarmPolls: 1000,
			Limits:         sensor.Limits{Memory: 512 * size.MiB, OpenFiles: 256, Processes: 64, Output: 8 * size.MiB},
			InstallTimeout: 10 * time.Minute,
			InstallEnvironment: []string{"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy",
				"PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_CERT", "NPM_CONFIG_REGISTRY", "npm_config_registry"},
		},
		Rules: Rules{MaxEvaluation: 50 * time.Millisecond, MaxOverruns: 5, OverrunWindow: 5 * time.Minute},
		Webhooks: Webhooks{
			Address: "127.0.0.1:8083", BasePath: "/webhooks", MaxBody: size.MiB, MaxHeader: 32 * size.KiB, HeaderTimeout: 5 * time.Second,
			ReadTimeout: 10 * time.Second, AcceptTimeout: 5 * time.Second, MaxRequests: 1000, AddressRate: 1000, AddressConnections: 500, DeliveryTTL: 7 * 24 * time.Hour,
		},
		Ops: Ops{Address: "127.0.0.1:8080"},
		Log: Log{Level: "info", Format: "auto", SensorDirectory: filepath.Join(cache, "logs"), SensorMaxSize: 10 * size.MiB, SensorMaxFiles: 5},
	}, c)
	require.Equal(t, sensor.Settings{
		PollInterval: 30 * time.Second, Timeout: 300 * time.Second, MaxRestartAttempts: 3, RestartOnError: true,
		RestartBackoff: 10 * time.Second, MaxRestartBackoff: 5 * time.Minute, DedupeTTL: 7 * 24 * time.Hour,
	}, c.SensorSettings())
}

func TestOptionalKeys(t *testing.T) {
	t.Parallel()
	file := writeFile(t, "config.yaml", "")
	c, err := Load(Options{File: file, Environ: testEnviron(needed[0]), Optional: []string{"message_queue.url"}})
	require.NoError(t, err)
	require.Empty(t, c.MessageQueue.URL)
	_, err = Load(Options{File: file, Environ: testEnviron(needed[0], "ATTUNE__MESSAGE_QUEUE__URL=http://broker"),
		Optional: []string{"message_queue.url"}})
	require.ErrorContains(t, err, "message_queue.url", "what may be missing is still checked when it is there")
}

func TestFile(t *testing.T) {
	t.Parallel()
	read := func(name, dir string) loader {
		l := loader{koanf: koanf.New(".")}
		l.keys = keys(&l.config)
		l.addFile(name, dir)
		return l
	}
	dir := filepath.Dir(writeFile(t, "config.yaml", "log: {level: debug}"))

	l := read("", dir)
	require.NoError(t, l.err())
	require.Equal(t, "debug", l.koanf.Get("log.level").(setting).Text, "config.yaml of the working directory")
	l = read("", t.TempDir())
	require.NoError(t, l.err(), "need not be there")
	require.Empty(t, l.koanf.Keys())
	l = read(filepath.Join(dir, "other.yaml"), dir)
	require.ErrorContains(t, l.err(), "other.yaml: no such file", "a named file must be there")
	l = read(dir, dir)
	require.ErrorContains(t, l.err(), "is a directory")
}

func TestNearest(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"sensor.poll-interval":       "sensor.poll_interval",
		"sensor.interval":            "",
		"sensor.timeout":             "",
		"worker.sensor_timeout":      "sensor.sensor_timeout",
		"messagequeue.exchange":      "message_queue.exchange",
		"database.uri":               "database.url",
		"url":                        "",
		"message_queue.events_queu":  "message_queue.events_queue",
		"message_queue.event_queue":  "message_queue.events_queue",
		"":                           "",
		"sensor.max_restart_attempt": "sensor.max_restart_attempts",
	} {
		l := loader{keys: keys(new(Config))}
		require.Equal(t, want, l.nearest(name), name)
	}
}

func TestMaskURL(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"postgres://u:secret@h:5432/db?sslmode=disable": "postgres://u:xxxxx@h:5432/db?sslmode=disable",
		"postgres://u:secret@h1:5432,h2:5433/db":        "postgres://u:xxxxx@h1:5432,h2:5433/db",
		"postgres:///db?host=/tmp&password=secret":      "postgres:///db?host=%2Ftmp&password=xxxxx",
		"postgres://h/db?sslpassword=secret&user=u":     "postgres://h/db?sslpassword=xxxxx&user=u",
		"amqp://h":                      "amqp://h",
		"amqp://u:sec#ret@h/":           hidden,
		"amqp://u:1/secret@h/":          hidden,
		"amqp://u:1?secret@h/":          hidden,
		"amqp:u:secret@h":               hidden,
		"host=h user=u password=secret": hidden,
		"hunter2":                       hidden,
		"":                              hidden,
		"postgres://u:secret@h/db?Password=secret": "postgres://u:xxxxx@h/db?Password=xxxxx",
		"postgres://u:secret@h/db#secret":          hidden,
	} {
		require.Equal(t, want, maskURL(text), text)
	}
}

func TestRelativePaths(t *testing.T) {
	t.Parallel()
	c, err := Load(Options{File: writeFile(t, "config.yaml", ""), Environ: testEnviron(append(needed, "ATTUNE__WORKER__CACHE_DIR=cache")...)})
	require.NoError(t, err)
	here, err := os.Getwd()
	require.NoError(t, err)
	require.Equal(t, filepath.Join(here, "cache"), c.Worker.CacheDir)
	require.Equal(t, filepath.Join(here, "cache", "logs"), c.Log.SensorDirectory)
}
