package jail_test

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/internal/runner/jail"
)

func TestTheEnvironmentIsExactlyWhatWasGiven(t *testing.T) {
	t.Parallel()
	forEach(t, func(t *testing.T, b *bundle) {
		var token string
		got := b.output(t, "tr '\\0' '\\n' </proc/$$/environ", func(c *jail.Command) {
			token = c.Args[3]
			c.Env = append(c.Env, "HOME=/elsewhere", "PWD=/elsewhere", "EMPTY=")
		})
		lines := strings.Split(strings.TrimSpace(got), "\n")
		require.Len(t, lines, 6, got)
		require.Equal(t, []string{"PATH=/usr/local/bin:/usr/bin:/bin", "TOKEN=" + token, "EMPTY="}, lines[:3])
		home, ok := strings.CutPrefix(lines[3], "HOME=")
		require.True(t, ok, got)
		require.Equal(t, []string{"TMPDIR=" + home, "PWD=" + b.dir}, lines[4:])
		if b.mode == jail.ModeBwrap {
			require.Equal(t, "/tmp", home)
		} else {
			require.True(t, strings.HasPrefix(home, b.temp+"/"), home)
		}
	})
}

func TestOnlyTheGivenFilesReachTheProgram(t *testing.T) {
	t.Parallel()
	forEach(t, func(t *testing.T, b *bundle) {
		const list = "ls /proc/$$/fd"
		require.Equal(t, "0\n1\n2\n", b.output(t, list))
		got := b.output(t, list+"; echo hello >&4", func(c *jail.Command) { c.Files = append(c.Files, c.Files[0], c.Files[1]) })
		require.Equal(t, "0\n1\n2\n3\n4\nhello\n", got)
	})
}

func TestItsTemporaryFolderIsItsOwn(t *testing.T) {
	t.Parallel()
	forEach(t, func(t *testing.T, b *bundle) {
		const script = "ls -A $HOME; echo x >$TMPDIR/mine && cat $HOME/mine"
		for range 2 {
			require.Equal(t, "x\n", b.output(t, script, func(c *jail.Command) { c.Dir, c.Visible = "/", nil }))
		}
		require.Empty(t, b.folders(t))
	})
}

// sandbox starts scripts in bwrap.
func sandbox(t *testing.T, hidden ...string) *bundle {
	t.Helper()
	return setup(t, jail.ModeBwrap, func(c *jail.Config) { c.Hidden = hidden })
}

func TestWhatIsHidden(t *testing.T) {
	t.Parallel()
	// The usual place of temporary folders is hidden in any case.
	dir := elsewhere(t)
	for path, text := range map[string]string{
		"worker/config.yaml": "password", "worker/secrets/token": "password", "worker/cache/pack/code.py": "code",
		"worker/cache/pack/private/key": "password", "plain.yaml": "password", "open.txt": "open", "versions/2/run": "run",
	} {
		require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(dir, path)), 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(dir, path), []byte(text+"\n"), 0o644))
	}
	require.NoError(t, os.Symlink("../versions/2", filepath.Join(dir, "worker/current")))
	require.NoError(t, os.Symlink(filepath.Join(dir, "worker/secrets"), filepath.Join(dir, "linked")))
	in := func(path string) string { return filepath.Join(dir, path) }
	b := sandbox(t, in("worker"), in("plain.yaml"), in("linked"), in("worker/cache/pack/private"), in("nowhere"))

	script := "cd " + dir + `
for f in worker/config.yaml worker/secrets/token linked/token plain.yaml worker/cache/pack/private/key; do
	cat $f 2>/dev/null && echo read $f; done
cat open.txt worker/cache/pack/code.py worker/current/run; ls worker worker/cache
for f in open.txt worker/x worker/cache/pack/code.py worker/cache/pack/x worker/current/run x; do
	echo x 2>/dev/null >>$f && echo wrote $f; done
echo x >>$0 && cat $0`
	got := b.output(t, script, func(c *jail.Command) {
		written := in("worker/data")
		require.NoError(t, os.WriteFile(written, nil, 0o644))
		c.Visible = append(c.Visible, in("worker/cache/pack"), in("worker/current"), in("open.txt"))
		c.Writable = []string{written}
		c.Args[3] = written
	})
	require.Equal(t, "open\ncode\nrun\nworker:\ncache\ncurrent\ndata\n\nworker/cache:\npack\nx\n", got)
	text, err := os.ReadFile(in("worker/data"))
	require.NoError(t, err)
	require.Equal(t, "x\n", string(text))
}

func TestItCannotChangeTheMachine(t *testing.T) {
	t.Parallel()
	b := sandbox(t)
	got := b.output(t, `
for f in $PWD/x /x /etc/x /var/tmp/x /run/x /dev/x /proc/sys/kernel/core_pattern /proc/sys/kernel/hostname /proc/sysrq-trigger /proc/1/oom_score_adj /sys/kernel/x; do
	(echo x >>$f) 2>/dev/null && echo wrote $f
done
unshare -U true 2>/dev/null && echo namespace
grep -h '^Cap\|^NoNewPrivs' /proc/self/status
echo x >/tmp/x && echo x >/dev/shm/x && echo x >/dev/null && head -c 1 /dev/zero | wc -c`)
	none := "0000000000000000"
	require.Equal(t, fmt.Sprintf("CapInh:\t%s\nCapPrm:\t%s\nCapEff:\t%s\nCapBnd:\t%s\nCapAmb:\t%s\nNoNewPrivs:\t1\n1\n", none, none, none, none, none), got)
}

func TestItsTemporaryFolderHasASize(t *testing.T) {
	t.Parallel()
	b := sandbox(t)
	got := b.output(t, "for d in /tmp /dev/shm; do stat -fc '%b %S' $d; done", func(c *jail.Command) { c.Limits.Memory = 80 << 20 })
	require.Equal(t, "20480 4096\n20480 4096\n", got)
}

func TestItSeesNoOtherProcesses(t *testing.T) {
	t.Parallel()
	b := sandbox(t)
	got := b.output(t, fmt.Sprintf("for p in /proc/[0-9]*; do echo ${p##*/}; done; echo $$; kill -0 %d 2>/dev/null || echo none", os.Getpid()))
	require.Equal(t, "1\n2\n2\nnone\n", got)
}

func TestTheNetwork(t *testing.T) {
	t.Parallel()
	b := sandbox(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { listener.Close() })
	port := listener.Addr().(*net.TCPAddr).Port
	script := fmt.Sprintf("(echo >/dev/tcp/127.0.0.1/%d) 2>/dev/null && echo connected; tail -n +3 /proc/net/dev | cut -d: -f1 | tr -d ' '", port)
	bash := func(c *jail.Command) {
		path, err := exec.LookPath("bash")
		require.NoError(t, err)
		c.Path = path
	}
	require.Contains(t, b.output(t, script, bash), "connected\n")
	require.Equal(t, "lo\n", b.output(t, script, bash, func(c *jail.Command) { c.Network = false }))
}

// elsewhere returns a folder that is not below /tmp.
func elsewhere(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/var/tmp", "jail-test-")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	return dir
}
