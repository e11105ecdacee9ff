package jail_test

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/attune-automation/sensors/internal/runner/jail"
)

func TestHowAProgramEnded(t *testing.T) {
	t.Parallel()
	forEach(t, func(t *testing.T, b *bundle) {
		for script, want := range map[string]jail.Ending{
			":":             {},
			"exit 3":        {Code: 3},
			"kill -SEGV $$": {Signal: syscall.SIGSEGV},
			"kill -KILL $$": {Signal: syscall.SIGKILL},
		} {
			p := b.start(t, script)
			p.awaitExit(t)
			end := p.Kill()
			want.Gone, want.Started, want.Usage = true, true, end.Usage
			require.Equal(t, want, end, script)
		}
		p := b.start(t, "echo; sleep 300")
		p.line(t)
		require.Equal(t, syscall.SIGKILL, p.Kill().Signal)
		<-p.Exited()
	})
}

func TestProgramsThatCannotBeRun(t *testing.T) {
	t.Parallel()
	forEach(t, func(t *testing.T, b *bundle) {
		for name, test := range map[string]struct {
			content string
			mode    os.FileMode
			want    error
		}{
			"missing":        {want: syscall.ENOENT},
			"no-interpreter": {content: "#!/nowhere/python -u\n", mode: 0o755, want: syscall.ENOENT},
			"no-first-line":  {content: "echo hello\n", mode: 0o755, want: syscall.ENOEXEC},
			"empty":          {mode: 0o755, want: syscall.ENOEXEC},
			"not-executable": {content: "#!/bin/sh\n", mode: 0o644, want: syscall.EACCES},
		} {
			path := filepath.Join(b.dir, name)
			if test.mode != 0 {
				require.NoError(t, os.WriteFile(path, []byte(test.content), test.mode))
			}
			cmd, _ := b.command(t, "")
			cmd.Path = path
			_, err := b.Start(t.Context(), cmd)
			require.ErrorIs(t, err, test.want, name)
			require.ErrorContains(t, err, path)
		}
		cmd, _ := b.command(t, "")
		cmd.Path = b.dir
		_, err := b.Start(t.Context(), cmd)
		require.ErrorIs(t, err, syscall.EACCES)
		require.Empty(t, b.folders(t))
	})
}

func TestAProgramThatBwrapCannotRun(t *testing.T) {
	t.Parallel()
	b := sandbox(t)
	// Machine code whose loader is not there.
	content, err := os.ReadFile("/bin/sh")
	require.NoError(t, err)
	path := filepath.Join(b.dir, "broken")
	require.NoError(t, os.WriteFile(path, bytes.Replace(content, []byte("/ld-"), []byte("/no-"), 1), 0o755))
	p := b.start(t, "", func(c *jail.Command) { c.Path = path })
	p.awaitExit(t)
	require.False(t, p.Kill().Started)
	require.Contains(t, p.line(t), "bwrap: execvp")
}

func TestASandboxThatCannotBeMade(t *testing.T) {
	t.Parallel()
	b := sandbox(t)
	cmd, p := b.command(t, "")
	cmd.Writable = []string{"/proc/self/fd"} // the sandbox has a /proc of its own
	_, err := b.Start(t.Context(), cmd)
	require.ErrorContains(t, err, "preparing the sandbox of /bin/sh: bwrap: ")
	require.Empty(t, survivors(t, p.token))

	cmd.Writable, cmd.Visible = nil, nil
	_, err = b.Start(t.Context(), cmd)
	require.EqualError(t, err, b.dir+" is hidden from the program that needs it")

	cmd.Dir = filepath.Join(b.dir, "nowhere")
	_, err = b.Start(t.Context(), cmd)
	require.ErrorContains(t, err, "there is no such folder")

	cmd.Dir, cmd.Visible = "/", []string{filepath.Join(b.dir, "nowhere")}
	_, err = b.Start(t.Context(), cmd)
	require.ErrorIs(t, err, os.ErrNotExist)
	require.ErrorContains(t, err, "nowhere")
}

func TestCommandsThatMakeNoSense(t *testing.T) {
	t.Parallel()
	b := setup(t, jail.ModeNone)
	for want, change := range map[string]func(*jail.Command){
		`path "sh" of the program`:  func(c *jail.Command) { c.Path = "sh" },
		"no Args":                   func(c *jail.Command) { c.Args = nil },
		"2 Files":                   func(c *jail.Command) { c.Files = c.Files[:2] },
		`sandbox "docker": must be`: func(c *jail.Command) { c.Mode = "docker" },
	} {
		cmd, _ := b.command(t, "")
		change(&cmd)
		_, err := b.Start(t.Context(), cmd)
		require.ErrorContains(t, err, want)
	}
}

func TestAStartThatIsCancelledLeavesNothing(t *testing.T) {
	t.Parallel()
	b := sandbox(t)
	for after := range 20 { // before, while and after the sandbox is made
		ctx, cancel := context.WithTimeout(t.Context(), time.Duration(after)*500*time.Microsecond)
		cmd, p := b.command(t, "sleep 300")
		started, err := b.Start(ctx, cmd)
		if err == nil {
			started.Kill()
		} else {
			require.ErrorIs(t, err, context.DeadlineExceeded)
		}
		cancel()
		require.Empty(t, survivors(t, p.token))
	}
}

func TestTheWishesOfSensors(t *testing.T) {
	t.Parallel()
	missing := func(c *jail.Config) { c.Bwrap = "/nowhere/bwrap" }
	for _, test := range []struct {
		worker  jail.Mode
		without bool // bwrap
		wish    jail.Mode
		offline bool
		want    jail.Mode
		refusal string
	}{
		{worker: jail.ModeAuto, want: jail.ModeBwrap},
		{worker: jail.ModeAuto, wish: jail.ModeAuto, want: jail.ModeBwrap},
		{worker: jail.ModeAuto, wish: jail.ModeNone, want: jail.ModeNone},
		{worker: jail.ModeAuto, wish: jail.ModeNone, offline: true, refusal: "`network: none` needs a sandbox: remove `sandbox: none`"},
		{worker: jail.ModeAuto, wish: jail.ModeBwrap, offline: true, want: jail.ModeBwrap},
		{worker: jail.ModeBwrap, wish: jail.ModeNone, want: jail.ModeBwrap},
		{worker: jail.ModeBwrap, wish: jail.ModeNone, offline: true, want: jail.ModeBwrap},
		{worker: jail.ModeNone, want: jail.ModeNone},
		{worker: jail.ModeNone, wish: jail.ModeBwrap, refusal: "`sandbox: bwrap`, and bwrap does not work on this worker: runtime.sandbox is none"},
		{worker: jail.ModeNone, offline: true, refusal: "`network: none` needs bwrap, which does not work on this worker: runtime.sandbox is none"},
		{worker: jail.ModeAuto, without: true, want: jail.ModeNone},
		{worker: jail.ModeAuto, without: true, wish: jail.ModeBwrap, refusal: "/nowhere/bwrap"},
		{worker: jail.ModeAuto, without: true, offline: true, refusal: "install bubblewrap"},
	} {
		change := func(*jail.Config) {}
		if test.without {
			change = missing
		}
		b := setup(t, test.worker, change)
		cmd, _ := b.command(t, ":")
		cmd.Mode, cmd.Network = test.wish, !test.offline
		p, err := b.Start(t.Context(), cmd)
		if test.refusal != "" {
			var refusal *jail.Refusal
			require.ErrorAs(t, err, &refusal, test)
			require.ErrorContains(t, err, test.refusal)
			continue
		}
		require.NoError(t, err, test)
		p.Kill()
		require.Equal(t, test.want, p.Mode(), test)
	}
}

func TestWorkersWithoutBwrap(t *testing.T) {
	t.Parallel()
	// A bwrap that is there, but that the machine does not let make namespaces.
	broken := filepath.Join(t.TempDir(), "bwrap")
	require.NoError(t, os.WriteFile(broken, []byte("#!/bin/sh\n[ $1 = --help ] && exec bwrap --help\necho 'bwrap: No permissions to create new namespace' >&2\nexit 1\n"), 0o755))
	for command, reason := range map[string]string{"/nowhere/bwrap": "no such file", broken: "bwrap: No permissions to create new namespace"} {
		_, err := jail.New(jail.Config{Mode: jail.ModeBwrap, Bwrap: command, Temp: t.TempDir()})
		require.ErrorContains(t, err, "runtime.sandbox is bwrap, and that does not work here")
		require.ErrorContains(t, err, reason)
		require.ErrorContains(t, err, "runtime.sandbox: none")

		core, logs := observer.New(zap.WarnLevel)
		b := setup(t, jail.ModeAuto, func(c *jail.Config) { c.Bwrap, c.Logger = command, zap.New(core) })
		require.Equal(t, jail.ModeNone, b.Mode())
		require.ErrorContains(t, b.Reason(), reason)
		said := logs.FilterMessageSnippet("without a sandbox, as bwrap does not work").All() // others kill workers meanwhile
		require.Len(t, said, 1)
		require.Contains(t, said[0].ContextMap()["error"], reason)
	}
}

func TestConfigurationsThatMakeNoSense(t *testing.T) {
	t.Parallel()
	for want, cfg := range map[string]jail.Config{
		`runtime.sandbox "docker"`: {Mode: "docker"},
		`hidden path "secrets"`:    {Hidden: []string{"secrets"}},
		`hidden path "/"`:          {Hidden: []string{"/"}},
		"not a directory":          {Mode: jail.ModeNone, Temp: "/dev/null"},
	} {
		_, err := jail.New(cfg)
		require.ErrorContains(t, err, want)
	}
}

func TestWhereTracingIsForbidden(t *testing.T) {
	t.Parallel()
	forEach(t, func(t *testing.T, b *bundle) {
		b.ForbidTracing()
		require.Equal(t, "33\n", b.output(t, "sleep 0.1; ulimit -n", func(c *jail.Command) { c.Limits.OpenFiles = 33 }))
		p := b.start(t, "sleep 0.1; (env -i setsid sh -c 'sleep 300; :' $TOKEN &) & echo; sleep 300")
		p.line(t)
		require.True(t, p.Kill().Gone)
		require.Empty(t, survivors(t, p.token))
	})
}

// TestAsAnOrdinaryUser runs the other tests again, as a user that has no rights.
func TestAsAnOrdinaryUser(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		return // they run as one
	}
	dir := elsewhere(t)
	require.NoError(t, os.Chmod(dir, 0o777))
	program, err := os.ReadFile(os.Args[0])
	require.NoError(t, err)
	path := filepath.Join(dir, "jail.test")
	syscall.ForkLock.RLock() // a process that another test starts must not have the file open for writing
	err = os.WriteFile(path, program, 0o755)
	syscall.ForkLock.RUnlock()
	require.NoError(t, err)
	tests := "TestNothing|TestAKilled|TestOther|TestWhat|TestIt|TestThe|TestOnly|TestLimits|TestUsage|TestHow|TestPrograms"
	cmd := exec.Command(path, "-test.run", tests)
	cmd.Dir = dir
	cmd.Env = []string{"PATH=/usr/local/bin:/usr/bin:/bin", "TMPDIR=" + dir, "HOME=" + dir}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
	require.Contains(t, strings.TrimSpace(string(out)), "PASS")
}
