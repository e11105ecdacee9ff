package process_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/internal/sensor"
)

func TestEveryFormOfASensor(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for i, test := range []struct {
		name, file, code string
		want, cursor     string
	}{
		{name: "generator", file: "s.py", code: `
def poll(ctx):
    yield {"n": ctx.config["n"], "was": ctx.cursor}
    ctx.cursor = {"at": 2}
`, want: `{"n": 7, "was": [1]}`, cursor: `{"at": 2}`},
		{name: "no argument", file: "s.py", code: `
def poll():
    yield {"n": 1}
    yield {"n": 2}
`, want: "{\"n\": 1}\n{\"n\": 2}"},
		{name: "any arguments", file: "s.py", code: `
def poll(*args):
    return [{"n": len(args)}]
`, want: `{"n": 1}`},
		{name: "async generator", file: "s.py", code: `
import asyncio
async def poll(ctx):
    await asyncio.sleep(0)
    yield {"n": 1}
`, want: `{"n": 1}`},
		{name: "coroutine that returns a list", file: "s.py", code: `
async def poll(ctx):
    return [{"n": 1}]
`, want: `{"n": 1}`},
		{name: "nothing new", file: "s.py", code: `
def poll(ctx):
    return ctx.skip("quiet")
`},
		{name: "cursor changed in place", file: "s.py", code: `
def poll(ctx):
    ctx.cursor.append(2)
`, cursor: `[1, 2]`},
		{name: "cursor back to the beginning", file: "s.py", code: `
def poll(ctx):
    ctx.cursor = None
`, cursor: `null`},
		{name: "numbers and text beyond JSON's everyday", file: "s.py", code: `
def poll(ctx):
    yield {"big": 9007199254740993, "huge": 10**400 % 10**30, "text": "\ud800 \u0000 é"}
`, want: `{"big": 9007199254740993, "huge": 0, "text": "\ud800 \u0000 \u00e9"}`},
		{name: "prints are not data", file: "s.py", code: `
import os, sys
print('{"not": "data"}')
os.system("echo neither")
def poll(ctx):
    print("nor this", file=sys.stderr)
    yield {"n": 1}
`, want: `{"n": 1}`},
		{name: "a thread is still running", file: "s.py", code: `
import threading, time
def poll(ctx):
    threading.Thread(target=time.sleep, args=(1000,)).start()
    yield {"n": 1}
`, want: `{"n": 1}`},

		{name: "async generator", file: "s.mjs", code: `
export async function* poll(ctx) {
  yield { n: ctx.config.n, was: ctx.cursor };
  ctx.cursor = { at: 2 };
}
`, want: `{"n":7,"was":[1]}`, cursor: `{"at":2}`},
		{name: "generator", file: "s.mjs", code: `export function* poll() { yield { n: 1 }; yield { n: 2 }; }`, want: "{\"n\":1}\n{\"n\":2}"},
		{name: "function that returns an array", file: "s.mjs", code: `export const poll = () => [{ n: 1 }];`, want: `{"n":1}`},
		{name: "async function that returns an array", file: "s.mjs", code: `export async function poll() { return [{ n: 1 }]; }`, want: `{"n":1}`},
		{name: "CommonJS", file: "s.cjs", code: `exports.poll = async function* () { yield { n: 1 }; };`, want: `{"n":1}`},
		{name: "CommonJS by default", file: "s.js", code: `module.exports = { poll: () => [{ n: 1 }] };`, want: `{"n":1}`},
		{name: "nothing new", file: "s.mjs", code: `export function poll(ctx) { return ctx.skip("quiet"); }`},
		{name: "a timer is still running", file: "s.mjs", code: `
export function poll(ctx) {
  setTimeout(() => {}, 1e9);
  ctx.cursor.push(2);
  return [{ text: "\ud800 \u0000 é" }];
}
`, want: `{"text":"\ud800 \u0000 é"}`, cursor: `[1,2]`},
		{name: "prints are not data", file: "s.mjs", code: `
import { execSync } from "node:child_process";
console.log('{"not": "data"}');
export async function* poll() { execSync("echo neither", { stdio: "inherit" }); yield { n: 1 }; }
`, want: `{"n":1}`},

		{name: "lines of stdout", file: "s.sh", code: `#!/bin/sh
read -r request
echo starting
echo '{"n": 1,   "as": "written"}'
echo '{"n": 2} trailing words'
echo '[1]'
echo '{"broken": '
printf '  {"n": 1e400}\r\n'
echo '{"not": "data"}' >&2
echo '{"type":"cursor","cursor":[1,  2]}' >&3
printf '{"last": "without a line end"}'
`, want: "{\"n\": 1,   \"as\": \"written\"}\n  {\"n\": 1e400}\r\n{\"last\": \"without a line end\"}", cursor: `[1,  2]`},
		{name: "the cursor that it has already", file: "s.sh", code: `#!/bin/sh
echo '{"type":"cursor","cursor": [ 1 ] }' >&3
`},
		{name: "messages on fd 3", file: "s.sh", code: `#!/bin/sh
exec >&3
echo '{"type":"event","payload":{"n": 1}}'
echo ' { "payload" : {"n" : 2}, "type" : "event" } '
echo
printf '%s\n' '{"type":"log","level":"warning","message":"two\nlines"}'
echo '{"type":"skip","reason":"why not"}'
echo '{"type":"cursor","cursor":1}'
echo '{"type":"cursor","cursor":null}'
`, want: "{\"n\": 1}\n{\"n\" : 2}", cursor: `null`},
	} {
		t.Run(test.file+" "+test.name, func(t *testing.T) {
			t.Parallel()
			req := b.code(t, test.file, strings.TrimPrefix(test.code, "\n"))
			req.Sensor.Ref = fmt.Sprintf("test.sensor_%d", i)
			req.Sensor.Config = json.RawMessage(`{"n": 7}`)
			req.Cursor = json.RawMessage(`[1]`)
			poll := b.poll(t, req)
			require.Equal(t, test.want, payloads(poll))
			require.Equal(t, test.cursor, string(poll.Cursor))
		})
	}
}

func TestWhatASensorIsGiven(t *testing.T) {
	t.Parallel()
	b := setup(t)
	req := b.pack(t, "sensors/s.sh", map[string]string{"sensors/s.sh": `#!/bin/sh
cat
printf '{"env": "%s", "dir": "%s", "home": %s}\n' "$(env | cut -d= -f1 | sort | tr '\n' ' ')" "$PWD" "$(test -w "$HOME" && echo true)"
ls -l /proc/self/fd | awk 'NF > 8 { n++ } END { printf "{\"fds\": %d}\n", n }' # 0 to 3, and ls's own
`})
	req = config(t, req, map[string]string{"key": "value"})
	before := time.Now()
	lines := b.poll(t, req).Payloads
	require.Len(t, lines, 3)

	var request map[string]any
	require.NoError(t, json.Unmarshal(lines[0], &request))
	deadline, err := time.Parse(time.RFC3339, request["deadline"].(string))
	require.NoError(t, err)
	require.WithinDuration(t, before.Add(req.Timeout), deadline, 5*time.Second)
	delete(request, "deadline")
	require.DirExists(t, request["pack_dir"].(string))
	require.InDelta(t, 120, request["timeout_seconds"], 1)
	delete(request, "timeout_seconds")
	require.Equal(t, map[string]any{
		"protocol": 1.0, "mode": "poll", "triggers": []any{"test.trigger"}, "secrets": map[string]any{}, "sensor": map[string]any{"ref": "test.sensor"},
		"config": map[string]any{"key": "value"}, "cursor": nil,
		"limits":   map[string]any{"event_bytes": 1048576.0, "poll_bytes": 67108864.0, "events": 10000.0},
		"pack_dir": request["pack_dir"],
	}, request)

	require.JSONEq(t, fmt.Sprintf(`{"env": %q, "dir": %q, "home": true}`,
		"HOME LANG PATH PWD PYTHONDONTWRITEBYTECODE PYTHONUNBUFFERED TMPDIR TZ ", request["pack_dir"]), string(lines[1]))
	require.JSONEq(t, `{"fds": 5}`, string(lines[2]))
}

func TestImportsBesideTheEntrypointAndFromThePack(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for entrypoint, files := range map[string]map[string]string{
		"sensors/json.py": { // a name that the SDK itself imports
			"sensors/json.py":    "import beside, lib.words\nfrom attune_sensor import Context\ndef poll(ctx: Context):\n    yield {'a': beside.A + lib.words.B}\n",
			"sensors/beside.py":  "A = 'x'\n",
			"lib/__init__.py":    "",
			"lib/words.py":       "B = 'y'\n",
			"sensors/unused.txt": "",
		},
		"sensors/s.mjs": {
			"sensors/s.mjs":      "import { a } from './beside.mjs';\nimport { b } from '../lib/words.mjs';\nexport function* poll() { yield { a: a + b }; }\n",
			"sensors/beside.mjs": "export const a = 'x';\n", "lib/words.mjs": "export const b = 'y';\n",
		},
	} {
		poll := b.poll(t, b.pack(t, entrypoint, files))
		require.JSONEq(t, `{"a": "xy"}`, payloads(poll), entrypoint)
	}
}

func TestContextKnowsItsDeadline(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for file, code := range map[string]string{
		"s.py": `
from datetime import datetime, timezone
def poll(ctx):
    left = (ctx.deadline - datetime.now(timezone.utc)).total_seconds()
    yield {"ok": 0 < left <= 120}
`,
		"s.mjs": `export function* poll(ctx) { const left = ctx.deadline - new Date(); yield { ok: 0 < left && left <= 120000 }; }`,
	} {
		require.JSONEq(t, `{"ok": true}`, payloads(b.poll(t, b.code(t, file, code))), file)
	}
}

func TestTheRequestMayBeLargerThanAPipe(t *testing.T) {
	t.Parallel()
	b := setup(t)
	big := strings.Repeat("x", 1<<20)
	for file, code := range map[string]string{
		"read.py":   "def poll(ctx):\n    yield {'n': len(ctx.config['big'])}\n",
		"read.mjs":  "export function* poll(ctx) { yield { n: ctx.config.big.length }; }\n",
		"ignore.sh": "#!/bin/sh\necho '{\"n\": 1048576}'\n",
	} {
		poll := b.poll(t, config(t, b.code(t, file, code), map[string]string{"big": big}))
		require.JSONEq(t, `{"n": 1048576}`, payloads(poll), file)
	}
}

func TestRuntimesAreNamed(t *testing.T) {
	t.Parallel()
	b := setup(t)
	require.Len(t, b.Runtimes(), 3)
	for _, ref := range []string{sensor.RuntimePython, sensor.RuntimeNode, sensor.RuntimeExec} {
		require.Contains(t, b.Runtimes(), ref)
	}
}
