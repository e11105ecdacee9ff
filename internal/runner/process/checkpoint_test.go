package process_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/internal/sensor"
)

func TestAFailedPollKeepsWhatACheckpointCompleted(t *testing.T) {
	t.Parallel()
	python := func(end string) string {
		return "import os, time\ndef poll(ctx):\n    yield {'n': 1}\n    ctx.checkpoint({'at': 1})\n    yield {'n': 2}\n    ctx.cursor = {'at': 2}\n    ctx.checkpoint()\n    yield {'n': 3}\n    ctx.cursor = {'at': 3}\n    " + end + "\n"
	}
	node := func(end string) string {
		return "export async function* poll(ctx) {\n  yield { n: 1 };\n  ctx.checkpoint({ at: 1 });\n  yield { n: 2 };\n  ctx.cursor = { at: 2 };\n  ctx.checkpoint();\n  yield { n: 3 };\n  ctx.cursor = { at: 3 };\n  " + end + "\n}\n"
	}
	shell := func(end string) string {
		return "#!/bin/sh\nexec >&3\necho '{\"type\":\"event\",\"payload\":{\"n\":1}}'\necho '{\"type\":\"checkpoint\",\"cursor\":{\"at\":1}}' >&3\necho '{\"type\":\"event\",\"payload\":{\"n\":2}}'\necho '{\"type\":\"cursor\",\"cursor\":{\"at\":2}}' >&3\necho '{\"type\":\"checkpoint\"}' >&3\necho '{\"type\":\"event\",\"payload\":{\"n\":3}}'\n" + end + "\n"
	}
	for _, test := range []struct {
		name, file, code string
		kind             sensor.FaultKind
	}{
		{"an exception", "s.py", python("raise ValueError"), sensor.FaultException},
		{"an exit", "s.py", python("os._exit(1)"), sensor.FaultExit},
		{"a hang", "s.py", python("time.sleep(1000)"), sensor.FaultTimeout},
		{"a crash", "s.py", python("os.kill(os.getpid(), 9)"), sensor.FaultExit},
		{"a bad message", "s.py", python("os.write(3, b'nonsense\\n'); time.sleep(1000)"), ""}, // the SDK may have put fd 3 elsewhere
		{"an exception", "s.mjs", node("throw new Error('no');"), sensor.FaultException},
		{"an exit", "s.mjs", node("process.exit(1);"), sensor.FaultExit},
		{"a hang", "s.mjs", node("for (;;);"), sensor.FaultTimeout},
		{"an exit", "s.sh", shell("exit 1"), sensor.FaultExit},
		{"a crash", "s.sh", shell("kill -9 $$"), sensor.FaultExit},
		{"a bad message", "s.sh", shell("echo nonsense >&3"), sensor.FaultOutput},
	} {
		t.Run(test.file+" "+test.name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			req := b.code(t, test.file, test.code)
			if test.kind == sensor.FaultTimeout || test.kind == "" {
				req.Timeout = 8 * time.Second
			}
			fault, r := b.failed(t, req)
			if test.kind != "" {
				require.Equal(t, test.kind, fault.Kind, fault.Error())
			}
			require.Equal(t, []string{`{"n":1}`, `{"n":2}`}, compact(t, r.Payloads))
			require.JSONEq(t, `{"at": 2}`, string(r.Cursor))
		})
	}
}

func compact(t *testing.T, payloads [][]byte) []string {
	t.Helper()
	var all []string
	for _, payload := range payloads {
		all = append(all, strings.ReplaceAll(string(payload), " ", ""))
	}
	return all
}

func TestCheckpointsMergeIntoFewParts(t *testing.T) {
	t.Parallel()
	for file, code := range map[string]string{
		"s.py":  "def poll(ctx):\n    for n in range(5_000):\n        yield {'n': n}\n        ctx.checkpoint(n)\n    yield {'n': 5_000}\n",
		"s.mjs": "export function* poll(ctx) { for (let n = 0; n < 5000; n++) { yield { n }; ctx.checkpoint(n); } yield { n: 5000 }; }\n",
	} {
		b := setup(t)
		r := b.poll(t, b.code(t, file, code))
		require.LessOrEqual(t, len(r.Parts), 7, file)
		require.GreaterOrEqual(t, len(r.Parts), 2, file)
		require.Len(t, r.Payloads, 5_001)
		for n, payload := range compact(t, r.Payloads) {
			require.Equal(t, fmt.Sprintf(`{"n":%d}`, n), payload)
		}
		require.Equal(t, "4999", string(r.Cursor))
	}
}

func TestAPollIsCutAtItsLimits(t *testing.T) {
	t.Parallel()
	for name, code := range map[string]string{
		"events": "def poll(ctx):\n    n = ctx.cursor or 0\n    while n < 15_000:\n        yield {'n': n}\n        n += 1\n        if n % 100 == 50: ctx.checkpoint(n)\n    ctx.cursor = n\n",
		"bytes":  "def poll(ctx):\n    n = ctx.cursor or 0\n    while n < 150:\n        yield {'n': n, 'x': 'x' * 800_000}\n        n += 1\n        if n % 10 == 5: ctx.checkpoint(n)\n    ctx.cursor = n\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			req := b.code(t, "s.py", code)
			var polls, events int
			for more := true; more; polls++ {
				r := b.poll(t, req)
				var last struct{ N int }
				for _, item := range r.Items {
					require.NoError(t, json.Unmarshal(item.Payload, &last))
					require.Equal(t, events, last.N)
					events++
				}
				more, req.Cursor = r.More, r.Cursor
			}
			require.Equal(t, 2, polls)
			require.Equal(t, map[string]int{"events": 15_000, "bytes": 150}[name], events)
		})
	}
}

func TestACheckpointThatMovesNoCursorIsNoPlaceToGoOnFrom(t *testing.T) {
	t.Parallel()
	b := setup(t)
	req := b.code(t, "s.py", "def poll(ctx):\n    while True:\n        yield {}\n        ctx.checkpoint('same')\n")
	req.Cursor = json.RawMessage(`"same"`)
	fault, _ := b.failed(t, req)
	require.Equal(t, sensor.FaultOutput, fault.Kind)
	require.Contains(t, fault.Message, "more than 10000 events in one poll")
}

func TestWhatTakeReturnsEndsThePoll(t *testing.T) {
	t.Parallel()
	for name, code := range map[string]string{
		"at the end":      "def poll(ctx):\n    yield {}\n",
		"at a checkpoint": "import time\ndef poll(ctx):\n    yield {}\n    ctx.checkpoint(1)\n    time.sleep(1000)\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			req := b.code(t, "s.py", code)
			req.Take = func(context.Context, sensor.Part) error { return fmt.Errorf("storing: %w", sensor.ErrTurnLost) }
			_, err := b.Poll(t.Context(), req)
			require.EqualError(t, err, "storing: "+sensor.ErrTurnLost.Error())
			require.ErrorIs(t, err, sensor.ErrTurnLost)
			require.Zero(t, b.Warm())
			eventually(t, func() string { return survivors(t, b.cache) })
		})
	}
}

func TestAStoreThatHangsEndsWithThePollsTime(t *testing.T) {
	t.Parallel()
	b := setup(t)
	req := b.code(t, "s.sh", "#!/bin/sh\necho '{}'\n")
	req.Timeout = time.Second
	req.Take = func(ctx context.Context, _ sensor.Part) error {
		<-ctx.Done()
		return ctx.Err()
	}
	began := time.Now()
	_, err := b.Poll(t.Context(), req)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.Less(t, time.Since(began), 3*time.Second)
	var fault *sensor.Fault
	require.False(t, errors.As(err, &fault))
}

func TestEventsCarryWhatTheCodeSaysOfThem(t *testing.T) {
	t.Parallel()
	for file, code := range map[string]string{
		"s.py":  "from datetime import datetime, timezone\ndef poll(ctx):\n    yield ctx.event({'n': 1}, key='a', trigger='test.second', occurred_at=datetime(2026, 1, 31, 9, 30, tzinfo=timezone.utc))\n    yield {'n': 2}\n    ctx.more()\n    ctx.next_after(90)\n",
		"s.mjs": "export function* poll(ctx) { yield ctx.event({ n: 1 }, { key: 'a', trigger: 'test.second', occurredAt: new Date('2026-01-31T09:30:00Z') }); yield { n: 2 }; ctx.more(); ctx.nextAfter(90); }\n",
		"s.sh":  "#!/bin/sh\nexec >&3\necho '{\"type\":\"event\",\"key\":\"a\",\"trigger\":\"test.second\",\"occurred_at\":\"2026-01-31T10:30:00+01:00\",\"payload\":{\"n\":1}}'\necho '{\"type\":\"event\",\"payload\":{\"n\":2}}'\necho '{\"type\":\"more\"}'\necho '{\"type\":\"next\",\"after_seconds\":90}'\n",
	} {
		b := setup(t)
		req := b.code(t, file, code)
		req.Sensor.TriggerRefs = []string{"test.trigger", "test.second"}
		r := b.poll(t, req)
		require.Len(t, r.Items, 2, file)
		require.Equal(t, "a", r.Items[0].Key)
		require.Equal(t, "test.second", r.Items[0].TriggerRef)
		require.Equal(t, time.Date(2026, 1, 31, 9, 30, 0, 0, time.UTC), r.Items[0].OccurredAt)
		require.Equal(t, sensor.Item{Payload: r.Items[1].Payload}, r.Items[1])
		require.True(t, r.More)
		require.Equal(t, 90*time.Second, r.NextAfter)
	}
}

func TestTheNextPollIsWithinBounds(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for seconds, want := range map[string]time.Duration{"0": 100 * time.Millisecond, "0.25": 250 * time.Millisecond, "1e300": 24 * time.Hour} {
		r := b.poll(t, b.code(t, "s.sh", "#!/bin/sh\necho '{\"type\":\"next\",\"after_seconds\":"+seconds+"}' >&3\n"))
		require.Equal(t, want, r.NextAfter)
	}
}
