package process_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/internal/runner/process"
	"github.com/attune-automation/sensors/internal/sensor"
)

func TestFaults(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for i, test := range []struct {
		name, file, code string
		kind             sensor.FaultKind
		message          string // part of it
		traceback        string // its beginning
		log              string // part of it
	}{
		{name: "an exception after events", file: "s.py", code: `
def poll(ctx):
    print("about to")
    yield {"n": 1}
    helper()
def helper():
    raise KeyError("who")
`, kind: sensor.FaultException, message: "KeyError: 'who'", traceback: `Traceback (most recent call last):
  File "PACK/s.py", line 4, in poll
    helper()
`, log: "about to"},
		{name: "a syntax error", file: "s.py", code: "x = 1\ndef poll(:\n", kind: sensor.FaultException,
			message: "SyntaxError: ", traceback: `  File "PACK/s.py", line 2`},
		{name: "a long message of an exception", file: "s.py", code: "def poll():\n    raise ValueError('x' * 5_000_000)\n", kind: sensor.FaultException,
			message: "ValueError: xxxx"},
		{name: "sys.exit", file: "s.py", code: "import sys\ndef poll():\n    sys.exit('bye')\n", kind: sensor.FaultException, message: "SystemExit: bye"},
		{name: "an exit behind the SDK's back", file: "s.py", code: "import os\ndef poll():\n    yield {}\n    os._exit(0)\n", kind: sensor.FaultExit,
			message: "before poll() did"},
		{name: "too many open files", file: "s.py", code: "def poll(ctx):\n    kept = []\n    while True:\n        kept.append(open('/dev/null'))\n", kind: sensor.FaultException,
			message: "OSError: [Errno 24] Too many open files: '/dev/null'", traceback: "Traceback (most recent call last):\n  File \"PACK/s.py\", line 4, in poll\n    kept.append(open('/dev/null'))\n"},
		{name: "too many open files in a coroutine", file: "s.py", code: "async def poll(ctx):\n    kept = []\n    while True:\n        kept.append(open('/dev/null'))\n", kind: sensor.FaultException,
			message: "OSError: [Errno 24] Too many open files: '/dev/null'", traceback: "Traceback (most recent call last):\n"},
		{name: "too many open files", file: "s.mjs", code: "import { openSync } from 'node:fs';\nexport function poll() { for (;;) openSync('/dev/null'); }\n", kind: sensor.FaultException,
			message: "Error: EMFILE: too many open files, open '/dev/null'", traceback: "Error: EMFILE"},
		{name: "fd 3 closed", file: "s.py", code: "import os\ndef poll():\n    os.close(3)\n    yield {}\n", kind: sensor.FaultExit,
			message: "exit status 1", log: "Bad file descriptor"},
		{name: "an exception after events", file: "s.mjs", code: `
export async function* poll(ctx) {
  console.log("about to");
  yield { n: 1 };
  helper();
}
function helper() { throw new RangeError("who"); }
`, kind: sensor.FaultException, message: "RangeError: who", traceback: "RangeError: who\n    at helper (file://PACK/s.mjs:6:", log: "about to"},
		{name: "a rejection in passing", file: "s.mjs", code: `
export async function poll(ctx) {
  setTimeout(() => { null.x; }, 1);
  await new Promise((resolve) => setTimeout(resolve, 20000));
}
`, kind: sensor.FaultException, message: "TypeError: Cannot read properties of null", traceback: "TypeError"},
		{name: "an exit behind the SDK's back", file: "s.mjs", code: "export function* poll() { yield {}; process.exit(0); }\n", kind: sensor.FaultExit,
			message: "before poll() did"},

		{name: "exit status", file: "s.sh", code: "#!/bin/sh\necho '{}'\necho oh >&2\nexit 3\n", kind: sensor.FaultExit, message: "exit status 3", log: "oh"},
		{name: "a signal", file: "s.sh", code: "#!/bin/sh\nkill -SEGV $$\n", kind: sensor.FaultExit, message: "killed by signal 11 (segmentation fault)"},
		{name: "out of memory, says the kernel", file: "s.sh", code: "#!/bin/sh\nkill -KILL $$\n", kind: sensor.FaultExit, message: "killed by signal 9, perhaps for lack of memory"},
		{name: "its own error", file: "s.sh", code: "#!/bin/sh\necho '{\"type\":\"error\",\"message\":\"no disk\",\"traceback\":\"line 2\"}' >&3\n", kind: sensor.FaultException,
			message: "no disk", traceback: "line 2"},
		{name: "not JSON on fd 3", file: "s.sh", code: "#!/bin/sh\necho hello >&3\nsleep 1000\n", kind: sensor.FaultOutput,
			message: "what it wrote on fd 3 is not a message of the protocol (invalid character 'h' looking for beginning of value): hello"},
		{name: "an event that is no object", file: "s.sh", code: "#!/bin/sh\necho '{\"type\":\"event\",\"payload\":[1]}' >&3\n", kind: sensor.FaultOutput,
			message: "event 1 is not a JSON object: [1]"},
		{name: "an event without payload", file: "s.sh", code: "#!/bin/sh\necho '{\"type\":\"event\"}' >&3\n", kind: sensor.FaultOutput, message: "event 1 is not a JSON object"},
		{name: "an unknown type", file: "s.sh", code: "#!/bin/sh\necho '{\"type\":\"evnt\"}' >&3\n", kind: sensor.FaultOutput,
			message: `a message of type "evnt": there are hello, event, cursor, checkpoint, log, skip, next, more, done and error`},
		{name: "an unknown field", file: "s.sh", code: "#!/bin/sh\necho '{\"type\":\"cursor\",\"value\":1}' >&3\n", kind: sensor.FaultOutput, message: "what it wrote on fd 3 is a message of type cursor with an unknown field \"value\": it has type, cursor"},
		{name: "a field of another type of message", file: "s.sh", code: "#!/bin/sh\necho '{\"type\":\"done\",\"cursor\":1}' >&3\n", kind: sensor.FaultOutput,
			message: `a message of type done with an unknown field "cursor": it has type`},
		{name: "a field in capitals", file: "s.sh", code: "#!/bin/sh\necho '{\"type\":\"cursor\",\"Cursor\":1}' >&3\n", kind: sensor.FaultOutput, message: `unknown field "Cursor"`},
		{name: "a field of a wrong type", file: "s.sh", code: "#!/bin/sh\necho '{\"type\":\"log\",\"message\":1}' >&3\n", kind: sensor.FaultOutput,
			message: "a message of type log whose `message` is of another type than it has to be"},
		{name: "a log without message", file: "s.sh", code: "#!/bin/sh\necho '{\"type\":\"log\",\"text\":1}' >&3\n", kind: sensor.FaultOutput,
			message: `a message of type log with an unknown field "text": it has type, level, message`},
		{name: "a skip without reason", file: "s.sh", code: "#!/bin/sh\necho '{\"type\":\"skip\"}' >&3\n", kind: sensor.FaultOutput, message: "a message of type skip without `reason`"},
		{name: "a level that is none", file: "s.sh", code: "#!/bin/sh\necho '{\"type\":\"log\",\"level\":\"warn\",\"message\":\"x\"}' >&3\n", kind: sensor.FaultOutput,
			message: `a message of type log of level "warn": there are debug, info, warning and error`},
		{name: "no type", file: "s.sh", code: "#!/bin/sh\necho '{\"payload\":{}}' >&3\n", kind: sensor.FaultOutput, message: "a message without a `type`"},
		{name: "no object", file: "s.sh", code: "#!/bin/sh\necho '[1]' >&3\n", kind: sensor.FaultOutput, message: "not a message of the protocol (it is not a JSON object): [1]"},
		{name: "two messages in a line", file: "s.sh", code: "#!/bin/sh\necho '{\"type\":\"skip\"}{\"type\":\"skip\"}' >&3\n", kind: sensor.FaultOutput, message: "more than one JSON object in a line"},
		{name: "another version of the protocol", file: "s.sh", code: "#!/bin/sh\necho '{\"type\":\"hello\",\"protocol\":2,\"sdk\":\"python/9\"}' >&3\n", kind: sensor.FaultOutput,
			message: "its hello names version 2 of the protocol; this worker speaks version 1: use an SDK of the worker's release"},
		{name: "no version of the protocol", file: "s.sh", code: "#!/bin/sh\necho '{\"type\":\"hello\"}' >&3\n", kind: sensor.FaultOutput,
			message: "its hello names no version of the protocol"},
		{name: "a late hello", file: "s.sh", code: "#!/bin/sh\necho '{\"type\":\"more\"}' >&3\necho '{\"type\":\"hello\",\"protocol\":1}' >&3\n", kind: sensor.FaultOutput,
			message: "a second hello, or one that is not the first message"},
		{name: "an empty key", file: "s.sh", code: "#!/bin/sh\necho '{\"type\":\"event\",\"payload\":{},\"key\":\"\"}' >&3\n", kind: sensor.FaultOutput,
			message: "the key of event 1 is empty: leave it out"},
		{name: "a key with a NUL", file: "s.sh", code: "#!/bin/sh\necho '{\"type\":\"event\",\"payload\":{},\"key\":\"a\\u0000\"}' >&3\n", kind: sensor.FaultOutput,
			message: `the key of event 1 cannot be stored: byte 2: \u0000 cannot be stored: leave it out`},
		{name: "a key that is a number", file: "s.sh", code: "#!/bin/sh\necho '{\"type\":\"event\",\"payload\":{},\"key\":7}' >&3\n", kind: sensor.FaultOutput,
			message: "the key of event 1 is not a string: 7"},
		{name: "a key that is not UTF-8", file: "s.sh", code: "#!/bin/sh\nprintf '{\"type\":\"event\",\"payload\":{},\"key\":\"a\\377\"}\\n' >&3\n", kind: sensor.FaultOutput,
			message: "the key of event 1 cannot be stored: byte 2: 0xff is not UTF-8: use a digest of it: \"a\uFFFD\""},
		{name: "a key with half a character", file: "s.sh", code: "#!/bin/sh\nprintf '%s\\n' '{\"type\":\"event\",\"payload\":{},\"key\":\"\\udc80\"}' >&3\n", kind: sensor.FaultOutput,
			message: `the key of event 1 cannot be stored: byte 1: \udc80 is half of a surrogate pair and no character by itself: use a digest of it`},
		{name: "a cursor with half a character", file: "s.sh", code: "#!/bin/sh\nprintf '%s\\n' '{\"type\":\"cursor\",\"cursor\":{\"at\":\"\\ud800\"}}' >&3\n", kind: sensor.FaultOutput,
			message: `its cursor cannot be stored: byte 7: \ud800 is half of a surrogate pair`},
		{name: "a cursor with a NUL", file: "s.py", code: "def poll(ctx):\n    ctx.cursor = 'a\\0'\n", kind: sensor.FaultOutput,
			message: `its cursor cannot be stored: byte 2: \u0000 cannot be stored: leave it out`},
		{name: "a cursor of a huge number", file: "s.sh", code: "#!/bin/sh\necho '{\"type\":\"checkpoint\",\"cursor\":1e200000}' >&3\n", kind: sensor.FaultOutput,
			message: "its cursor cannot be stored: "},
		{name: "an undeclared trigger", file: "s.sh", code: "#!/bin/sh\necho '{\"type\":\"event\",\"payload\":{},\"trigger\":\"test.other\"}' >&3\n", kind: sensor.FaultOutput,
			message: "event 1 is for the trigger \"test.other\", which the sensor does not declare: it declares test.trigger, test.second (sensor's `triggers`)"},
		{name: "a time that is none", file: "s.sh", code: "#!/bin/sh\necho '{\"type\":\"event\",\"payload\":{},\"occurred_at\":\"yesterday\"}' >&3\n", kind: sensor.FaultOutput,
			message: "event 1 has `occurred_at` \"yesterday\": write it as RFC 3339 with the offset from UTC, such as 2026-01-31T09:30:00Z"},
		{name: "a time without offset", file: "s.sh", code: "#!/bin/sh\necho '{\"type\":\"event\",\"payload\":{},\"occurred_at\":\"2026-01-31T09:30:00\"}' >&3\n", kind: sensor.FaultOutput,
			message: "event 1 has `occurred_at`"},
		{name: "a cursor without cursor", file: "s.sh", code: "#!/bin/sh\necho '{\"type\":\"cursor\"}' >&3\n", kind: sensor.FaultOutput,
			message: "a message of type cursor without `cursor`"},
		{name: "next without a number", file: "s.sh", code: "#!/bin/sh\necho '{\"type\":\"next\"}' >&3\n", kind: sensor.FaultOutput,
			message: "a message of type next without a number of seconds in `after_seconds`"},
		{name: "next in the past", file: "s.sh", code: "#!/bin/sh\necho '{\"type\":\"next\",\"after_seconds\":-1}' >&3\n", kind: sensor.FaultOutput,
			message: "a message of type next without a number"},
		{name: "a checkpoint of events on stdout", file: "s.sh", code: "#!/bin/sh\necho '{}'\necho '{\"type\":\"checkpoint\",\"cursor\":1}' >&3\n", kind: sensor.FaultOutput,
			message: "a checkpoint in a poll that has events on stdout: write them to fd 3, too, as messages of type event"},
		{name: "half a message", file: "s.sh", code: "#!/bin/sh\nprintf '{\"type\":\"event\",\"payl' >&3\n", kind: sensor.FaultOutput,
			message: `its last message on fd 3 is incomplete: {"type":"event","payl`},
		{name: "half a message and a crash", file: "s.sh", code: "#!/bin/sh\nprintf '{\"type\":\"event\",\"payl' >&3\nkill -KILL $$\n", kind: sensor.FaultExit, message: "killed by signal 9"},
		{name: "no first line", file: "s.sh", code: "echo '{}'\n", kind: sensor.FaultStart, message: "begin the file with a line like `#!/bin/sh`"},
		{name: "an interpreter that isn't there", file: "s.sh", code: "#!/bin/nosuchshell\n", kind: sensor.FaultStart, message: "the interpreter that its first line names is not there"},
	} {
		t.Run(test.file+" "+test.name, func(t *testing.T) {
			t.Parallel()
			req := b.code(t, test.file, strings.TrimPrefix(test.code, "\n"))
			req.Sensor.Ref = fmt.Sprintf("test.sensor_%d", i)
			req.Sensor.TriggerRefs = []string{"test.trigger", "test.second"}
			req.Sensor.Limits.OpenFiles = 64
			fault := b.fault(t, req)
			require.Equal(t, test.kind, fault.Kind, fault.Error())
			require.Contains(t, fault.Message, test.message)
			want := strings.ReplaceAll(test.traceback, "PACK", b.cache+"/packs/"+req.Sensor.PackDigest)
			require.Truef(t, strings.HasPrefix(fault.Traceback, want), "traceback is:\n%s", fault.Traceback)
			require.Contains(t, strings.Join(fault.Log, "\n"), test.log)
			require.Less(t, len(fault.Error()), 64<<10)
		})
	}
}

func TestLimits(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ file, code, message string }{
		"a large event on stdout": {"s.sh", "#!/bin/sh\nprintf '{\"x\": \"%0*d\"}\\n' 1048568 0\n", "event 1 has 1048577 bytes, more than 1048576 (`limits.event_bytes`): split it"},
		"a huge event on stdout":  {"s.sh", "#!/bin/sh\nprintf '{\"x\": \"%0*d\"}\\n' 9000000 0\n", "an event of more than 1048576 bytes (`limits.event_bytes`): split it"},
		"a large event on fd 3":   {"s.sh", "#!/bin/sh\nprintf '{\"type\":\"event\",\"payload\":{\"x\": \"%0*d\"}}\\n' 1048568 0 >&3\n", "event 1 has 1048577 bytes, more than 1048576"},
		"a huge event on fd 3":    {"s.sh", "#!/bin/sh\nprintf '{\"type\":\"event\",\"payload\":{\"x\": \"%0*d\"}}\\n' 9000000 0 >&3\n", "a message of more than 1048576 bytes"},
		"a large cursor":          {"s.sh", "#!/bin/sh\nprintf '{\"type\":\"cursor\",\"cursor\":\"%0*d\"}\\n' 1048575 0 >&3\n", "a cursor of 1048577 bytes, more than 1048576 (`limits.event_bytes`): keep positions in it, not data"},
		"a long key":              {"s.sh", "#!/bin/sh\nprintf '{\"type\":\"event\",\"key\":\"%0*d\",\"payload\":{}}\\n' 1025 0 >&3\n", "the key of event 1 has 1025 bytes, more than 1024: use a digest of it"},
		"many events":             {"s.py", "def poll():\n    while True:\n        yield {}\n", "more than 10000 events in one poll (`limits.events`): call ctx.checkpoint(cursor) now and then, or stop there, set the cursor and call ctx.more()"},
		"many bytes":              {"s.py", "def poll():\n    while True:\n        yield {'x': 'x' * 1000000}\n", "more than 67108864 bytes of events in one poll (`limits.poll_bytes`)"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			fault := b.fault(t, b.code(t, test.file, test.code))
			require.Equal(t, sensor.FaultOutput, fault.Kind)
			require.Contains(t, fault.Message, test.message)
		})
	}
}

func TestAllThatTheLimitsAllow(t *testing.T) {
	t.Parallel()
	b := setup(t)
	poll := b.poll(t, b.code(t, "s.sh", "#!/bin/sh\nprintf '{\"x\": \"%0*d\"}\\n' 1048567 0\n"))
	require.Len(t, poll.Payloads, 1)
	require.Equal(t, 1<<20, len(poll.Payloads[0]))

	poll = b.poll(t, b.code(t, "s.py", "def poll():\n    for n in range(10_000):\n        yield {'n': n, 'x': 'x' * 6000}\n"))
	require.Len(t, poll.Payloads, 10_000)
	require.Truef(t, strings.HasPrefix(string(poll.Payloads[9_999]), `{"n": 9999, `), "%.20s", poll.Payloads[9_999])
}

func TestDeepNestingIsForThePipelineToRefuse(t *testing.T) {
	t.Parallel()
	b := setup(t)
	deep := `{"a": ` + strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000) + "}"
	poll := b.poll(t, b.pack(t, "s.sh", map[string]string{
		"s.sh": "#!/bin/sh\ncat deep.json\nsed 's/.*/{\"type\":\"event\",\"payload\":&}/' deep.json >&3\n", "deep.json": deep + "\n",
	}))
	require.Equal(t, deep+"\n"+deep, payloads(poll))
}

func TestTheLogKeepsTheLastLines(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *process.Config) { c.LogLines = 3 })
	fault := b.fault(t, b.code(t, "s.sh", "#!/bin/sh\nfor i in 1 2 3 4; do echo $i; done\nprintf '%05000d\\n' 7\nexit 1\n"))
	require.Equal(t, []string{"3", "4", strings.Repeat("0", 1024) + "... (3976 bytes more)"}, fault.Log)
}

func TestWhatIsMissingIsNamed(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *process.Config) { c.Python, c.Node, c.Path = "python9", "/nowhere/node", "/usr/bin:/bin" })
	python, node := b.code(t, "s.py", "def poll(): pass\n"), b.code(t, "s.mjs", "export function poll() {}\n")
	fault := b.fault(t, python)
	require.Equal(t, sensor.FaultStart, fault.Kind)
	require.Equal(t, `interpreter "python9" is not there: install it on the worker's machine or set runtime.python (PATH is /usr/bin:/bin, runtime.path)`, fault.Message)
	require.Contains(t, b.fault(t, node).Message, `"/nowhere/node" is not there: install it on the worker's machine or set runtime.node`)

	python.Sensor.Entrypoint = "other.py"
	require.Contains(t, b.fault(t, python).Message, `no file "other.py" in the pack`)
	python.Sensor.Entrypoint = "../s.py"
	require.Contains(t, b.fault(t, python).Message, `"../s.py" is not a path below the pack's folder`)
	python.Sensor.Runtime = "core.ruby"
	python.Sensor.Entrypoint = "s.py"
	require.Contains(t, b.fault(t, python).Message, `no runtime "core.ruby"`)
}

func TestTimeoutSaysWhereItHung(t *testing.T) {
	t.Parallel()
	b := setup(t)
	req := b.code(t, "s.py", "import time\ndef poll(ctx):\n    ctx.log('waiting')\n    time.sleep(1000)\n")
	req.Timeout = 6 * time.Second
	fault := b.fault(t, req)
	require.Equal(t, sensor.FaultTimeout, fault.Kind)
	require.Equal(t, "took longer than 6s (sensor's `timeout`)", fault.Message)
	require.Contains(t, fault.Log, "waiting")
	require.Contains(t, strings.Join(fault.Log, "\n"), `s.py", line 4 in poll`)
}

func TestTroubleOfTheMachineIsNoFault(t *testing.T) {
	t.Parallel()
	b := setup(t)
	req := b.code(t, "s.py", "def poll(): pass\n")
	var fault *sensor.Fault

	gone := req
	gone.Sensor.PackDigest = strings.Repeat("0", 64)
	_, err := b.run(t.Context(), gone)
	require.ErrorContains(t, err, `polling sensor "test.sensor": preparing pack "": reading pack archive 0000`)
	require.False(t, errors.As(err, &fault))

	req.Sensor.Config = json.RawMessage(`{`)
	_, err = b.run(t.Context(), req)
	require.Error(t, err)
	require.False(t, errors.As(err, &fault))

	req.Timeout = 0
	_, err = b.run(t.Context(), req)
	require.ErrorContains(t, err, "no timeout")
}

func TestNewNamesWhatIsMissing(t *testing.T) {
	t.Parallel()
	_, err := process.New(process.Config{})
	require.ErrorContains(t, err, "Archives")
	_, err = process.New(process.Config{Archives: &archives{}})
	require.ErrorContains(t, err, "worker.cache_dir")
	_, err = process.New(process.Config{Archives: &archives{}, CacheDir: "/proc/nowhere"})
	require.ErrorContains(t, err, "worker.cache_dir")
	_, err = process.New(process.Config{Archives: &archives{}, CacheDir: t.TempDir(), WarmProcesses: -1})
	require.ErrorContains(t, err, "WarmProcesses is -1: it must not be negative (runtime.warm_processes)")
}

func TestAPackThatTakesLongIsNoFault(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.archives.gate = make(chan struct{})
	req := b.code(t, "s.sh", "#!/bin/sh\n")
	req.Sensor.PackRef, req.Timeout = "test", 200*time.Millisecond
	_, err := b.run(t.Context(), req)
	var notReady *sensor.NotReady
	require.ErrorAs(t, err, &notReady)
	require.Equal(t, "unpacking pack test", notReady.Reason)
	require.Positive(t, notReady.RetryAfter)

	close(b.archives.gate)
	req.Timeout = time.Minute
	b.poll(t, req)
	require.Equal(t, 1, b.archives.reads, "the first poll's went on")
}
