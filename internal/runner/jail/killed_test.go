package jail_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/attune-automation/sensors/internal/runner/jail"
)

// The variables of a worker that is to be killed: this test in a process of its own.
const (
	killedMode   = "TEST_WORKER_MODE"
	killedScript = "TEST_WORKER_SCRIPT"
	killedWarden = "TEST_WORKER_WARDEN"
	withWarden   = killedWarden + "=1"
	killedDir    = "TEST_WORKER_DIR"
	killedPhase  = "TEST_WORKER_PHASE"
)

// TestTheWorkerThatIsKilled is that worker, if it runs in one: it starts a script and waits for a line of it. Then it has
// nothing more to do, or starts it again and again and kills itself meanwhile.
func TestTheWorkerThatIsKilled(t *testing.T) {
	mode, dir := os.Getenv(killedMode), os.Getenv(killedDir)
	if mode == "" {
		return
	}
	require.NoError(t, unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0)) // as workers do
	b := setup(t, jail.Mode(mode), func(c *jail.Config) {
		c.Temp, c.Warden = filepath.Join(dir, "temp"), os.Getenv(killedWarden) != ""
	})
	b.dir = dir
	cmd, p := b.command(t, os.Getenv(killedScript))
	var err error
	p.Process, err = b.Start(t.Context(), cmd)
	require.NoError(t, err)
	p.line(t)
	marker := filepath.Join(dir, "marker")
	require.NoError(t, os.WriteFile(marker+".new", []byte(p.token), 0o600))
	require.NoError(t, os.Rename(marker+".new", marker))
	phase, err := time.ParseDuration(os.Getenv(killedPhase))
	if err != nil {
		select {}
	}
	time.AfterFunc(phase, func() { _ = unix.Kill(os.Getpid(), unix.SIGKILL) })
	for {
		again, err := b.Start(t.Context(), cmd)
		require.NoError(t, err)
		again.Kill()
	}
}

// killedWorker starts a worker with a script, and returns the script's token once that has written a line.
func killedWorker(t *testing.T, mode jail.Mode, dir, script string, env ...string) (worker *exec.Cmd, token string) {
	t.Helper()
	worker = exec.Command(os.Args[0], "-test.run=^TestTheWorkerThatIsKilled$")
	worker.Env = append(os.Environ(), killedMode+"="+string(mode), killedScript+"="+script, killedDir+"="+dir, "TMPDIR="+dir)
	worker.Env = append(worker.Env, env...)
	require.NoError(t, worker.Start())
	eventually(t, func() string {
		text, err := os.ReadFile(filepath.Join(dir, "marker"))
		token = string(text)
		if err != nil {
			return err.Error()
		}
		return ""
	})
	return worker, token
}

// kill kills a worker.
func kill(t *testing.T, worker *exec.Cmd) {
	t.Helper()
	require.NoError(t, worker.Process.Kill())
	require.EqualError(t, worker.Wait(), "signal: killed")
}

// upTo is what a script does until so many processes have its token as an argument, besides itself and what it looks with.
func upTo(n int) string {
	return fmt.Sprintf("while [ $(grep -ls $TOKEN /proc/[0-9]*/cmdline | wc -l) -lt %d ]; do sleep 0.01; done; echo; exec sleep 300", n+2)
}

// TestNothingOutlivesAKilledWorker is not parallel to anything: other tests start workers, which look for what was left.
func TestNothingOutlivesAKilledWorker(t *testing.T) {
	setup(t, jail.ModeNone) // makes this process the heir of those that it starts
	for _, test := range []struct{ name, script string }{
		{"a child of its own session", "setsid sh -c 'sleep 300; :' $TOKEN & " + upTo(1)},
		{"a daemon", "(setsid sh -c '(setsid sh -c \"sleep 300; :\" $TOKEN &) & exec sleep 300' $TOKEN &) & " + upTo(2)},
		{"a daemon with nothing of its past", "(env -i setsid sh -c 'sleep 300; :' $TOKEN >/dev/null 2>&1 </dev/null &) & " + upTo(1)},
		{"a stopped daemon", "(setsid sh -c 'kill -STOP $$; sleep 300' $TOKEN &) & " + upTo(1)},
		{"a child that ignores signals", "setsid sh -c 'trap \"\" TERM INT HUP; while :; do sleep 300; done' $TOKEN & " + upTo(1)},
		{"a fork bomb that grows", "setsid ./tree 9 setsid $TOKEN & echo; sleep 300"},
		{"an escape", "python3 escape.py later $TOKEN; " + upTo(1)},
		{"an escape to another user", "python3 escape.py user $TOKEN; " + upTo(1)},
		{"an escape into namespaces", "python3 escape.py namespace $TOKEN; " + upTo(1)},
		{"a process that is never the same", "exec python3 escape.py runner $TOKEN"},
		{"another reaper", "setsid python3 escape.py subreaper $TOKEN"},
	} {
		for _, mode := range modes {
			t.Run(test.name+"/"+string(mode), func(t *testing.T) {
				dir := t.TempDir()
				require.NoError(t, os.WriteFile(filepath.Join(dir, "tree"), []byte(tree), 0o755))
				require.NoError(t, os.WriteFile(filepath.Join(dir, "escape.py"), []byte(escape), 0o644))
				worker, token := killedWorker(t, mode, dir, test.script, withWarden)
				killed := time.Now()
				kill(t, worker)
				eventually(t, func() string { return survivors(t, token) + held(t, filepath.Join(dir, "escape.py")) })
				require.Less(t, time.Since(killed), 2*time.Second)
				eventually(t, func() string { return reapAll(t) })
			})
		}
	}
}

// TestNothingIsLeftOfAStart has workers killed while they start programs.
func TestNothingIsLeftOfAStart(t *testing.T) {
	setup(t, jail.ModeNone)
	for _, mode := range modes {
		for phase := range 10 {
			after := time.Duration(phase) * 3 * time.Millisecond
			worker, token := killedWorker(t, mode, t.TempDir(), "echo", withWarden, killedPhase+"="+after.String())
			require.EqualError(t, worker.Wait(), "signal: killed")
			killed := time.Now()
			eventually(t, func() string { return survivors(t, token) })
			require.Less(t, time.Since(killed), 2*time.Second)
			eventually(t, func() string { return reapAll(t) })
		}
	}
}

// TestAKilledWardenIsReplaced has it killed by what it watches.
func TestAKilledWardenIsReplaced(t *testing.T) {
	t.Run("while the jail is open", func(t *testing.T) {
		b := setup(t, jail.ModeNone)
		for range 2 {
			var warden string
			eventually(t, func() string {
				b.output(t, ":") // a program that starts while the killed one is yet to be reaped gets no other
				if warden = wardens(t); warden == "" {
					return "no warden"
				}
				return ""
			})
			b.output(t, ":")
			require.Equal(t, warden, wardens(t), "one is enough")
			b.output(t, "kill -9 "+warden)
			eventually(t, func() string { return wardens(t) })
		}
		b.output(t, ":")
	})
	require.Empty(t, wardens(t))
	require.Empty(t, zombies(t))
}

// TestTheNextWorkerEndsWhatIsLeft is for workers without a warden, or whose warden was killed.
func TestTheNextWorkerEndsWhatIsLeft(t *testing.T) {
	dir := t.TempDir()
	worker, token := killedWorker(t, jail.ModeNone, dir, "(env -i setsid sh -c 'sleep 300; :' $TOKEN &) & "+upTo(1))
	kill(t, worker)
	temp := filepath.Join(dir, "temp")
	left, err := filepath.Glob(filepath.Join(temp, "*"))
	require.NoError(t, err)
	require.NotEmpty(t, left)
	setup(t, jail.ModeNone, func(c *jail.Config) { c.Temp = temp })
	for _, dir := range left {
		require.NoDirExists(t, dir)
	}
	eventually(t, func() string { return survivors(t, token) })
}

// wardens returns the PIDs of those that are this process's children.
func wardens(t testing.TB) string {
	t.Helper()
	var found []string
	for _, pid := range children(t, "SRDT") {
		if text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid)); strings.HasPrefix(string(text), "attune-warden\x00") {
			found = append(found, strconv.Itoa(pid))
		}
	}
	return strings.Join(found, " ")
}

// reapAll reaps what this process inherited from dead workers, as an init does, and says what lives of it.
func reapAll(t testing.TB) string {
	t.Helper()
	var living []string
	for _, pid := range children(t, "SRDTZ") {
		if reaped, err := syscall.Wait4(pid, nil, syscall.WNOHANG, nil); err == nil && reaped == 0 {
			living = append(living, fmt.Sprintf("%d %s", pid, comm(pid)))
		}
	}
	return strings.Join(living, ", ")
}
