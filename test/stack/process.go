package stack

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/worker"

	"github.com/attune-automation/sensors/internal/config"
	"github.com/attune-automation/sensors/internal/logging"
	"github.com/attune-automation/sensors/internal/runner/jail"
	"github.com/attune-automation/sensors/internal/service"
)

// Variables that make a test binary a worker, and one of a kind.
const (
	asWorker    = "ATTUNE_TEST_WORKER"
	asForgetful = "ATTUNE_TEST_FORGETFUL"
)

// Tests wait for servers most of the time, so that many more of them can run at once than there are processors.
const (
	parallelFlag = "test.parallel"
	parallel     = "8"
)

// Exit codes of a worker that does not end as it should.
const (
	exitFailed   = 1
	exitOrphaned = 3
)

// Main is the TestMain of a package that starts workers in processes of their own: those are the test binary itself.
func Main(m *testing.M) {
	if jail.RunWarden(os.Args) {
		return
	}
	if os.Getenv(asWorker) != "" {
		os.Exit(work())
	}
	flag.Parse()
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == parallelFlag })
	if !given {
		if err := flag.Set(parallelFlag, parallel); err != nil {
			panic(err)
		}
	}
	os.Exit(m.Run())
}

// work is the worker's main.
func work() int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	go func() { // a test that was killed leaves no worker
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(exitOrphaned)
	}()
	if os.Getenv(asForgetful) != "" {
		worker.SetStickyWorkflowCacheSize(0)
	}
	if err := runWorker(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "worker:", err)
		return exitFailed
	}
	return 0
}

func runWorker(ctx context.Context) error {
	cfg, err := config.Load(config.Options{Environ: os.Environ()})
	if err != nil {
		return err
	}
	logger, err := logging.New(logging.Config{Level: cfg.Log.Level, Format: logging.FormatConsole, Output: os.Stderr})
	if err != nil {
		return err
	}
	return service.Run(ctx, service.Config{Settings: cfg, Logger: logger, Warden: true})
}

// Process is a worker in a process of its own.
type Process struct {
	t      testing.TB
	cmd    *exec.Cmd
	output *lines
	done   chan struct{} // closed once it has ended and its output is read
	err    error         // what it ended with
}

// StartProcess starts a worker in a process of its own; it is killed at the end of the test if it still runs. Settings
// are as for New; further variables are as a process gets them. The package's TestMain must call Main.
func (s *Stack) StartProcess(settings map[string]string, env ...string) *Process {
	s.t.Helper()
	return s.startProcess(append(assignments(settings), env...))
}

// StartForgetful is StartProcess for a worker that keeps no workflow in memory: it replays the history at every turn.
func (s *Stack) StartForgetful() *Process {
	s.t.Helper()
	return s.startProcess([]string{asForgetful + "=1"})
}

func (s *Stack) startProcess(env []string) *Process {
	s.t.Helper()
	program, err := os.Executable()
	require.NoError(s.t, err)
	output := &lines{t: s.t}
	s.t.Cleanup(output.close)
	cmd := exec.Command(program)
	cmd.Env = append(append(s.Env[:len(s.Env):len(s.Env)], env...), asWorker+"=1")
	cmd.Stdout, cmd.Stderr = output, output
	stdin, err := cmd.StdinPipe()
	require.NoError(s.t, err)
	require.NoError(s.t, cmd.Start())
	p := &Process{t: s.t, cmd: cmd, output: output, done: make(chan struct{})}
	go func() {
		defer close(p.done)
		p.err = cmd.Wait()
		_ = stdin.Close()
	}()
	s.t.Cleanup(p.Kill)
	return p
}

// Says reports whether the process has logged a text.
func (p *Process) Says(text string) bool { return p.output.contain(text) }

// Log returns what the process has logged so far.
func (p *Process) Log() []byte {
	p.output.mu.Lock()
	defer p.output.mu.Unlock()
	return bytes.Clone(p.output.said)
}

// Kill ends the process at once, as when its host loses power.
func (p *Process) Kill() {
	_ = p.cmd.Process.Kill() // it fails only if the process has ended
	<-p.done
}

// Terminate sends SIGTERM and returns the exit code and how long the process took.
func (p *Process) Terminate() (code int, took time.Duration) {
	p.t.Helper()
	begin := time.Now()
	require.NoError(p.t, p.cmd.Process.Signal(syscall.SIGTERM))
	select {
	case <-p.done:
	case <-time.After(Timeout):
		require.FailNow(p.t, "the worker does not stop", "after %s", Timeout)
	}
	var exit *exec.ExitError
	if p.err != nil && !errors.As(p.err, &exit) {
		require.NoError(p.t, p.err)
	}
	return p.cmd.ProcessState.ExitCode(), time.Since(begin)
}
