package sdk_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The same sensors in both languages, and what either writes. Every poll begins with config {"n": 7} and cursor [1].
func TestEveryFormOfASensor(t *testing.T) {
	t.Parallel()
	const one = `{"payload":{"n":1},"type":"event"}`
	const two = one + "\n" + `{"payload":{"n":2},"type":"event"}`
	const done = "\n" + `{"type":"done"}`
	for _, test := range []struct {
		name         string
		python, node string
		want         string // messages, a line each
	}{
		{"generator", `
def poll(ctx):
    yield {"n": ctx.config["n"], "was": ctx.cursor}
    ctx.cursor = {"at": 2}
`, `
export function* poll(ctx) {
  yield { n: ctx.config.n, was: ctx.cursor };
  ctx.cursor = { at: 2 };
}
`, `{"payload":{"n":7,"was":[1]},"type":"event"}` + "\n" + `{"cursor":{"at":2},"type":"cursor"}` + done},
		{"async generator", `
import asyncio
async def poll(ctx):
    await asyncio.sleep(0)
    yield {"n": 1}
    yield {"n": 2}
`, `
export async function* poll(ctx) {
  await new Promise((resolve) => setTimeout(resolve, 1));
  yield { n: 1 };
  yield { n: 2 };
}
`, two + done},
		{"function that returns a list", "def poll(ctx): return [{'n': 1}, ctx.event({'n': 2})]",
			"export const poll = (ctx) => [{ n: 1 }, ctx.event({ n: 2 })];", two + done},
		{"async function that returns a list", "async def poll(ctx): return [{'n': 1}]",
			"export async function poll(ctx) { return [{ n: 1 }]; }", one + done},
		{"async function that returns a generator", "async def poll(ctx): return ({'n': n} for n in (1, 2))",
			"export async function poll() { return (function* () { yield { n: 1 }; yield { n: 2 }; })(); }", two + done},
		{"function that returns nothing", "def poll(ctx): pass", "export function poll() {}", done[1:]},
		{"async function that returns nothing", "async def poll(ctx): pass", "export async function poll() {}", done[1:]},
		{"without the context", "def poll():\n    yield {'n': 1}", "export function* poll() { yield { n: 1 }; }", one + done},
		{"with any arguments", "def poll(*args): return [{'n': len(args)}]", "export const poll = (...args) => [{ n: args.length }];", one + done},
		{"skip", "def poll(ctx): return ctx.skip('still 1.2')", "export const poll = (ctx) => ctx.skip('still 1.2');",
			`{"reason":"still 1.2","type":"skip"}` + done},
		{"cursor changed in place", "def poll(ctx): ctx.cursor.append(2)", "export function poll(ctx) { ctx.cursor.push(2); }",
			`{"cursor":[1,2],"type":"cursor"}` + done},
		{"cursor back to the beginning", "def poll(ctx): ctx.cursor = None", "export function poll(ctx) { ctx.cursor = null; }",
			`{"cursor":null,"type":"cursor"}` + done},
		{"the cursor that it had", "def poll(ctx): ctx.cursor = [1]", "export function poll(ctx) { ctx.cursor = [1]; }", done[1:]},
		{"log", `
def poll(ctx):
    ctx.log("plain")
    ctx.log.debug(1)
    ctx.log.info("two\nlines")
    ctx.log.warning("é \ud83d\ude00")
    ctx.log.error("e")
`, `
export function poll({ log }) {
  log("plain");
  log.debug(1);
  log.info("two\nlines");
  log.warning("é \u{1F600}");
  log.error("e");
}
`, `{"level":"info","message":"plain","type":"log"}
{"level":"debug","message":"1","type":"log"}
{"level":"info","message":"two\nlines","type":"log"}
{"level":"warning","message":"é 😀","type":"log"}
{"level":"error","message":"e","type":"log"}` + done},
		{"what goes beside a payload", `
from datetime import datetime, timedelta, timezone
from attune_sensor import Context, Event
def poll(ctx: Context):
    berlin = timezone(timedelta(hours=2))
    yield ctx.event({"n": 1}, key="é1", trigger="test.second", occurred_at=datetime(2026, 1, 31, 9, 30, 0, 123000, berlin))
    yield Event({"n": 2}, key="2")
`, `
export function* poll({ event }) {
  yield event({ n: 1 }, { key: "é1", trigger: "test.second", occurredAt: new Date("2026-01-31T09:30:00.123+02:00") });
  yield event({ n: 2 }, { key: "2", trigger: null });
}
`, `{"key":"é1","occurred_at":"2026-01-31T07:30:00.123MICROSZ","payload":{"n":1},"trigger":"test.second","type":"event"}
{"key":"2","payload":{"n":2},"type":"event"}` + done},
		{"checkpoints", `
def poll(ctx):
    ctx.checkpoint()
    yield {"n": 1}
    ctx.checkpoint("a")
    ctx.cursor = "b"
    ctx.checkpoint()
    ctx.checkpoint(None)
    yield {"n": ctx.cursor}
    ctx.cursor = "c"
`, `
export async function* poll(ctx) {
  ctx.checkpoint();
  yield { n: 1 };
  ctx.checkpoint("a");
  ctx.cursor = "b";
  ctx.checkpoint();
  ctx.checkpoint(null);
  yield { n: ctx.cursor };
  ctx.cursor = "c";
}
`, `{"type":"checkpoint"}
` + one + `
{"cursor":"a","type":"checkpoint"}
{"cursor":"b","type":"checkpoint"}
{"cursor":null,"type":"checkpoint"}
{"payload":{"n":null},"type":"event"}
{"cursor":"c","type":"cursor"}` + done},
		{"when to poll next", `
from datetime import timedelta
def poll(ctx):
    ctx.next_after(30)
    ctx.next_after(timedelta(minutes=1))
    ctx.next_after(0)
    ctx.next_after(1e9)
    ctx.more()
`, `
export function poll(ctx) {
  for (const seconds of [30, 60, 0, 1e9]) ctx.nextAfter(seconds);
  ctx.more();
}
`, `{"after_seconds":30,"type":"next"}
{"after_seconds":60,"type":"next"}
{"after_seconds":0.1,"type":"next"}
{"after_seconds":86400,"type":"next"}
{"type":"more"}` + done},
		{"secret, limits and deadline", `
from datetime import datetime, timezone
def poll(ctx):
    left = (ctx.deadline - datetime.now(timezone.utc)).total_seconds()
    limits = ctx.limits
    yield {"secret": ctx.secret("TOKEN"), "limits": [limits.event_bytes, limits.poll_bytes, limits.events], "left": 0 < left <= 60}
`, `
export function* poll({ secret, limits, deadline }) {
  const left = deadline - new Date();
  yield { secret: secret("TOKEN"), limits: [limits.eventBytes, limits.pollBytes, limits.events], left: 0 < left && left <= 60000 };
}
`, `{"payload":{"left":true,"limits":[1048576,67108864,10000],"secret":"hush-hush"},"type":"event"}` + done},
		{"prints and inputs are not the protocol's", `
import os, sys
print('{"type":"done"}')
os.system("echo printed; echo '{\"type\":\"done\"}' >&3; cat")
def poll(ctx):
    print("error", file=sys.stderr)
    yield {"n": 1, "stdin": sys.stdin.read(), "argv": [os.path.basename(arg) for arg in sys.argv]}
`, `
import { execSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { basename } from "node:path";
console.log('{"type":"done"}');
execSync("echo printed; echo '{\"type\":\"done\"}' >&3; cat", { stdio: "inherit" });
export async function* poll() {
  console.error("error");
  yield { n: 1, stdin: readFileSync(0, "utf8"), argv: process.argv.slice(1).map((arg) => basename(arg)) };
}
`, `{"payload":{"argv":["FILE"],"n":1,"stdin":""},"type":"event"}` + done},
	} {
		for _, l := range both {
			t.Run(l.name+" "+test.name, func(t *testing.T) {
				t.Parallel()
				s := l.serve(t, l.code(t, map[string]string{"python": test.python, "nodejs": test.node}[l.name]))
				want := strings.NewReplacer("FILE", l.file, "MICROS", map[string]string{"python": "000"}[l.name]).Replace(test.want)
				for range 2 { // a warm process is no other than a cold one
					require.Equal(t, want, text(s.poll(request(nil))))
				}
				status, rest := s.end()
				require.Zero(t, status, s.log)
				require.Empty(t, rest)
			})
		}
	}
}

func TestTextAndNumbersArriveAsTheyAre(t *testing.T) {
	t.Parallel()
	for l, code := range map[*language]string{
		&python: "def poll():\n    yield {'big': 9007199254740993, 'text': '\\ud800 \\u0000 é'}\n",
		&node:   `export const poll = () => [{ text: "\ud800 \u0000 é", gone: undefined }];`,
	} {
		s := l.serve(t, l.code(t, code))
		s.send(request(nil))
		line, err := s.messages.ReadString('\n')
		require.NoError(t, err)
		require.Equal(t, map[string]string{
			"python": `{"type":"event","payload":{"big": 9007199254740993, "text": "\ud800 \u0000 \u00e9"}}` + "\n",
			"nodejs": `{"type":"event","payload":{"text":"\ud800 \u0000 é"}}` + "\n",
		}[l.name], line)
		require.True(t, json.Valid([]byte(line)))
	}
}

func TestCommonJS(t *testing.T) {
	t.Parallel()
	for file, code := range map[string]string{
		"s.cjs": `exports.poll = async function* () { yield { n: 1 }; };`,
		"s.js":  `module.exports = { poll: () => [{ n: 1 }] };`,
	} {
		l := node
		l.file = file
		s := l.serve(t, l.code(t, code))
		require.Equal(t, `{"payload":{"n":1},"type":"event"}`, text(s.poll(request(nil))[:1]), file)
	}
}
