package packs_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/internal/runner/packs"
	"github.com/attune-automation/sensors/internal/sensor"
)

// launcher answers commands, and remembers them.
type launcher struct {
	mu       sync.Mutex
	commands []packs.Command
	answer   func(ctx context.Context, cmd packs.Command) error
}

func (l *launcher) Launch(ctx context.Context, cmd packs.Command) error {
	l.mu.Lock()
	l.commands = append(l.commands, cmd)
	l.mu.Unlock()
	return l.answer(ctx, cmd)
}

func (l *launcher) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.commands)
}

// withLauncher gives the cache a Launcher that always answers the same.
func withLauncher(answer func(context.Context, packs.Command) error) (*launcher, func(*packs.Config)) {
	l := &launcher{answer: answer}
	return l, func(c *packs.Config) { c.Launcher = l }
}

func requiring(what string) map[string]string {
	return map[string]string{"requirements.txt": what + "\n", "s.py": ""}
}

func TestAFailedInstallIsTriedAgainLater(t *testing.T) {
	t.Parallel()
	l, launcher := withLauncher(func(context.Context, packs.Command) error { return errors.New("no index") })
	b := setup(t, launcher)
	s := b.pack(t, "s.py", requiring("left"))
	for attempt, wait := range []time.Duration{10, 20, 40, 80, 160, 320, 600, 600} {
		wait *= time.Second
		failed := b.failed(t, s)
		require.Contains(t, failed.Reason, ": no index; tried again at ")
		require.InDelta(t, wait, failed.RetryAfter, float64(5*time.Second))
		require.Equal(t, attempt+1, l.count())
		b.advance(failed.RetryAfter - 5*time.Second)
		b.failed(t, s)
		require.Equal(t, attempt+1, l.count(), "not before its time")
		b.advance(5 * time.Second)
	}

	b.failed(t, s)
	before := l.count()
	files := requiring("left")
	files["more.py"] = ""
	changed := b.pack(t, "s.py", files)
	b.failed(t, changed)
	require.Equal(t, before+1, l.count(), "a changed pack is tried at once")
	b.failed(t, changed)
	b.failed(t, s)
	require.Equal(t, before+1, l.count())
}

func TestAnInstallThatFailedCanSucceed(t *testing.T) {
	t.Parallel()
	broken := true
	_, launcher := withLauncher(func(context.Context, packs.Command) error {
		if broken {
			return errors.New("no index")
		}
		return nil
	})
	b := setup(t, launcher)
	s := b.pack(t, "s.py", requiring("left"))
	failed := b.failed(t, s)
	broken = false
	b.advance(failed.RetryAfter)
	p := b.ready(t, s)
	require.Contains(t, p.Interpreter, "/current/venv/bin/python")
}

func TestAnInstallerGetsLittle(t *testing.T) {
	t.Setenv("WORKER_SECRET", "of the worker")
	l, launcher := withLauncher(func(context.Context, packs.Command) error { return nil })
	b := setup(t, launcher, func(c *packs.Config) {
		c.InstallEnv, c.Path = []string{"HTTPS_PROXY=http://proxy:3128", "HOME=/root"}, os.Getenv("PATH")
	})
	b.ready(t, b.pack(t, "s.py", requiring("left")))
	require.Len(t, l.commands, 2)
	for _, cmd := range l.commands {
		require.True(t, strings.HasPrefix(cmd.Dir, cmd.Writable+"/"))
		require.True(t, strings.HasPrefix(cmd.Writable, b.dir+"/deps/"))
		require.NotEmpty(t, cmd.Visible)
		home := filepath.Join(cmd.Writable, "home")
		require.Len(t, cmd.Env, 5)
		require.Equal(t, []string{"HOME=" + home, "TMPDIR=" + home, "LANG=C.UTF-8"}, cmd.Env[2:])
		require.Equal(t, "HTTPS_PROXY=http://proxy:3128", cmd.Env[0])
		require.True(t, strings.HasSuffix(cmd.Env[1], ":"+os.Getenv("PATH")))
	}
}

func TestCredentialsAreNotShown(t *testing.T) {
	t.Parallel()
	_, launcher := withLauncher(func(_ context.Context, cmd packs.Command) error {
		fmt.Fprintln(cmd.Output, "401 for https://user:pa55@index.example/simple and git+https://x-token@git.example/r.git, token was", strings.TrimPrefix(cmd.Env[0], "NPM_TOKEN="))
		return errors.New("exit status 1")
	})
	b := setup(t, launcher, func(c *packs.Config) { c.InstallEnv = []string{"NPM_TOKEN=s3cr3t-value"} })
	failed := b.failed(t, b.pack(t, "s.py", requiring("left")))
	require.Contains(t, failed.Reason, "exit status 1: 401 for https://***@index.example/simple and git+https://***@git.example/r.git, token was ***; tried again at")

	_, err := packs.New(packs.Config{Archives: b.archives, CacheDir: t.TempDir(), InstallEnv: []string{"=s3cr3t"}})
	require.EqualError(t, err, "InstallEnv has an entry that is not NAME=value (runtime.install_environment)")
}

// hanging is a Python whose venv module waits for ever, with a child, while a file is there.
func hanging(t *testing.T) (python, hang string) {
	t.Helper()
	dir := t.TempDir()
	python, hang = filepath.Join(dir, "python3"), filepath.Join(dir, "hang")
	writeExecutable(t, python, `#!/bin/sh
case "$*" in
*'-m venv'*)
	mkdir -p "$4/bin" && cp "$0" "$4/bin/python"
	if [ -e `+hang+` ]; then
		sleep 1000 &
		echo $$ $! >`+dir+`/tmp && mv `+dir+`/tmp `+hang+`
		wait
	fi ;;
*'-m pip'*) ;;
*) printf '%s\n' `+python+` 3.11 test `+dir+` ;;
esac
`)
	require.NoError(t, os.WriteFile(hang, nil, 0o644))
	return python, hang
}

// processes waits until the installer runs and returns the numbers of its processes.
func processes(t *testing.T, hang string) []string {
	t.Helper()
	var numbers []string
	require.Eventually(t, func() bool {
		content, err := os.ReadFile(hang)
		numbers = strings.Fields(string(content))
		return err == nil && len(numbers) == 2
	}, time.Minute, 10*time.Millisecond)
	return numbers
}

func requireGone(t *testing.T, number string) {
	t.Helper()
	require.Eventually(t, func() bool {
		content, err := os.ReadFile("/proc/" + number + "/stat")
		return err != nil || strings.Contains(string(content), ") Z ")
	}, 10*time.Second, 10*time.Millisecond)
}

func TestAnInstallThatHangsIsEnded(t *testing.T) {
	t.Parallel()
	python, hang := hanging(t)
	b := setup(t, func(c *packs.Config) { c.Python, c.InstallTimeout = python, time.Second })
	s := b.pack(t, "s.py", requiring("left"))
	require.Contains(t, b.failed(t, s).Reason, "took longer than 1s (runtime.install_timeout)")
	for _, number := range processes(t, hang) {
		requireGone(t, number)
	}
}

func TestCloseEndsInstalls(t *testing.T) {
	t.Parallel()
	python, hang := hanging(t)
	b := setup(t, func(c *packs.Config) { c.Python = python })
	s := b.pack(t, "s.py", requiring("left"))
	_, err := b.Prepare(t.Context(), s)
	require.Error(t, err)
	numbers := processes(t, hang)
	b.Close()
	for _, number := range numbers {
		requireGone(t, number)
	}
	require.NoError(t, os.Remove(hang))
	next := setup(t, sharing(b), func(c *packs.Config) { c.Python = python })
	next.ready(t, s)
}

// TestMain lets this program be the worker that TestAKilledWorkersInstallIsRepeated kills.
func TestMain(m *testing.M) {
	if python := os.Getenv("ATTUNE_TEST_PYTHON"); python != "" {
		os.Exit(installForEver(python, os.Getenv("ATTUNE_TEST_CACHE")))
	}
	os.Exit(m.Run())
}

func installForEver(python, dir string) int {
	content, err := os.ReadFile(filepath.Join(dir, "archive"))
	if err != nil {
		return 1
	}
	a := &archives{byKey: map[string][]byte{}}
	s := sensor.Sensor{PackRef: "demo", PackDigest: a.put(content), Runtime: sensor.RuntimePython, Entrypoint: "s.py"}
	c, err := packs.New(packs.Config{Archives: a, CacheDir: dir, Python: python})
	if err != nil {
		return 1
	}
	_, err = c.Prepare(context.Background(), s)
	fmt.Println(err)
	select {}
}

func TestAKilledWorkersInstallIsRepeated(t *testing.T) {
	t.Parallel()
	python, hang := hanging(t)
	b := setup(t, func(c *packs.Config) { c.Python = python })
	s := b.pack(t, "s.py", requiring("left"))
	require.NoError(t, os.WriteFile(filepath.Join(b.dir, "archive"), b.archives.byKey[s.PackDigest], 0o644))

	worker := exec.Command(os.Args[0])
	worker.Env = []string{"ATTUNE_TEST_PYTHON=" + python, "ATTUNE_TEST_CACHE=" + b.dir, "PATH=" + os.Getenv("PATH")}
	worker.Stderr = os.Stderr
	require.NoError(t, worker.Start())
	numbers := processes(t, hang)
	require.NoError(t, os.Remove(hang)) // who tries next succeeds, which may be as soon as the worker is gone
	_, err := b.Prepare(t.Context(), s)
	require.EqualError(t, err, "installing the dependencies of pack demo", "the other worker does")

	require.NoError(t, worker.Process.Kill())
	require.Error(t, worker.Wait())
	requireGone(t, numbers[0])
	p := b.ready(t, s)
	require.FileExists(t, p.Interpreter)

	// What outlived the worker writes where nobody looks.
	orphan, err := os.FindProcess(number(t, numbers[1]))
	require.NoError(t, err)
	_ = orphan.Kill()
	requireGone(t, numbers[1])
	deps := filepath.Join(b.dir, "deps", names(t, b.dir+"/deps")[0])
	require.Len(t, names(t, deps), 3, "the lock, the attempt that succeeded and its name")
}
