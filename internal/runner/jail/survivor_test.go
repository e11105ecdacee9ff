package jail_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/internal/runner/jail"
)

// tree starts 2^depth processes, each of which starts two others as $2 says and then hangs. It has an end, should nobody
// stop it.
const tree = `#!/bin/sh
[ $1 -gt 0 ] && { $2 $0 $(($1 - 1)) $2 $3 & $2 $0 $(($1 - 1)) $2 $3 & }
exec sleep 300
`

// escape does what it can to be found no more: it changes what a mark could be, in every way that the kernel has, loses its
// parents, its session, its environment, its name and its user, and runs on. Its arguments are how, and a token.
const escape = `
import ctypes, fcntl, mmap, os, resource, struct, sys, time

how, token = sys.argv[1:]
libc = ctypes.CDLL(None)

def shed():
    for limit in (1, 2), (0, 0), (1 << 40, 1 << 41), (-1, -1):
        for change in resource.setrlimit, lambda *args: resource.prlimit(0, *args):
            try:
                change(15, limit)
            except (OSError, ValueError):
                pass
        raw = ctypes.create_string_buffer(struct.pack("qq", *limit))
        for number in 302, 1 << 30 | 302, 261:  # x86-64, x32, arm64
            libc.syscall(number, 0, 15, raw, None)
        for number in 160, 1 << 30 | 160, 164:
            libc.syscall(number, 15, raw)

def shed32():  # by the calls of a 32-bit program
    page = mmap.mmap(-1, 4096, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x40, prot=7)
    at = ctypes.addressof(ctypes.c_char.from_buffer(page))
    page[2048:2056] = struct.pack("II", 1, 2)
    page[:19] = b"\x53\xb8" + struct.pack("I", 75) + b"\xbb" + struct.pack("I", 15) + b"\xb9" + struct.pack("I", at + 2048) + b"\xcd\x80\x5b"
    page[19:20] = b"\xc3"
    ctypes.CFUNCTYPE(ctypes.c_int)(at)()

def fork():
    if os.fork():
        os._exit(0)

def vanish():
    if os.getuid() == 0 and how == "user":
        try:
            os.setgid(65534), os.setuid(65534)
        except OSError:
            pass
    os.closerange(0, 100)
    os.execve(sys.executable, ["[kworker]", "-c", "import time; time.sleep(300)", token], {})

if how == "first":
    shed()
if how == "runner":
    code = open(__file__)
    fcntl.flock(code, fcntl.LOCK_EX)  # by which it is found: its PID changes too fast
    os.fork() and time.sleep(300)
    for i in range(100_000):
        i == 20 and print(flush=True)
        fork()
        os.setsid()
elif how == "subreaper":
    libc.prctl(36, 1)
    for i in range(20):
        if os.fork() == 0:
            if os.fork() == 0:
                shed(), os.setsid(), i % 2 or vanish()
            os._exit(0)
    print(flush=True)
    time.sleep(300)
else:
    fork()
    os.setsid()
    shed()
    if how == "undumpable":
        libc.prctl(4, 0)
    if how == "namespace":
        libc.unshare(0x10000000 | 0x20000000 | 0x00020000)
    if how == "32bit" and os.uname().machine == "x86_64":
        shed32()
    fork()
    shed()
    vanish()
`

// TestNothingIsLeft runs programs that do their worst. It is not parallel to anything, as it counts this process's
// goroutines, descriptors and zombies.
func TestNothingIsLeft(t *testing.T) {
	for _, test := range []struct {
		name, script string
		runs         bool   // it says so, and does not end by itself
		leaves       bool   // it ends, and what it started does not
		breach       string // the limit that it breaches
	}{
		{name: "ends", script: ":"},
		{name: "fails", script: "exit 3"},
		{name: "crashes", script: "kill -SEGV $$"},
		{name: "hangs", script: "echo; sleep 300", runs: true},
		{name: "ignores signals", script: "trap '' TERM INT HUP; echo; while :; do sleep 300; done", runs: true},
		{name: "spins", script: "echo; while :; do :; done", runs: true},
		{name: "stopped", script: "echo; kill -STOP $$", runs: true},
		{name: "a child in the background holds the pipe", script: "sleep 300 &", leaves: true},
		{name: "a stopped child", script: "sleep 300 & kill -STOP $!", leaves: true},
		{name: "a child of its own session", script: "setsid sleep 300 &", leaves: true},
		{name: "a child of its own group", script: "set -m; sleep 300 &", leaves: true},
		{name: "a daemon", script: "(setsid sh -c 'sleep 300 & exec sleep 300' &) & wait", leaves: true},
		{name: "a daemon while it runs", script: "(setsid sh -c 'sleep 300 & exec sleep 300' &) & wait; echo; sleep 300", runs: true},
		{name: "a daemon with nothing of its past", script: "(env -i setsid sh -c 'sleep 300; :' $TOKEN >/dev/null 2>&1 </dev/null &) & wait", leaves: true},
		{name: "a daemon that is dead already", script: "(setsid sh -c 'setsid true & exec true' &) & wait; sleep 0.05"},
		{name: "a storm", script: "i=0; while [ $i -lt 40 ]; do sh -c 'setsid sleep 300 & sleep 300' & i=$((i+1)); done; echo; wait", runs: true},
		{name: "a fork bomb", script: "exec ./tree 9 sh $TOKEN", breach: jail.LimitProcesses},
		{name: "a fork bomb of sessions", script: "exec ./tree 9 setsid $TOKEN", breach: jail.LimitProcesses},
		{name: "an escape after other limits", script: "exec python3 escape.py first $TOKEN", leaves: true},
		{name: "an escape in the background", script: "exec python3 escape.py later $TOKEN", leaves: true},
		{name: "an escape by 32-bit calls", script: "exec python3 escape.py 32bit $TOKEN", leaves: true},
		{name: "an escape to another user", script: "exec python3 escape.py user $TOKEN", leaves: true},
		{name: "an escape into namespaces", script: "exec python3 escape.py namespace $TOKEN", leaves: true},
		{name: "an escape that cannot be looked at", script: "exec python3 escape.py undumpable $TOKEN", leaves: true},
		{name: "a process that is never the same", script: "exec python3 escape.py runner $TOKEN", runs: true},
		{name: "another reaper", script: "exec python3 escape.py subreaper $TOKEN", runs: true},
		{name: "a folder that cannot be entered", script: "mkdir -p $HOME/a/b && touch $HOME/a/b/c && chmod 0 $HOME/a/b $HOME/a"},
	} {
		for _, mode := range modes {
			t.Run(test.name+"/"+string(mode), func(t *testing.T) {
				b := setup(t, mode)
				require.NoError(t, os.WriteFile(filepath.Join(b.dir, "tree"), []byte(tree), 0o755))
				require.NoError(t, os.WriteFile(filepath.Join(b.dir, "escape.py"), []byte(escape), 0o644))
				b.output(t, "") // what is made once is made now
				goroutines, files := runtime.NumGoroutine(), openFiles(t)

				cmd, p := b.command(t, test.script)
				cmd.Limits = jail.Limits{Processes: 150}
				var err error
				p.Process, err = b.Start(t.Context(), cmd)
				require.NoError(t, err)
				switch {
				case test.breach != "":
					require.Equal(t, test.breach, p.awaitBreach(t).Limit)
				case test.runs:
					p.line(t)
				default:
					p.awaitExit(t)
				}
				if test.leaves && mode == jail.ModeNone {
					eventually(t, func() string {
						if survivors(t, p.token) == "" {
							return "it left nothing"
						}
						return ""
					})
				}
				began := time.Now()
				end := p.Kill()
				require.Less(t, time.Since(began), 1500*time.Millisecond)
				require.True(t, end.Gone)
				require.Empty(t, survivors(t, p.token))
				require.Empty(t, held(t, filepath.Join(b.dir, "escape.py")))
				require.Empty(t, zombies(t))
				require.Empty(t, b.folders(t))
				require.Equal(t, end, p.Kill())
				p.pipe.Close()
				for _, f := range cmd.Files {
					f.Close()
				}
				eventually(t, func() string { return more("goroutines", goroutines, runtime.NumGoroutine()) })
				eventually(t, func() string { return more("descriptors", files, openFiles(t)) })
			})
		}
	}
}

func TestAForkBombIsStoppedBeforeItHurts(t *testing.T) {
	forEach(t, func(t *testing.T, b *bundle) {
		require.NoError(t, os.WriteFile(filepath.Join(b.dir, "tree"), []byte(tree), 0o755))
		p := b.start(t, "exec ./tree 10 sh $TOKEN", func(c *jail.Command) { c.Limits.Processes = 20 })
		began := time.Now()
		breach := p.awaitBreach(t)
		require.True(t, p.Kill().Gone)
		require.Less(t, time.Since(began), 2*time.Second)
		require.Equal(t, jail.LimitProcesses, breach.Limit)
		require.Less(t, breach.Used, int64(2000))
		require.Empty(t, survivors(t, p.token))
	})
}

// TestOtherChildrenAreLeftAlone has children of this process that are none of the jail's business.
func TestOtherChildrenAreLeftAlone(t *testing.T) {
	t.Parallel()
	b := setup(t, jail.ModeNone)
	var others []*exec.Cmd
	for _, attr := range []*syscall.SysProcAttr{nil, {Setpgid: true}, {Setsid: true}} {
		for _, args := range [][]string{{"sleep", "300"}, {"true"}} {
			cmd := exec.Command(args[0], args[1:]...)
			cmd.SysProcAttr = attr
			require.NoError(t, cmd.Start())
			others = append(others, cmd)
		}
	}
	for range 3 {
		p := b.start(t, "(setsid sleep 300 &) & sleep 300 & wait $!")
		p.leftovers()
		require.True(t, p.Kill().Gone)
	}
	for _, cmd := range others {
		if cmd.Args[0] == "true" {
			require.NoError(t, cmd.Wait())
			continue
		}
		require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
		require.EqualError(t, cmd.Wait(), "signal: terminated")
	}
}
