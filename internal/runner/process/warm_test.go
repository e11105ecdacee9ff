package process_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/internal/runner"
	"github.com/attune-automation/sensors/internal/runner/process"
	"github.com/attune-automation/sensors/internal/secret"
	"github.com/attune-automation/sensors/internal/sensor"
)

// counting is code that says how often its process was polled.
var counting = map[string]string{
	"s.py":  "n = 0\ndef poll(ctx):\n    global n\n    n += 1\n    yield {'n': n, 'config': ctx.config.get('n'), 'cursor': ctx.cursor}\n    ctx.cursor = n\n",
	"s.mjs": "let n = 0;\nexport function* poll(ctx) { n += 1; yield { n, config: ctx.config.n ?? null, cursor: ctx.cursor }; ctx.cursor = n; }\n",
}

func TestAProcessStaysUpBetweenPolls(t *testing.T) {
	t.Parallel()
	for file, code := range counting {
		t.Run(file, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			req := b.code(t, file, code)
			for i := range 3 {
				req.Sensor.Config = json.RawMessage(fmt.Sprintf(`{"n": %d}`, 10*i))
				r := b.poll(t, req)
				require.JSONEq(t, fmt.Sprintf(`{"n": %d, "config": %d, "cursor": %s}`, i+1, 10*i, orNull(req.Cursor)), payloads(r))
				require.Equal(t, i > 0, r.Warm)
				require.Equal(t, 1, b.Warm())
				require.Positive(t, r.Usage.Wall)
				require.Positive(t, r.Usage.Memory)
				req.Cursor = r.Cursor
			}
			require.NoError(t, b.Close())
			require.Zero(t, b.Warm())
			eventually(t, func() string { return survivors(t, b.cache) })
		})
	}
}

func orNull(cursor json.RawMessage) string {
	if cursor == nil {
		return "null"
	}
	return string(cursor)
}

// findData finds the pipe that the SDK writes to.
const findData = "data = next(fd for fd in range(3, 256) if os.path.exists(f'/proc/self/fd/{fd}') and os.readlink(f'/proc/self/fd/{fd}').startswith('pipe:'))\n"

func TestWhatReplacesAProcess(t *testing.T) {
	t.Parallel()
	plain := counting["s.py"]
	no := false
	for name, test := range map[string]struct {
		code   string
		first  func(*runner.Request)
		second func(*testing.T, *bundle, *runner.Request)
		max    int
		pause  bool
	}{
		"nothing, but other config and timeout": {second: func(_ *testing.T, _ *bundle, r *runner.Request) {
			r.Sensor.Config, r.Timeout, r.Sensor.Version = json.RawMessage(`{"n": 5}`), time.Minute, 7
		}},
		"the sensor's wish":    {first: func(r *runner.Request) { r.Sensor.Warm = &no }},
		"its share of polls":   {max: 1},
		"other code":           {second: func(t *testing.T, b *bundle, r *runner.Request) { *r = b.code(t, "s.py", plain+"\n") }},
		"other limits":         {second: func(_ *testing.T, _ *bundle, r *runner.Request) { r.Sensor.Limits.OpenFiles = 99 }},
		"another sandbox":      {second: func(_ *testing.T, _ *bundle, r *runner.Request) { r.Sensor.Sandbox = sensor.SandboxNone }},
		"another sensor":       {second: func(_ *testing.T, _ *bundle, r *runner.Request) { r.Sensor.Ref = "test.other" }},
		"a child left behind":  {code: "import subprocess\n" + strings.Replace(plain, "n += 1", "n += 1; subprocess.Popen(['sleep', '1000'])", 1)},
		"a message after done": {code: "import os, threading\n" + plain + "    threading.Timer(0.2, lambda: os.write(data, b'{}\\n')).start()\n" + findData, pause: true},
		"a failed poll": {code: plain + "    if ctx.config.get('fail'): raise ValueError\n", first: func(r *runner.Request) { r.Sensor.Config = json.RawMessage(`{"fail": true}`) },
			second: func(_ *testing.T, _ *bundle, r *runner.Request) { r.Sensor.Config = nil }},
		"the pack's folder was cleaned away": {second: func(t *testing.T, b *bundle, r *runner.Request) { removeAll(t, b.cache+"/packs") }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, func(c *process.Config) {
				if test.max > 0 {
					c.WarmPolls = test.max
				}
			})
			code := test.code
			if code == "" {
				code = plain
			}
			req := b.code(t, "s.py", code)
			if test.first != nil {
				test.first(&req)
			}
			_, _ = b.run(t.Context(), req)
			if test.pause {
				<-time.After(400 * time.Millisecond) // nothing shows outside what it does
			}
			if test.second != nil {
				test.second(t, b, &req)
			}
			r, err := b.run(t.Context(), req)
			require.NoError(t, err)
			warm := strings.HasPrefix(name, "nothing")
			require.Equal(t, warm, r.Warm)
			require.Contains(t, payloads(r), map[bool]string{true: `{"n": 2`, false: `{"n": 1`}[warm])
		})
	}
}

func TestANewSecretReplacesAProcess(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	b := setup(t, func(c *process.Config) {
		var err error
		c.Secrets, err = secret.New(secret.Config{Directory: dir})
		require.NoError(t, err)
	})
	req := b.code(t, "s.py", "seen = []\ndef poll(ctx):\n    seen.append(ctx.secret('TOKEN'))\n    yield {'seen': [len(s) for s in seen]}\n")
	req.Sensor.Config = json.RawMessage(`{"token": "${secret:TOKEN}"}`)
	for i, step := range []struct {
		secret string
		want   string
	}{{"first", `{"seen": [5]}`}, {"first", `{"seen": [5, 5]}`}, {"second", `{"seen": [6]}`}} {
		writeFile(t, dir+"/TOKEN", step.secret)
		require.JSONEq(t, step.want, payloads(b.poll(t, req)), i)
	}
}

func TestAPollDoesNotFailForItsWarmProcess(t *testing.T) {
	t.Parallel()
	for name, trouble := range map[string]string{
		"died":         "os._exit(7)",
		"was stopped":  "os.kill(os.getpid(), 19)",
		"closed stdin": "[os.close(fd) for fd in range(5, 30) if os.path.exists(f'/proc/self/fd/{fd}')]; os.kill(os.getpid(), 19)",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			req := b.code(t, "s.py", counting["s.py"]+"    threading.Timer(0.2, trouble).start()\nimport os, threading\ndef trouble():\n    "+trouble+"\n")
			b.poll(t, req)
			if name == "died" {
				eventually(t, func() string { return more("warm processes", 0, b.Warm()) })
			} else {
				<-time.After(400 * time.Millisecond) // nothing shows outside that it is stopped
			}
			r := b.poll(t, req)
			require.False(t, r.Warm)
			require.Contains(t, payloads(r), `{"n": 1`)
		})
	}
}

func TestAWarmProcessThatEndsDuringAPollIsAFault(t *testing.T) {
	t.Parallel()
	b := setup(t)
	req := b.code(t, "s.py", "import os\ndef poll(ctx):\n    yield {}\n    if ctx.config.get('die'): os._exit(3)\n")
	b.poll(t, req)
	req.Sensor.Config = json.RawMessage(`{"die": true}`)
	require.Contains(t, b.fault(t, req).Message, "exit status 3")
}

// TestACrashAtTheBeginningOfAPollIsNoMatterOfItsProcess has code that ends before it said anything.
func TestACrashAtTheBeginningOfAPollIsNoMatterOfItsProcess(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		file, code, message string
		kind                sensor.FaultKind
	}{
		"exit":            {"s.py", "import os\ndef poll(ctx):\n    ctx.config and os._exit(3)\n    yield {}\n", "exit status 3", sensor.FaultExit},
		"signal":          {"s.py", "import os\ndef poll(ctx):\n    ctx.config and os.kill(os.getpid(), 11)\n    yield {}\n", "signal 11", sensor.FaultExit},
		"clean exit":      {"s.py", "import os\ndef poll(ctx):\n    ctx.config and os._exit(0)\n    yield {}\n", "before poll() did", sensor.FaultExit},
		"exit of Node.js": {"s.mjs", "export function poll(ctx) { if (ctx.config.die) process.exit(4); return [{}]; }\n", "exit status 4", sensor.FaultExit},
		"noise": {"s.py", "import os\n" + findData + "def poll(ctx):\n    ctx.config and os.write(data, b'noise\\n')\n    yield {}\n",
			"not a message of the protocol", sensor.FaultOutput},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			req := b.code(t, test.file, test.code)
			b.poll(t, req)
			require.Equal(t, 1, b.Warm())
			req.Sensor.Config = json.RawMessage(`{"die": true}`)
			fault, r := b.failed(t, req)
			require.True(t, r.Warm, "its own process did the poll")
			require.Equal(t, test.kind, fault.Kind)
			require.Contains(t, fault.Message, test.message)
		})
	}
}

func TestIdleProcessesEnd(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *process.Config) { c.WarmIdle = 50 * time.Millisecond })
	b.poll(t, b.code(t, "s.py", counting["s.py"]))
	eventually(t, func() string { return more("warm processes", 0, b.Warm()) })
	eventually(t, func() string { return survivors(t, b.cache) })
}

func TestTheLeastRecentlyUsedProcessMakesRoom(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *process.Config) { c.WarmProcesses = 2 })
	sensors := make([]runner.Request, 3)
	for i := range sensors {
		sensors[i] = b.code(t, "s.py", counting["s.py"])
		sensors[i].Sensor.Ref = fmt.Sprintf("test.sensor_%d", i)
	}
	for i, step := range []struct {
		sensor int
		warm   bool
	}{{0, false}, {1, false}, {0, true}, {2, false}, {0, true}, {1, false}, {2, false}} {
		require.Equal(t, step.warm, b.poll(t, sensors[step.sensor]).Warm, i)
		require.LessOrEqual(t, b.Warm(), 2)
	}
}

func TestNoProcessStaysUpWhereNoneMay(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *process.Config) { c.WarmProcesses = 0 })
	for file, code := range counting {
		req := b.code(t, file, code)
		for range 2 {
			require.False(t, b.poll(t, req).Warm)
			require.Zero(t, b.Warm())
		}
	}
	eventually(t, func() string { return survivors(t, b.cache) })
}

func TestTwoPollsOfASensorAtOnce(t *testing.T) {
	t.Parallel()
	b := setup(t)
	req := b.code(t, "s.py", "n = 0\ndef poll(ctx):\n    global n\n    n += 1\n    import time\n    time.sleep(0.3)\n    yield {'n': n}\n")
	for i := range 2 {
		var all sync.WaitGroup
		for range 2 {
			all.Go(func() {
				r, err := b.run(t.Context(), req)
				require.NoError(t, err)
				require.JSONEq(t, fmt.Sprintf(`{"n": %d}`, i+1), payloads(r))
			})
		}
		all.Wait()
		require.Equal(t, 2, b.Warm())
	}
}
