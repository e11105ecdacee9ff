package process_test

import (
	"errors"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/internal/runner/jail"
	"github.com/attune-automation/sensors/internal/runner/process"
	"github.com/attune-automation/sensors/internal/sensor"
)

func TestWhatExceedsALimitIsNamed(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		file, code string
		limits     sensor.Limits
		kind       sensor.FaultKind
		message    string
	}{
		"memory of Python": {"s.py", "import time\ndef poll(ctx):\n    print('about to')\n    hoard = bytearray(b'x') * (300 << 20)\n    time.sleep(1000)\n",
			sensor.Limits{Memory: 100 << 20}, sensor.FaultLimit, `^took [0-9]+ MiB of memory, more than 100 MiB .*limits\.memory`},
		"memory of Node.js": {"s.mjs", "export async function poll() { console.log('about to'); const hoard = Buffer.alloc(300 << 20, 1); await new Promise((r) => setTimeout(r, 1e6)); }\n",
			sensor.Limits{Memory: 150 << 20}, sensor.FaultLimit, `^took [0-9]+ MiB of memory, more than 150 MiB .*limits\.memory`},
		"processor": {"s.py", "def poll(ctx):\n    print('about to')\n    while True: pass\n",
			sensor.Limits{CPU: time.Second}, sensor.FaultLimit, `^took .*s of processor time, more than 1s .*limits\.cpu`},
		"processes": {"s.sh", "#!/bin/sh\necho about to\ni=0\nwhile [ $i -lt 40 ]; do sleep 1000 & i=$((i+1)); done\nwait\n",
			sensor.Limits{Processes: 10}, sensor.FaultLimit, `^had [0-9]+ processes, more than 10 .*limits\.processes`},
		"threads": {"s.py", "import threading, time\ndef poll(ctx):\n    print('about to')\n    threading.stack_size(64 << 10)\n    try:\n        for _ in range(1000): threading.Thread(target=time.sleep, args=(1000,), daemon=True).start()\n    except RuntimeError: pass\n    time.sleep(1000)\n",
			sensor.Limits{Processes: 10}, sensor.FaultLimit, `^had [0-9]+ threads, more than 336 .*limits\.processes`},
		"open files": {"s.py", "def poll(ctx):\n    print('about to')\n    files = [open('/dev/null') for _ in range(100)]\n",
			sensor.Limits{OpenFiles: 64}, sensor.FaultException, `Too many open files`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			// The sensor's limits or the worker's, which are the same here.
			b := setup(t, func(c *process.Config) { c.Limits = test.limits })
			fault := b.fault(t, b.code(t, test.file, test.code))
			require.Equal(t, test.kind, fault.Kind, fault.Error())
			require.Regexp(t, test.message, fault.Message)
			require.Contains(t, fault.Log, "about to")
			eventually(t, func() string { return survivors(t, b.cache) })
		})
	}
}

func TestTheSensorsLimitsOverrideTheWorkers(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *process.Config) { c.Limits = sensor.Limits{OpenFiles: 64, Processes: 30} })
	req := b.code(t, "s.sh", "#!/bin/sh\necho \"{\\\"n\\\": $(ulimit -n)}\"\n")
	require.Equal(t, `{"n": 64}`, payloads(b.poll(t, req)))
	req.Sensor.Limits.OpenFiles = 99
	require.Equal(t, `{"n": 99}`, payloads(b.poll(t, req)))
}

func TestEachPollOfAWarmProcessHasItsOwnTimeOfTheProcessor(t *testing.T) {
	t.Parallel()
	b := setup(t)
	req := b.code(t, "s.py", "import time\ndef poll(ctx):\n    end = time.process_time() + 0.6\n    while time.process_time() < end: pass\n    yield {}\n")
	req.Sensor.Limits.CPU = 1500 * time.Millisecond
	for i := range 4 {
		r := b.poll(t, req)
		require.Equal(t, i > 0, r.Warm)
		require.Greater(t, r.Usage.CPU, 500*time.Millisecond)
		require.Less(t, r.Usage.CPU, 1500*time.Millisecond)
	}
}

func TestAPollSaysWhatContainedIt(t *testing.T) {
	t.Parallel()
	for file, code := range counting {
		b := setup(t)
		require.Equal(t, "bwrap", b.Sandbox())
		req := b.code(t, file, code)
		req.Sensor.Network = sensor.NetworkNone
		r := b.poll(t, req)
		require.Equal(t, "bwrap", r.Sandbox)
		require.Positive(t, r.Usage.CPU)

		req.Sensor.Network, req.Sensor.Sandbox = "", sensor.SandboxNone
		require.Equal(t, "none", b.poll(t, req).Sandbox)
	}
	b := setup(t, func(c *process.Config) { c.Sandbox = jail.ModeNone })
	req := b.code(t, "s.sh", "#!/bin/sh\n")
	req.Sensor.Network = sensor.NetworkNone
	fault := b.fault(t, req)
	require.Equal(t, sensor.FaultStart, fault.Kind)
	require.Contains(t, fault.Message, "`network: none`")
}

// TestManyPollsAtOnce is not parallel to anything: it counts what is left of 200 polls.
func TestManyPollsAtOnce(t *testing.T) {
	b := setup(t, func(c *process.Config) { c.WarmProcesses = 20 })
	sensors := b.pack(t, "s.py", map[string]string{
		"s.py":   counting["s.py"],
		"s.sh":   "#!/bin/sh\necho '{\"n\": 1}'\n",
		"bad.sh": "#!/bin/sh\nsleep 1000 & echo nonsense >&3\n",
	})
	sensors.Timeout = 5 * time.Minute
	goroutines, files := runtime.NumGoroutine(), openFiles(t)
	var all sync.WaitGroup
	for i := range 200 {
		req := sensors
		switch i % 5 {
		case 0:
			req.Sensor.Ref = fmt.Sprintf("test.python_%d", i%50)
		case 1:
			req.Sensor.Runtime, req.Sensor.Entrypoint = sensor.RuntimeExec, "bad.sh"
		default:
			req.Sensor.Runtime, req.Sensor.Entrypoint = sensor.RuntimeExec, "s.sh"
		}
		all.Go(func() {
			r, err := b.run(t.Context(), req)
			for tries := 0; tries < 10 && errors.Is(err, process.ErrBusy); tries++ { // as its caller would
				r, err = b.run(t.Context(), req)
			}
			if req.Sensor.Entrypoint == "bad.sh" {
				require.ErrorContains(t, err, "nonsense")
				return
			}
			require.NoError(t, err)
			require.Len(t, r.Items, 1)
		})
	}
	all.Wait()
	require.LessOrEqual(t, b.Warm(), 20)
	require.NoError(t, b.Close())
	eventually(t, func() string { return survivors(t, b.cache) })
	eventually(t, func() string { return more("goroutines", goroutines, runtime.NumGoroutine()) })
	eventually(t, func() string { return more("descriptors", files, openFiles(t)) })
}
