package sdk_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// What goes wrong in a sensor, and in which words its author reads it.
func TestFaults(t *testing.T) {
	t.Parallel()
	const py, js = "s.py", "s.mjs"
	for _, test := range []struct {
		name, file, code string
		message          string // its beginning
		traceback        string // its beginning
	}{
		{"an exception after events", py, `
def poll(ctx):
    yield {"n": 1}
    helper()
def helper():
    raise KeyError("who")
`, "KeyError: 'who'", "Traceback (most recent call last):\n  File \"PACK/s.py\", line 3, in poll\n    helper()\n"},
		{"an exception after events", js, `
export async function* poll(ctx) {
  yield { n: 1 };
  helper();
}
function helper() { throw new RangeError("who"); }
`, "RangeError: who", "RangeError: who\n    at helper (file://PACK/s.mjs:5:"},
		{"an exception on import", py, "import nosuchmodule\n",
			"ModuleNotFoundError: No module named 'nosuchmodule'", "Traceback (most recent call last):\n  File \"PACK/s.py\", line 1"},
		{"an exception on import", js, "null.x;\n", "TypeError: Cannot read properties of null (reading 'x')", "TypeError: "},
		{"a missing import", js, "import 'nosuchmodule';\n", "Error: Cannot find package 'nosuchmodule' imported from PACK/s.mjs", ""},
		{"a cause", py, "def poll():\n    try:\n        {}['x']\n    except KeyError as error:\n        raise ValueError('no x') from error\n",
			"ValueError: no x", "Traceback (most recent call last):\n  File \"PACK/s.py\", line 3, in poll\n    {}['x']\n"},
		{"a cause", js, "export function poll() { throw new TypeError('fetch failed', { cause: new Error('', { cause: 'no route' }) }); }\n", "TypeError: fetch failed: Error: no route", "TypeError"},
		{"something else is thrown", js, "export function poll() { throw { code: 7 }; }\n", `{"code":7} was thrown`, ""},
		{"in a promise on the side", js, "export async function poll() { setTimeout(() => null.x, 1); await new Promise((done) => setTimeout(done, 60000)); }\n",
			"TypeError: Cannot read properties of null", "TypeError"},
		{"in a task", py, "import asyncio\nasync def poll(ctx):\n    await asyncio.gather(helper())\nasync def helper():\n    yield_ = 1 / 0\n",
			"ZeroDivisionError: division by zero", "Traceback (most recent call last):\n  File \"PACK/s.py\", line 3, in poll\n"},

		{"a syntax error", py, "x = 1\ndef poll(:\n", "SyntaxError: invalid syntax (s.py, line 2): def poll(:", "  File \"PACK/s.py\", line 2\n    def poll(:\n"},
		{"a syntax error", js, "let x = 1;\nexport function poll() { x x }\n", "SyntaxError: Unexpected identifier", "PACK/s.mjs:2\nexport function poll() { x x }\n"},
		{"an end that comes too early", js, "export function poll() {\n  return [\n", "SyntaxError: Unexpected end of input (s.mjs, line 3)", "PACK/s.mjs:3\n"},
		{"wrong indentation", py, "def poll():\nreturn []\n", "IndentationError: ", "  File \"PACK/s.py\", line 2\n"},
		{"no such import", js, "import { nosuch } from './s.mjs';\n", "SyntaxError: The requested module './s.mjs' does not provide an export named 'nosuch' (s.mjs, line 1: import { nosuch } from './s.mjs';)", "file://PACK/s.mjs:1"},
		{"no poll", py, "x = 1\n", "AttributeError: s.py has no poll: define `def poll(ctx):`", ""},
		{"no poll", js, "export const x = 1;\n", "TypeError: s.mjs exports no poll: write `export async function* poll(ctx) {`", ""},

		{"a dict is returned", py, "def poll(): return {'n': 1}\n", "TypeError: poll returned a value of type dict: yield events, or return a list of them", ""},
		{"an object is returned", js, "export const poll = () => ({ n: 1 });\n", "TypeError: poll returned an object: yield events, or return an array of them", ""},
		{"one event is returned", py, "def poll(ctx): return ctx.event({'n': 1})\n", "TypeError: poll returned a value of type Event: yield events", ""},
		{"one event is returned", js, "export const poll = (ctx) => ctx.event({ n: 1 });\n", "TypeError: poll returned a Event: yield events", ""},
		{"an event that is no object", py, "def poll():\n    yield {}\n    yield 'text'\n", "TypeError: event 2 is of type str: yield a dict, or ctx.event(...)",
			"Traceback (most recent call last):\n  File \"PACK/s.py\", line 3, in poll\n    yield 'text'\nTypeError: event 2"},
		{"an event that is no object", js, "export function* poll() { yield {}; yield [1]; }\n", "TypeError: event 2 is an array: yield an object, or ctx.event(...)", ""},
		{"an event that nobody awaits", js, "export function* poll() { yield (async () => ({}))(); }\n", "TypeError: event 1 is a promise that nobody awaits", ""},
		{"an event that is empty as JSON", js, "export function* poll() { yield new Map([[1, 2]]); }\n", "TypeError: event 1 is a Map", ""},
		{"an event that is a date", js, "export function* poll() { yield new Date(0); }\n", `TypeError: event 1 is not an object as JSON: "1970-01-01T00:00:00.000Z"`, ""},
		{"a payload that is no object", py, "def poll(ctx):\n    return [ctx.event([1])]\n", "TypeError: the event's payload is of type list: it has to be a dict",
			"Traceback (most recent call last):\n  File \"PACK/s.py\", line 2, in poll"},
		{"a payload that is no object", js, "export function poll(ctx) {\n  return [ctx.event(null)];\n}\n", "TypeError: the event's payload is null: it has to be an object",
			"TypeError: the event's payload is null: it has to be an object\n    at poll (file://PACK/s.mjs:2:"},
		{"NaN", py, "async def poll(ctx):\n    yield {'n': float('nan')}\n", "ValueError: event 1 is not JSON: Out of range float values",
			"Traceback (most recent call last):\n  File \"PACK/s.py\", line 2, in poll"},
		{"a set", py, "def poll(ctx):\n    yield {'n': {1}}\n", "TypeError: event 1 is not JSON: Object of type set is not JSON serializable", "Traceback"},
		{"a cycle", js, "export function* poll() { const a = {}; a.a = a; yield a; }\n", "TypeError: event 1 is not JSON: Converting circular structure", ""},
		{"an event that is caught", py, "def poll():\n    try:\n        yield 1\n    except TypeError:\n        pass\n", "TypeError: event 1 is of type int", ""},
		{"a large event", py, "def poll():\n    yield {'x': 'x' * (1 << 20)}\n",
			"ValueError: event 1 has 1048585 bytes, more than 1048576 (`limits.event_bytes`): split it, or put a link into it", "Traceback"},
		{"a large event", js, "export function* poll() { yield { x: 'é'.repeat(1 << 19) }; }\n",
			"RangeError: event 1 has 1048584 bytes, more than 1048576 (`limits.event_bytes`): split it, or put a link into it", ""},

		{"an undeclared trigger", py, "def poll(ctx):\n    yield ctx.event({}, trigger='test.third')\n",
			"ValueError: the event is for the trigger 'test.third', which the sensor does not declare: its triggers are test.first, test.second",
			"Traceback (most recent call last):\n  File \"PACK/s.py\", line 2, in poll"},
		{"an undeclared trigger", js, "export function* poll(ctx) { yield ctx.event({}, { trigger: 'test.third' }); }\n",
			`Error: the event is for the trigger "test.third", which the sensor does not declare: its triggers are test.first, test.second`, "Error"},
		{"an undeclared trigger of an Event", py, "from attune_sensor import Event\ndef poll(ctx):\n    yield Event({}, trigger='test.third')\n",
			"ValueError: event 1 is for the trigger 'test.third', which the sensor does not declare", "Traceback"},
		{"a trigger that is no string", py, "def poll(ctx): return [ctx.event({}, trigger=1)]\n", "TypeError: the event's trigger is of type int: it has to be a string such as \"pack.name\"", "Traceback"},
		{"a trigger that is no string", js, "export const poll = (ctx) => [ctx.event({}, { trigger: 1 })];\n", "TypeError: the event's trigger is a number: it has to be a string such as \"pack.name\"", "TypeError"},
		{"a key that is no string", py, "def poll(ctx): return [ctx.event({}, key=7)]\n", "TypeError: the event's key is of type int: it has to be a string, such as str(key)", "Traceback"},
		{"a key that is no string", js, "export const poll = (ctx) => [ctx.event({}, { key: 7 })];\n", "TypeError: the event's key is a number: it has to be a string, such as String(key)", "TypeError"},
		{"a long key", py, "def poll(ctx): return [ctx.event({}, key='é' * 513)]\n", "ValueError: the event's key has 1026 bytes: from 1 to 1024 are allowed", "Traceback"},
		{"a long key", js, "export const poll = (ctx) => [ctx.event({}, { key: 'é'.repeat(513) })];\n", "RangeError: the event's key has 1026 bytes: from 1 to 1024 are allowed", "RangeError"},
		{"half a character in a key", py, "def poll(ctx): return [ctx.event({}, key='a\\udc80')]\n", "ValueError: the event's key 'a\\udc80' is no text: it has half a character", "Traceback"},
		{"half a character in a key", js, "export const poll = (ctx) => [ctx.event({}, { key: 'a\\ud800b' })];\n", "RangeError: the event's key is no text: it has half a character", "RangeError"},
		{"a NUL in a key", py, "def poll(ctx): return [ctx.event({}, key='a\\0')]\n", "ValueError: the event's key 'a\\x00' has the character U+0000", "Traceback"},
		{"an empty key", py, "def poll(ctx): return [ctx.event({}, key='')]\n", "ValueError: the event's key has 0 bytes", "Traceback"},
		{"a key that was changed", js, "export function* poll(ctx) { const e = ctx.event({}); e.key = 7; yield e; }\n", "TypeError: the event's key is a number", ""},
		{"a time that is no datetime", py, "def poll(ctx): return [ctx.event({}, occurred_at='2026-01-31')]\n", "TypeError: the event's occurred_at is of type str: it has to be a datetime", "Traceback"},
		{"a time that is no date", js, "export const poll = (ctx) => [ctx.event({}, { occurredAt: '2026-01-31' })];\n", "TypeError: the event's occurredAt is a string: it has to be a Date", "TypeError"},
		{"a time without a zone", py, "import datetime\ndef poll(ctx): return [ctx.event({}, occurred_at=datetime.datetime.now())]\n", "ValueError: the event's occurred_at has no time zone: use datetime.now(timezone.utc)", "Traceback"},
		{"an invalid date", js, "export const poll = (ctx) => [ctx.event({}, { occurredAt: new Date('x') })];\n", "RangeError: the event's occurredAt is an invalid Date", "RangeError"},

		{"a cursor that is not JSON", py, "def poll(ctx):\n    ctx.cursor = {1, 2}\n", "TypeError: ctx.cursor is not JSON: Object of type set is not JSON serializable",
			"Traceback (most recent call last):\n  File \"PACK/s.py\", line 2, in poll"},
		{"a cursor that is not JSON", js, "export function poll(ctx) {\n  ctx.cursor = undefined;\n}\n", "TypeError: ctx.cursor is undefined, which is not JSON: set it to null to begin again",
			"TypeError: ctx.cursor is undefined, which is not JSON: set it to null to begin again\n    at poll (file://PACK/s.mjs:2:"},
		{"a cursor that is changed to no JSON", py, "def poll(ctx):\n    ctx.cursor.append(poll)\n", "TypeError: ctx.cursor is not JSON: Object of type function", ""},
		{"a large cursor", py, "def poll(ctx):\n    ctx.cursor = 'x' * (1 << 20)\n", "ValueError: ctx.cursor has 1048578 bytes, more than 1048576 (`limits.event_bytes`): keep positions in it, not data", "Traceback"},
		{"a large cursor", js, "export function poll(ctx) { ctx.cursor = 'x'.repeat(1 << 20); }\n", "RangeError: ctx.cursor has 1048578 bytes, more than 1048576 (`limits.event_bytes`): keep positions in it, not data", "RangeError"},
		{"a checkpoint's cursor", py, "def poll(ctx):\n    yield {}\n    ctx.checkpoint(poll)\n", "TypeError: ctx.cursor is not JSON: Object of type function", "Traceback (most recent call last):\n  File \"PACK/s.py\", line 3, in poll"},
		{"a checkpoint's cursor", js, "export function* poll(ctx) { yield {}; ctx.checkpoint(poll); }\n", "TypeError: ctx.cursor is a function, which is not JSON", "TypeError"},
		{"a checkpoint before returned events", py, "async def poll(ctx):\n    ctx.checkpoint(2)\n    return [{}]\n", "RuntimeError: ctx.checkpoint() in a poll that returns its events, which come after it: yield them instead", "Traceback"},
		{"a checkpoint before returned events", js, "export async function poll(ctx) { await 1; ctx.checkpoint(2); return [{}]; }\n", "Error: ctx.checkpoint() in a poll that returns its events, which come after it: yield them instead", "Error"},

		{"a secret that config does not mention", py, "def poll(ctx): ctx.secret('OTHER')\n", "LookupError: the sensor's config does not mention the secret 'OTHER': write ${secret:OTHER} into it", "Traceback"},
		{"a secret that config does not mention", js, "export function poll(ctx) { ctx.secret('OTHER'); }\n", `Error: the sensor's config does not mention the secret "OTHER": write ${secret:OTHER} into it`, "Error"},
		{"no duration", py, "def poll(ctx): ctx.next_after('30')\n", "ValueError: ctx.next_after('30'): it takes a number of seconds, or a timedelta", "Traceback"},
		{"no duration", js, "export function poll(ctx) { ctx.nextAfter(-1); }\n", "TypeError: ctx.nextAfter(-1): it takes a number of seconds", "TypeError"},

		{"sys.exit", py, "import sys\ndef poll():\n    sys.exit('bye')\n", "SystemExit: bye", "Traceback"},
		{"a promise for ever", js, "export async function poll() { await new Promise(() => {}); }\n", "Error: poll waits for a promise that nothing is left to settle", ""},
		{"a generator for ever", js, "export async function* poll() { yield {}; await new Promise(() => {}); }\n", "Error: poll waits for a promise that nothing is left to settle", ""},
		{"an error that cannot be shown", py, "class Bad(Exception):\n    def __str__(self): raise ValueError()\ndef poll(): raise Bad()\n", "Bad", "Traceback"},
		{"a long message", py, "def poll(): raise ValueError('x' * 5_000_000)\n", "ValueError: xxxx", ""},
		{"a long message", js, "export function poll() { throw new Error('x'.repeat(5e6)); }\n", "Error: xxxx", ""},
	} {
		t.Run(test.file+" "+test.name, func(t *testing.T) {
			t.Parallel()
			l := python
			if test.file == js {
				l = node
			}
			dir := l.code(t, test.code)
			s := l.serve(t, dir)
			messages := s.poll(request(nil))
			last := messages[len(messages)-1]
			in := strings.NewReplacer("PACK", dir)
			require.Equal(t, "error", last["type"], s.log)
			require.Truef(t, strings.HasPrefix(last["message"].(string), in.Replace(test.message)), "message: %s", last["message"])
			require.Truef(t, strings.HasPrefix(last["traceback"].(string), in.Replace(test.traceback)), "traceback:\n%s", last["traceback"])
			require.NotContains(t, last["traceback"], "attune_sensor")
			require.Less(t, len(text(messages)), 64<<10)
			status, rest := s.end()
			require.Equal(t, 1, status, "no poll follows one that failed")
			require.Empty(t, rest)
		})
	}
}

func TestAFaultInAnImportIsShownThere(t *testing.T) {
	t.Parallel()
	for l, code := range map[*language][2]string{
		&python: {"beside.py", "import beside\ndef poll(): pass\n"},
		&node:   {"beside.mjs", "import './beside.mjs';\nexport function poll() {}\n"},
	} {
		dir := l.code(t, code[1])
		write(t, dir, code[0], "one two\n")
		messages := l.serve(t, dir).poll(request(nil))
		require.Regexp(t, `^SyntaxError: .+ \(`+code[0]+`, line 1\)?: one two\)?$`, messages[0]["message"])
	}
}

func TestASyntaxErrorOfDataIsNotTakenForOneOfTheCode(t *testing.T) {
	t.Parallel()
	dir := node.code(t, "export function poll() {\n  return JSON.parse('<html>');\n}\n")
	messages := node.serve(t, dir).poll(request(nil))
	require.Regexp(t, `^SyntaxError: Unexpected token [^()]+$`, messages[0]["message"])
	require.Contains(t, messages[0]["traceback"], "at poll (file://"+dir+"/s.mjs:2:")
}

func TestAMissingEntrypointIsNamed(t *testing.T) {
	t.Parallel()
	for _, l := range both {
		dir := l.code(t, "")
		l.file = "code/other"
		messages := l.serve(t, dir).poll(request(nil))
		require.Regexp(t, "Error: there is no file code/other: correct the sensor's `entrypoint` or add the file$", messages[0]["message"])
	}
}

func TestAnotherVersionOfTheProtocolIsNamed(t *testing.T) {
	t.Parallel()
	for _, l := range both {
		messages := l.serve(t, l.code(t, "")).poll(request(object{"protocol": 2}))
		require.Regexp(t, `Error: the request is of version 2 of the protocol, this SDK \(`+l.name+`/1\) speaks 1$`, messages[0]["message"])
	}
}
