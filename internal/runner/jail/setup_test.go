package jail_test

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/attune-automation/sensors/internal/runner/jail"
)

// TestMain makes this test's processes wardens, too.
func TestMain(m *testing.M) {
	if jail.RunWarden(os.Args) {
		return
	}
	os.Exit(m.Run())
}

// patience is for what must happen, on a busy machine.
const patience = 20 * time.Second

// modes are the ways in which programs are contained; all of them hold what is promised for all.
var modes = []jail.Mode{jail.ModeBwrap, jail.ModeNone}

type bundle struct {
	*jail.Jail
	dir, temp string
	mode      jail.Mode
}

func setup(t testing.TB, mode jail.Mode, change ...func(*jail.Config)) *bundle {
	t.Helper()
	b := &bundle{dir: t.TempDir(), temp: t.TempDir(), mode: mode}
	cfg := jail.Config{Mode: mode, Temp: b.temp, Warden: true}
	for _, c := range change {
		c(&cfg)
	}
	var err error
	b.Jail, err = jail.New(cfg)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, b.Close()) })
	return b
}

// forEach runs a test in all modes.
func forEach(t *testing.T, test func(t *testing.T, b *bundle)) {
	t.Helper()
	for _, mode := range modes {
		t.Run(string(mode), func(t *testing.T) {
			t.Parallel()
			test(t, setup(t, mode))
		})
	}
}

// program is a running shell script.
type program struct {
	*jail.Process
	token string // is in its environment
	out   *bufio.Reader
	pipe  *os.File
}

// command returns a shell script, and what it writes. The script's first argument is a token, too.
func (b *bundle) command(t testing.TB, script string) (jail.Command, *program) {
	t.Helper()
	null, err := os.Open(os.DevNull)
	require.NoError(t, err)
	t.Cleanup(func() { null.Close() })
	r, w, err := os.Pipe()
	require.NoError(t, err)
	t.Cleanup(func() { r.Close() })
	t.Cleanup(func() { w.Close() })
	p := &program{token: fmt.Sprintf("token-%d-%d", os.Getpid(), time.Now().UnixNano()), out: bufio.NewReader(r), pipe: r}
	return jail.Command{
		Path: "/bin/sh", Args: []string{"/bin/sh", "-c", script, p.token, p.token}, Dir: b.dir,
		Env:   []string{"PATH=/usr/local/bin:/usr/bin:/bin", "TOKEN=" + p.token},
		Files: []*os.File{null, w, w}, Visible: []string{b.dir}, Network: true,
	}, p
}

// start starts a shell script.
func (b *bundle) start(t testing.TB, script string, change ...func(*jail.Command)) *program {
	t.Helper()
	cmd, p := b.command(t, script)
	for _, c := range change {
		c(&cmd)
	}
	var err error
	p.Process, err = b.Start(t.Context(), cmd)
	require.NoError(t, err)
	require.NoError(t, cmd.Files[1].Close())
	t.Cleanup(func() { p.Kill() })
	require.Equal(t, b.mode, p.Mode())
	return p
}

// output runs a script to its end and returns what it wrote.
func (b *bundle) output(t testing.TB, script string, change ...func(*jail.Command)) string {
	t.Helper()
	p := b.start(t, script, change...)
	p.awaitExit(t)
	require.True(t, p.Kill().Gone)
	var text bytes.Buffer
	_, err := text.ReadFrom(p.out)
	require.NoError(t, err)
	return text.String()
}

// line returns the next line that it writes.
func (p *program) line(t testing.TB) string {
	t.Helper()
	require.NoError(t, p.pipe.SetReadDeadline(time.Now().Add(patience)))
	line, err := p.out.ReadString('\n')
	require.NoError(t, err)
	return strings.TrimSuffix(line, "\n")
}

func (p *program) usage() jail.Usage {
	usage, _ := p.Look()
	return usage
}

func (p *program) leftovers() []string {
	_, leftovers := p.Look()
	return leftovers
}

func (p *program) awaitExit(t testing.TB) {
	t.Helper()
	select {
	case <-p.Exited():
	case <-time.After(patience):
		require.FailNow(t, "it does not end")
	}
}

// awaitBreach returns the breach that it must be killed for.
func (p *program) awaitBreach(t testing.TB) jail.Breach {
	t.Helper()
	select {
	case b := <-p.Breach():
		return b
	case <-time.After(patience):
		require.FailNow(t, "no limit was breached")
	}
	panic("unreachable")
}

// eventually waits until there is no problem. It starts no goroutine, as those are counted.
func eventually(t testing.TB, problem func() string) {
	t.Helper()
	end := time.After(patience)
	for again := time.NewTicker(2 * time.Millisecond); ; {
		last := problem()
		if last == "" {
			again.Stop()
			return
		}
		select {
		case <-again.C:
		case <-end:
			require.FailNow(t, last)
		}
	}
}

// survivors names the processes that have the token in their arguments or environment.
func survivors(t testing.TB, token string) string {
	t.Helper()
	var found []string
	for _, pid := range processes(t) {
		for _, file := range []string{"cmdline", "environ"} {
			text, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", pid, file))
			if err == nil && bytes.Contains(text, []byte(token)) {
				found = append(found, fmt.Sprintf("%d %s", pid, comm(pid)))
				break
			}
		}
	}
	return strings.Join(found, ", ")
}

// held says whether a process has a lock on a file.
func held(t testing.TB, path string) string {
	t.Helper()
	f, err := os.Open(path)
	require.NoError(t, err)
	defer f.Close()
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return "its lock: " + err.Error()
	}
	return ""
}

// zombies names the dead children of this process.
func zombies(t testing.TB) string {
	t.Helper()
	var found []string
	for _, pid := range children(t, "Z") {
		found = append(found, fmt.Sprintf("zombie %d %s", pid, comm(pid)))
	}
	return strings.Join(found, ", ")
}

// children returns those of this process that are in one of the states, as /proc/PID/stat has them.
func children(t testing.TB, states string) []int {
	t.Helper()
	var found []int
	for _, pid := range processes(t) {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			continue
		}
		_, rest, _ := strings.Cut(string(text), ") ")
		if len(rest) > 0 && strings.Contains(states, rest[:1]) && strings.HasPrefix(rest[1:], " "+strconv.Itoa(os.Getpid())+" ") {
			found = append(found, pid)
		}
	}
	return found
}

func comm(pid int) string {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
	return strings.TrimSpace(string(text))
}

func processes(t testing.TB) []int {
	t.Helper()
	entries, err := os.ReadDir("/proc")
	require.NoError(t, err)
	var pids []int
	for _, entry := range entries {
		if pid, err := strconv.Atoi(entry.Name()); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}

func openFiles(t testing.TB) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	require.NoError(t, err)
	return len(entries)
}

// folders names what is in the temporary folders of programs.
func (b *bundle) folders(t testing.TB) string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(b.temp, "*", "*"))
	require.NoError(t, err)
	return strings.Join(found, ", ")
}

func more(what string, before, after int) string {
	if after <= before {
		return ""
	}
	return fmt.Sprintf("%d %s, %d before", after, what, before)
}

func pipe(t testing.TB) (r, w *os.File) {
	t.Helper()
	r, w, err := os.Pipe()
	require.NoError(t, err)
	t.Cleanup(func() { r.Close() })
	t.Cleanup(func() { w.Close() })
	return r, w
}
