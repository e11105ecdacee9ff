package process_test

import (
	"context"
	"fmt"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/internal/runner"
	"github.com/attune-automation/sensors/internal/sensor"
)

// stream is a stream on its way.
type stream struct {
	mu    sync.Mutex
	items []sensor.Item
	parts []sensor.Part
	log   []string
	ended chan error
}

func (b *bundle) stream(ctx context.Context, req runner.Request) *stream {
	s := &stream{ended: make(chan error, 1)}
	req.Sensor.Mode, req.Timeout = sensor.ModeStream, 0
	req.Take = func(_ context.Context, part sensor.Part) error {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.parts = append(s.parts, part)
		s.items = append(s.items, part.Items...)
		return nil
	}
	go func() {
		_, err := b.Poll(ctx, req)
		s.ended <- err
	}()
	return s
}

func (s *stream) has(n int) func() string {
	return func() string {
		s.mu.Lock()
		defer s.mu.Unlock()
		if len(s.items) >= n {
			return ""
		}
		return fmt.Sprintf("%d events, not %d", len(s.items), n)
	}
}

// listeners answer nothing: they make each line that they get an event. Port is a free one.
var listeners = map[string]string{
	"s.py": `
import socket
def poll(ctx):
    with socket.create_server(("127.0.0.1", ctx.config["port"])) as server:
        yield {"listening": True}
        ctx.checkpoint(0)
        lines = server.accept()[0].makefile()
        for n, line in enumerate(lines, 1):
            yield {"line": line.strip()}
            ctx.checkpoint(n)
`,
	"s.mjs": `
import { createServer } from "node:net";
import { createInterface } from "node:readline";
import { once } from "node:events";
export async function* poll(ctx) {
  const server = createServer().listen(ctx.config.port, "127.0.0.1");
  await once(server, "listening");
  yield { listening: true };
  ctx.checkpoint(0);
  const [socket] = await once(server, "connection");
  let n = 0;
  for await (const line of createInterface({ input: socket })) {
    yield { line };
    ctx.checkpoint(++n);
  }
  server.close();
}
`,
}

func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

func TestAStreamBringsEventsWhileItRuns(t *testing.T) {
	t.Parallel()
	for file, code := range listeners {
		t.Run(file, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			port := freePort(t)
			s := b.stream(t.Context(), config(t, b.code(t, file, code), map[string]int{"port": port}))
			eventually(t, s.has(1))
			conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
			require.NoError(t, err)
			defer conn.Close()
			for n := range 5 {
				_, err = fmt.Fprintf(conn, "line %d\n", n)
				require.NoError(t, err)
				eventually(t, s.has(n+2))
			}
			require.Zero(t, b.Warm())
			require.NoError(t, conn.Close())
			require.NoError(t, <-s.ended, "the code's end is a good one")
			require.Equal(t, "5", string(s.parts[len(s.parts)-1].Cursor))
			require.Zero(t, b.Warm())
		})
	}
}

func TestAStreamThatIsCancelledKeepsItsCheckpoints(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ctx, cancel := context.WithCancel(t.Context())
	// The second checkpoint comes less than a part's age before the end.
	s := b.stream(ctx, b.code(t, "s.py", "import time\ndef poll(ctx):\n    yield {'n': 1}\n    ctx.checkpoint(1)\n    time.sleep(0.3)\n    for n in range(1_000_000):\n        yield {'n': 2}\n        if n % 100 == 99:\n            ctx.checkpoint(n)\n            time.sleep(0.001)\n"))
	eventually(t, s.has(1))
	began := time.Now()
	cancel()
	require.Equal(t, context.Canceled, <-s.ended)
	require.Less(t, time.Since(began), 2*time.Second)
	eventually(t, func() string { return survivors(t, b.cache) })
	s.mu.Lock()
	defer s.mu.Unlock()
	require.Equal(t, 1, len(s.items)%100, "parts end at checkpoints")
}

func TestAStreamThatDiesIsAFault(t *testing.T) {
	t.Parallel()
	b := setup(t)
	s := b.stream(t.Context(), b.code(t, "s.sh", "#!/bin/sh\nexec >&3\necho '{\"type\":\"event\",\"payload\":{\"n\":1}}'\necho '{\"type\":\"checkpoint\",\"cursor\":1}' >&3\necho '{\"type\":\"event\",\"payload\":{\"n\":2}}'\nkill -9 $$\n"))
	var fault *sensor.Fault
	require.ErrorAs(t, <-s.ended, &fault)
	require.Equal(t, sensor.FaultExit, fault.Kind)
	require.Len(t, s.items, 1)
}

func TestAStreamMayBringAnyNumberOfEvents(t *testing.T) {
	t.Parallel()
	b := setup(t)
	s := b.stream(t.Context(), b.code(t, "s.py", "def poll(ctx):\n    for n in range(25_000):\n        yield {'n': n}\n        if n % 1000 == 0: ctx.checkpoint(n)\n"))
	require.NoError(t, <-s.ended)
	require.Len(t, s.items, 25_000)

	s = b.stream(t.Context(), b.code(t, "s.py", "def poll(ctx):\n    for n in range(25_000):\n        yield {'n': n}\n"))
	var fault *sensor.Fault
	require.ErrorAs(t, <-s.ended, &fault)
	require.Equal(t, sensor.FaultOutput, fault.Kind)
	require.Equal(t, "more than 10000 events since its last checkpoint (`limits.events`): call ctx.checkpoint(cursor) more often", fault.Message)
}

// A stream has no deadline at which such a message would come to light.
func TestAMessageThatDoesNotEndEndsAStream(t *testing.T) {
	t.Parallel()
	for name, code := range map[string]string{
		"text":  "#!/bin/sh\ntr '\\0' 'a' </dev/zero >&3\n",
		"blank": "#!/bin/sh\ntr '\\0' ' ' </dev/zero >&3\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			s := b.stream(t.Context(), b.code(t, "s.sh", code))
			select {
			case err := <-s.ended:
				var fault *sensor.Fault
				require.ErrorAs(t, err, &fault)
				require.Equal(t, sensor.FaultOutput, fault.Kind)
				require.Contains(t, fault.Message, "a message of more than 1048576 bytes (`limits.event_bytes`)")
			case <-time.After(time.Minute):
				require.Fail(t, "the stream goes on")
			}
		})
	}
}
