package sdk_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestStateBetweenPolls(t *testing.T) {
	t.Parallel()
	for l, code := range map[*language]string{
		&python: `
polls = 0
def poll(ctx):
    global polls
    polls += 1
    ctx.mine = getattr(ctx, "mine", 0) + 1
    yield {"polls": polls, "fresh": ctx.mine, "cursor": ctx.cursor, "n": ctx.config["n"]}
    ctx.cursor = polls
`,
		&node: `
let polls = 0;
export function* poll(ctx) {
  polls += 1;
  ctx.mine = (ctx.mine ?? 0) + 1;
  yield { polls, fresh: ctx.mine, cursor: ctx.cursor, n: ctx.config.n };
  ctx.cursor = polls;
}
`,
	} {
		s := l.serve(t, l.code(t, code))
		for n := range 3 {
			want := fmt.Sprintf(`{"payload":{"cursor":%d,"fresh":1,"n":%d,"polls":%d},"type":"event"}
{"cursor":%d,"type":"cursor"}
{"type":"done"}`, n*10, n, n+1, n+1)
			require.Equal(t, want, text(s.poll(request(object{"cursor": n * 10, "config": object{"n": n}}))))
		}
	}
}

// A stream's events are on their way as soon as they are yielded: its code goes on when it is told to, which is after
// the event was read.
func TestAStreamDoesNotSitOnEvents(t *testing.T) {
	t.Parallel()
	for l, code := range map[*language]string{
		&python: `
import os, time
def poll(ctx):
    for n in range(3):
        yield {"n": n, "deadline": ctx.deadline}
        while not os.path.exists(f"go{n}"):
            time.sleep(0.01)
    ctx.checkpoint(3)
    while True:
        time.sleep(1)
`,
		&node: `
import { existsSync } from "node:fs";
export async function* poll(ctx) {
  for (let n = 0; n < 3; n++) {
    yield { n, deadline: ctx.deadline };
    while (!existsSync("go" + n)) await new Promise((done) => setTimeout(done, 10));
  }
  ctx.checkpoint(3);
  for (;;) await new Promise((done) => setTimeout(done, 1000));
}
`,
	} {
		dir := l.code(t, code)
		s := l.serve(t, dir)
		s.send(stream())
		for n := range 3 {
			require.Equal(t, object{"type": "event", "payload": object{"n": float64(n), "deadline": nil}}, s.next())
			write(t, dir, fmt.Sprintf("go%d", n), "")
		}
		require.Equal(t, object{"type": "checkpoint", "cursor": 3.0}, s.next())
	}
}

func TestWhatAPollLeavesBehindDoesNotDisturbTheNext(t *testing.T) {
	t.Parallel()
	for l, code := range map[*language]string{
		&python: `
import os, threading, time
polls = 0
def behind(ctx):
    while not os.path.exists("go"):
        time.sleep(0.01)
    ctx.log.warning("late words")
    try:
        ctx.more()
    except RuntimeError as error:
        print(error)
    open("gone", "w")
def poll(ctx):
    global polls
    polls += 1
    if polls == 1:
        threading.Thread(target=behind, args=(ctx,)).start()
    yield {"polls": polls}
`,
		&node: `
import { existsSync, writeFileSync } from "node:fs";
let polls = 0;
export function* poll(ctx) {
  polls += 1;
  if (polls === 1) {
    const timer = setInterval(() => {
      if (!existsSync("go")) return;
      clearInterval(timer);
      ctx.log.warning("late words");
      try { ctx.more(); } catch (error) { console.log(error.message); }
      writeFileSync("gone", "");
    }, 10);
  }
  yield { polls };
}
`,
	} {
		dir := l.code(t, code)
		s := l.serve(t, dir)
		poll := func(n int) {
			require.Equal(t, fmt.Sprintf(`{"payload":{"polls":%d},"type":"event"}`+"\n"+`{"type":"done"}`, n), text(s.poll(request(nil))))
		}
		poll(1)
		write(t, dir, "go", "")
		require.Eventually(t, func() bool { _, err := os.Stat(filepath.Join(dir, "gone")); return err == nil }, patience, 10*time.Millisecond)
		poll(2)
		require.Eventually(t, func() bool {
			return strings.Contains(s.log.String(), "warning: late words\nthis poll is over: its context is no good any more\n")
		}, patience, 10*time.Millisecond, s.log)
	}
}

func TestAForkSaysNothingForThePoll(t *testing.T) {
	t.Parallel()
	s := python.serve(t, python.code(t, `
import os, sys
def poll(ctx):
    yield {"n": 1}
    child = os.fork()
    if child == 0:
        ctx.log("from the fork")
        if ctx.config["n"] == 1:
            sys.exit(3)
        if ctx.config["n"] == 2:
            raise ValueError("in the fork")
    yield {"n": 2}
    if child:
        os.waitpid(child, 0)
`))
	for n := range 3 {
		require.Equal(t, `{"payload":{"n":1},"type":"event"}
{"payload":{"n":2},"type":"event"}
{"type":"done"}`, text(s.poll(request(object{"config": object{"n": n}}))))
	}
	require.Contains(t, s.log.String(), "info: from the fork\n")
	require.Contains(t, s.log.String(), "ValueError: in the fork")
}

func TestAForkOfAForkKeepsItsFiles(t *testing.T) {
	t.Parallel()
	s := python.serve(t, python.code(t, `
import os
def poll(ctx):
    child = os.fork()
    if child == 0:
        mine = os.open("/dev/null", os.O_RDONLY)  # the number of what the fork does not have
        if os.fork() == 0:
            os.fstat(mine)
            print("it has", mine, flush=True)
            os._exit(0)
        os.wait()
        os._exit(0)
    os.waitpid(child, 0)
    yield {}
`))
	require.Equal(t, "{\"payload\":{},\"type\":\"event\"}\n{\"type\":\"done\"}", text(s.poll(request(object{}))))
	require.Contains(t, s.log.String(), "it has 3\n")
	require.NotContains(t, s.log.String(), "Bad file descriptor")
}

// Both for a first poll, and for one in a process that has been up for a while.
func TestAHangShowsItselfBeforeTheDeadline(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		language
		source, want string
	}{
		{python, "import time\ndef poll(ctx):\n    while ctx.config['n']:\n        time.sleep(1)\n", `s.py", line 4 in poll`},
		{python, "import asyncio\nasync def poll(ctx):\n    if ctx.config['n']:\n        await asyncio.gather(other())\nasync def other():\n    await asyncio.sleep(1000)\n", `s.py", line 4 in poll`},
		{python, "import asyncio\nasync def poll(ctx):\n    if ctx.config['n']:\n        await asyncio.sleep(1000)\n    yield {}\n", `s.py", line 4 in poll`},
		{node, "export async function poll(ctx) {\n  if (ctx.config.n) await new Promise((done) => setTimeout(done, 1e6));\n}\n", "waits for: Timeout"},
	} {
		for _, quick := range []int{0, 2} {
			s := test.serve(t, test.code(t, test.source))
			for range quick {
				messages := s.poll(request(object{"config": object{"n": 0}}))
				require.Equal(t, object{"type": "done"}, messages[len(messages)-1])
			}
			require.Empty(t, s.log.String())
			s.send(request(object{"timeout_seconds": 1}))
			require.Eventually(t, func() bool { return strings.Contains(s.log.String(), test.want) }, patience, 10*time.Millisecond, s.log)
		}
	}
}

func TestImportsBesideTheEntrypointAndFromThePack(t *testing.T) {
	t.Parallel()
	for l, files := range map[*language]map[string]string{
		&python: { // names of modules that the SDK itself imports, sooner or later
			"sensors/json.py": `
import beside, lib.words, traceback
from datetime import DAY
def poll(ctx):
    ctx.deadline
    yield ctx.event({'a': beside.A + lib.words.B + DAY + traceback.C})
    raise ValueError("z")
`,
			"sensors/beside.py": "A = 'w'\n", "lib/__init__.py": "", "lib/words.py": "B = 'x'\n",
			"sensors/datetime.py": "DAY = 'y'\n", "traceback.py": "C = 'z'\n",
		},
		&node: {
			"sensors/json.mjs":   "import { a } from './beside.mjs';\nimport { b } from '../lib/words.mjs';\nexport function* poll() { yield { a: a + b }; throw new Error('z'); }\n",
			"sensors/beside.mjs": "export const a = 'wx';\n", "lib/words.mjs": "export const b = 'yz';\n",
		},
	} {
		dir := l.code(t, "")
		for name, content := range files {
			write(t, dir, name, content)
		}
		sensor := *l
		sensor.file = "sensors/json" + filepath.Ext(l.file)
		messages := sensor.serve(t, dir).poll(request(nil))
		require.Equal(t, object{"type": "event", "payload": object{"a": "wxyz"}}, messages[0], text(messages))
		require.Regexp(t, "Error: z$", messages[1]["message"])
		require.Contains(t, messages[1]["traceback"], "sensors/json")
	}
}

func TestTheRequestMayBeLargerThanAPipe(t *testing.T) {
	t.Parallel()
	for l, code := range map[*language]string{
		&python: "def poll(ctx):\n    yield {'n': len(ctx.config['big'])}\n",
		&node:   "export function* poll(ctx) { yield { n: ctx.config.big.length }; }\n",
	} {
		s := l.serve(t, l.code(t, code))
		for range 2 {
			messages := s.poll(request(object{"config": object{"big": strings.Repeat("é", 1<<20)}}))
			require.Equal(t, object{"type": "event", "payload": object{"n": float64(1 << 20)}}, messages[0])
		}
	}
}

// The pipe may not block, which happens when whoever started the process shares it with a poller.
func TestManyEventsArriveInOrderThroughASlowPipe(t *testing.T) {
	t.Parallel()
	for l, code := range map[*language]string{
		&python: "def poll():\n    for n in range(10_000):\n        yield {'n': n, 'x': 'x' * 1000}\n",
		&node:   "export function* poll() { for (let n = 0; n < 10_000; n++) yield { n, x: 'x'.repeat(1000) }; }\n",
	} {
		s := l.serve(t, l.code(t, code), func(data *os.File) {
			require.NoError(t, syscall.SetNonblock(int(data.Fd()), true))
		})
		s.send(request(nil))
		s.messages = bufio.NewReaderSize(s.messages, 1<<10)
		for n := range 10_000 {
			line, err := s.messages.ReadBytes('\n')
			require.NoError(t, err, s.log)
			var message struct{ Payload struct{ N int } }
			require.NoError(t, json.Unmarshal(line, &message))
			require.Equal(t, n, message.Payload.N)
		}
		require.Equal(t, object{"type": "done"}, s.next())
	}
}

func TestAProcessEndsWithItsRequests(t *testing.T) {
	t.Parallel()
	for l, code := range map[*language]string{
		&python: "import threading, time\ndef poll(): threading.Thread(target=time.sleep, args=(1000,), daemon=True).start()\n",
		&node:   "export function poll() { setTimeout(() => {}, 1e9); }\n",
	} {
		for polls := range 2 {
			s := l.serve(t, l.code(t, code))
			for range polls {
				s.poll(request(nil))
			}
			status, rest := s.end()
			require.Zero(t, status, s.log)
			require.Empty(t, rest)
		}
	}
}

func TestAnErrorBetweenPollsEndsTheProcess(t *testing.T) {
	t.Parallel()
	s := node.serve(t, node.code(t, "export function poll() { setTimeout(() => { throw new Error('late'); }, 100); }\n"))
	require.Equal(t, `{"type":"done"}`, text(s.poll(request(nil))))
	require.Eventually(t, func() bool { return strings.Contains(s.log.String(), "Error: late") }, patience, 10*time.Millisecond)
	status, rest := s.end()
	require.Equal(t, 1, status)
	require.Empty(t, rest, "nobody asked")
}
