package process_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/attune-automation/sensors/internal/runner/jail"
	"github.com/attune-automation/sensors/internal/runner/process"
	"github.com/attune-automation/sensors/internal/sensor"
)

// TestNothingIsLeft runs code that does its worst. Its cases are not parallel to anything: they count this process's
// goroutines and descriptors.
func TestNothingIsLeft(t *testing.T) {
	for _, sandbox := range []jail.Mode{jail.ModeBwrap, jail.ModeNone} {
		t.Run(string(sandbox), func(t *testing.T) { nothingIsLeft(t, sandbox) })
	}
}

func nothingIsLeft(t *testing.T, sandbox jail.Mode) {
	b := setup(t, func(c *process.Config) { c.Sandbox, c.Limits.Processes = sandbox, 200 })
	b.poll(t, b.code(t, "s.sh", "#!/bin/sh\n")) // what is made once is made now
	for _, test := range []struct {
		name, code string
		want       sensor.FaultKind // empty: success
	}{
		{name: "hangs", code: "sleep 1000", want: sensor.FaultTimeout},
		{name: "ignores signals", code: "trap '' TERM INT HUP\nwhile :; do sleep 1000; done", want: sensor.FaultTimeout},
		{name: "spins", code: "while :; do :; done", want: sensor.FaultTimeout},
		{name: "writes for ever", code: "exec cat /dev/zero", want: sensor.FaultTimeout},
		{name: "writes for ever to fd 3", code: "exec cat /dev/zero >&3", want: sensor.FaultOutput},
		{name: "a child in the background holds every pipe", code: "sleep 1000 &"},
		{name: "a background child that failed to wait", code: "sleep 1000 &\nexit 1", want: sensor.FaultExit},
		{name: "stopped", code: "kill -STOP $$", want: sensor.FaultTimeout},
		{name: "a small storm", code: "i=0\nwhile [ $i -lt 40 ]; do sh -c 'sleep 1000 & sleep 1000' & i=$((i+1)); done\nsleep 1000", want: sensor.FaultTimeout},
		{name: "a fork bomb", code: "t() { [ $1 -gt 0 ] && { t $(($1 - 1)) & t $(($1 - 1)) & }; sleep 1000; }\nt 7", want: sensor.FaultLimit},
		{name: "a daemon", code: "(setsid sh -c 'setsid sleep 1000 & exec sleep 1000' &)\nsleep 0.1"},
		{name: "a daemon of code that hangs", code: "(setsid sh -c 'setsid sleep 1000 & exec sleep 1000' &)\nsleep 1000", want: sensor.FaultTimeout},
		{name: "a long line", code: "head -c 50000000 /dev/zero | tr '\\0' x"},
		{name: "closes all it has", code: "exec 0<&- 1>&- 2>&- 3>&-\nsleep 0.1"},
		{name: "closes all and hangs", code: "exec 0<&- 1>&- 2>&- 3>&-\nsleep 1000", want: sensor.FaultTimeout},
		{name: "does not read", code: ":"},
	} {
		t.Run(test.name, func(t *testing.T) {
			req := config(t, b.code(t, "s.sh", "#!/bin/sh\n"+test.code+"\n"), map[string]string{"big": strings.Repeat("x", 1<<20)})
			req.Timeout = time.Second
			if test.want != sensor.FaultTimeout {
				req.Timeout = 20 * time.Second // the rest is not a matter of time
			}
			goroutines, files := runtime.NumGoroutine(), openFiles(t)
			began := time.Now()
			_, err := b.run(t.Context(), req)
			require.Less(t, time.Since(began), req.Timeout+2*time.Second)
			if test.want == "" {
				require.NoError(t, err)
			} else {
				var fault *sensor.Fault
				require.ErrorAs(t, err, &fault)
				require.Equal(t, test.want, fault.Kind, fault.Error())
			}
			eventually(t, func() string { return survivors(t, b.cache) })
			eventually(t, func() string { return more("goroutines", goroutines, runtime.NumGoroutine()) })
			eventually(t, func() string { return more("descriptors", files, openFiles(t)) })
		})
	}
}

func TestCancelEndsThePoll(t *testing.T) {
	t.Parallel()
	b := setup(t)
	req := b.code(t, "s.sh", "#!/bin/sh\nsleep 1000\n")
	ctx, cancel := context.WithCancel(t.Context())
	result := make(chan error, 1)
	go func() {
		_, err := b.run(ctx, req)
		result <- err
	}()
	eventually(t, func() string {
		if survivors(t, b.cache) == "" {
			return "not started"
		}
		return ""
	})
	began := time.Now()
	cancel()
	require.Equal(t, context.Canceled, <-result)
	require.Less(t, time.Since(began), 2*time.Second)
	eventually(t, func() string { return survivors(t, b.cache) })

	_, err := b.run(ctx, req)
	require.Equal(t, context.Canceled, err)
}

func TestAProcessThatLeftItsGroupHoldsNothingUp(t *testing.T) {
	t.Parallel()
	b := setup(t)
	req := b.code(t, "s.sh", "#!/bin/sh\nsetsid sh -c 'while :; do echo line; sleep 0.1; done' &\nsleep 0.2\necho '{\"n\": 1}'\n")
	began := time.Now()
	poll := b.poll(t, req)
	require.Less(t, time.Since(began), 10*time.Second)
	require.Equal(t, `{"n": 1}`, payloads(poll))
	eventually(t, func() string { return survivors(t, b.cache) }) // its next write finds nobody
}

func TestAllThatWasWrittenBeforeTheEndIsRead(t *testing.T) {
	t.Parallel()
	b := setup(t)
	// The program is gone long before 5 MB of its events are parsed, and a child of it keeps the pipe open.
	poll := b.poll(t, b.code(t, "s.sh", "#!/bin/sh\nsleep 1000 &\nyes '{\"x\": \""+strings.Repeat("y", 500)+"\"}' | head -n 10000\n"))
	require.Len(t, poll.Payloads, 10_000)
}

// TestTheSensorDiesWithItsWorker kills a worker, which is this test in a process of its own. It is not parallel to
// others, whose children it would reap.
func TestTheSensorDiesWithItsWorker(t *testing.T) {
	const role = "TEST_WORKER_SANDBOX"
	if sandbox := os.Getenv(role); sandbox != "" {
		b := setup(t, func(c *process.Config) { c.Sandbox = jail.Mode(sandbox) })
		b.poll(t, b.code(t, "s.py", counting["s.py"])) // one that stays up
		b.fault(t, b.code(t, "s.sh", "#!/bin/sh\n(setsid sh -c 'setsid sleep 1000 & exec sleep 1000' &)\nexec sleep 1000\n"))
		return
	}
	for _, sandbox := range []jail.Mode{jail.ModeBwrap, jail.ModeNone} {
		dir := t.TempDir()
		worker := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$")
		worker.Env = append(os.Environ(), role+"="+string(sandbox), "TMPDIR="+dir)
		require.NoError(t, worker.Start())
		eventually(t, func() string {
			if found := survivors(t, dir); strings.Count(found, "(sleep)") < 3 {
				return "not started, but " + found
			}
			return ""
		})
		require.Contains(t, survivors(t, dir), "(python")
		require.NoError(t, worker.Process.Kill())
		killed := time.Now()
		require.Error(t, worker.Wait())
		eventually(t, func() string {
			if reapOrphans() { // the warden, at least
				return "something lives: " + survivors(t, dir)
			}
			return survivors(t, dir)
		})
		require.Less(t, time.Since(killed), 2*time.Second)
	}
}

// reapOrphans reaps what this process, a jail's, inherited from the dead worker, and says whether some of it lives.
func reapOrphans() bool {
	for {
		if pid, err := unix.Wait4(-1, nil, unix.WNOHANG, nil); err != nil || pid <= 0 {
			return err == nil
		}
	}
}

// eventually waits until there is no problem. It starts no goroutine, as those are counted.
func eventually(t *testing.T, problem func() string) {
	t.Helper()
	patience := time.After(10 * time.Second)
	for again := time.NewTicker(5 * time.Millisecond); ; {
		last := problem()
		if last == "" {
			again.Stop()
			return
		}
		select {
		case <-again.C:
		case <-patience:
			require.FailNow(t, last)
		}
	}
}

func more(what string, before, after int) string {
	if after <= before {
		return ""
	}
	return fmt.Sprintf("%d %s, %d before", after, what, before)
}

func openFiles(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	require.NoError(t, err)
	return len(entries)
}

// survivors names processes that work in a folder, or have it in their arguments, as all that run a sensor's code do,
// and zombies of this process.
func survivors(t *testing.T, cache string) string {
	t.Helper()
	processes, err := filepath.Glob("/proc/[0-9]*")
	require.NoError(t, err)
	var found []string
	for _, dir := range processes {
		cwd, _ := os.Readlink(dir + "/cwd")
		cmdline, _ := os.ReadFile(dir + "/cmdline")
		stat, _ := os.ReadFile(dir + "/stat")
		_, fields, _ := strings.Cut(string(stat), ") ")
		zombie := strings.HasPrefix(fields, "Z "+strconv.Itoa(unix.Getpid())+" ")
		if zombie || strings.HasPrefix(cwd, cache) || bytes.Contains(cmdline, []byte(cache)) {
			found = append(found, string(stat))
		}
	}
	return strings.Join(found, "; ")
}
