package process_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"github.com/attune-automation/sensors/internal/runner"
	"github.com/attune-automation/sensors/internal/runner/process"
	"github.com/attune-automation/sensors/internal/secret"
	"github.com/attune-automation/sensors/internal/sensor"
	"github.com/attune-automation/sensors/internal/sensorlog"
)

const token = "tok-4711-very-secret"

// withSecrets gives a bundle a secret and a folder for logs.
func withSecrets(t *testing.T) (*bundle, string) {
	t.Helper()
	logs := t.TempDir()
	b := setup(t, func(c *process.Config) {
		var err error
		c.Secrets, err = secret.New(secret.Config{Environ: []string{"ATTUNE_SECRET_TOKEN=" + token}})
		require.NoError(t, err)
		logDir, err := sensorlog.Open(sensorlog.Config{Dir: logs, Logger: zap.NewNop()})
		require.NoError(t, err)
		c.Logs = logDir
		t.Cleanup(func() { require.NoError(t, logDir.Close()) })
	})
	return b, logs
}

func secretive(req runner.Request) runner.Request {
	req.Sensor.Config = json.RawMessage(`{"header": "Bearer ${secret:TOKEN}", "literal": "$${x}"}`)
	return req
}

func readLog(t *testing.T, dir string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "worker-0", "test.sensor.log"))
	require.NoError(t, err)
	return string(text)
}

func TestSecretsReachTheCodeAndNothingElse(t *testing.T) {
	t.Parallel()
	for file, code := range map[string]string{
		"s.py": `
import os, sys
def poll(ctx):
    print("out", ctx.secret("TOKEN"))
    print("err", ctx.config["header"], file=sys.stderr)
    ctx.log.warning("log " + ctx.secret("TOKEN"))
    ok = ctx.config["header"] == "Bearer " + ctx.secret("TOKEN") and ctx.config["literal"] == "${x}"
    seen = [f for f in ("environ", "cmdline") if ctx.secret("TOKEN") in open("/proc/self/" + f).read()]
    yield {"ok": ok, "seen": seen}
    ctx.skip("no " + ctx.secret("TOKEN"))
`,
		"s.mjs": `
import { readFileSync } from "node:fs";
export function* poll(ctx) {
  console.log("out", ctx.secret("TOKEN"));
  console.error("err", ctx.config.header);
  ctx.log.warning("log " + ctx.secret("TOKEN"));
  const ok = ctx.config.header === "Bearer " + ctx.secret("TOKEN") && ctx.config.literal === "${x}";
  const seen = ["environ", "cmdline"].filter((f) => readFileSync("/proc/self/" + f, "utf8").includes(ctx.secret("TOKEN")));
  yield { ok, seen };
  ctx.skip("no " + ctx.secret("TOKEN"));
}
`,
	} {
		t.Run(file, func(t *testing.T) {
			t.Parallel()
			b, logs := withSecrets(t)
			r := b.poll(t, secretive(b.code(t, file, code)))
			require.JSONEq(t, `{"ok": true, "seen": []}`, payloads(r))
			require.Equal(t, "no ***", r.Skip)
			log := readLog(t, logs)
			require.NotContains(t, log, token)
			for _, line := range []string{"out ***", "err Bearer ***", "warning log ***", "skipped: no ***"} {
				require.Contains(t, log, line)
			}
		})
	}
}

func TestFaultsShowNoSecret(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		code, message string
		kind          sensor.FaultKind
	}{
		"an exception":    {"raise ValueError(ctx.secret('TOKEN'))", "ValueError: ***", sensor.FaultException},
		"an event":        {"yield {'a': ['x', ctx.config['header']]}", `event 1 has the value of the secret "TOKEN" in it: leave it out`, sensor.FaultOutput},
		"an escaped one":  {"yield {'a': ''.join(f'%{ord(c):02x}' for c in ctx.secret('TOKEN'))}", `event 1 has the value of the secret "TOKEN"`, sensor.FaultOutput},
		"a key":           {"yield ctx.event({}, key=ctx.secret('TOKEN'))", `event 1 has the value of the secret "TOKEN"`, sensor.FaultOutput},
		"a cursor":        {"ctx.cursor = {'token': ctx.secret('TOKEN')}", `its cursor has the value of the secret "TOKEN" in it: leave it out`, sensor.FaultOutput},
		"a checkpoint":    {"yield {}\n    ctx.checkpoint(ctx.secret('TOKEN'))", `its cursor has the value of the secret "TOKEN"`, sensor.FaultOutput},
		"another trigger": {"yield ctx.event({}, trigger='test.' + ctx.secret('TOKEN'))", "", sensor.FaultException},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, logs := withSecrets(t)
			fault := b.fault(t, secretive(b.code(t, "s.py", "def poll(ctx):\n    print('begin', ctx.secret('TOKEN'))\n    "+test.code+"\n    yield from ()\n")))
			require.Equal(t, test.kind, fault.Kind, fault.Error())
			require.Contains(t, fault.Message, test.message)
			require.NotContains(t, fault.Error(), token)
			require.Contains(t, fault.Log, "begin ***")
			log := readLog(t, logs)
			require.NotContains(t, log, token)
			require.Contains(t, log, "the poll failed: "+string(test.kind)+": "+fault.Message)
		})
	}
}

func TestAMissingSecretIsAFaultOfTheConfig(t *testing.T) {
	t.Parallel()
	b := setup(t)
	req := b.code(t, "s.py", "def poll(ctx): pass\n")
	req.Sensor.Config = json.RawMessage(`{"a": {"b": "${secret:TOKEN}"}}`)
	fault := b.fault(t, req)
	require.Equal(t, sensor.FaultConfig, fault.Kind)
	require.Contains(t, fault.Message, `config.a.b: there is no secret "TOKEN": set ATTUNE_SECRET_TOKEN in the worker's environment`)
}

func TestTheLogSaysWhereALineIsFromAndWhatWasDropped(t *testing.T) {
	t.Parallel()
	b, logs := withSecrets(t)
	req := b.code(t, "s.sh", "#!/bin/sh\necho to stdout\necho to stderr >&2\nprintf '%s\\n' '{\"type\":\"log\",\"level\":\"error\",\"message\":\"one\\ntwo\"}' >&3\nsleep 0.2\ni=0\nwhile [ $i -lt 1000 ]; do echo \"line $i\"; i=$((i+1)); done\nexit 1\n")
	req.Sensor.Limits.Output = 1000
	fault := b.fault(t, req)
	require.Len(t, fault.Log, 50)
	require.Equal(t, "line 999", fault.Log[49], "what was last is worth the most")
	log := readLog(t, logs)
	for _, line := range []string{"stdout  to stdout\n", "stderr  to stderr\n", "error   one\n", "error   two\n", "stdout  line 1\n"} {
		require.Contains(t, log, line)
	}
	require.Less(t, len(log), 6000)
	require.Regexp(t, `warning [0-9.]+ KiB of output was dropped: more than 1000B \(sensor's .limits.output.\)\n`, log)
	require.Contains(t, log, "error   the poll failed: exit: the process ended with exit status 1\n")
	lines := strings.Split(strings.TrimSpace(log), "\n")
	_, err := time.Parse(time.RFC3339, strings.Fields(lines[0])[0])
	require.NoError(t, err)
}
