package jail

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestParseStat(t *testing.T) {
	t.Parallel()
	s, err := parseStat([]byte("42 (a) (b) c) Z 7 42 42 0 -1 4194304 90 0 0 0 12 34 56 78 20 0 1 0 4711 3000000 25 18446744073709551615\n"))
	require.NoError(t, err)
	require.Equal(t, stat{
		comm: "a) (b) c", state: 'Z', parent: 7, cpu: 460 * time.Millisecond, reapedCPU: 1340 * time.Millisecond,
		threads: 1, start: 4711, memory: 25 * int64(os.Getpagesize()),
	}, s)
	for _, text := range []string{"", "1 (a", "1 (a) S", ")(", "1 (a) S " + strings.Repeat("x ", 30)} {
		_, err := parseStat([]byte(text))
		require.Error(t, err, text)
	}
}

func FuzzParseStat(f *testing.F) {
	f.Add([]byte("42 (a) (b) c) Z 7 42 42 0 -1 4194304 90 0 0 0 12 34 56 78 20 0 1 0 4711 3000000 25 18446744073709551615\n"))
	f.Add([]byte(")("))
	f.Fuzz(func(t *testing.T, text []byte) {
		s, err := parseStat(text)
		if err == nil {
			require.Contains(t, string(text), s.comm)
		}
	})
}

func TestMarks(t *testing.T) {
	t.Parallel()
	self, err := thisWorker()
	require.NoError(t, err)
	host, err := openProcfs("/proc")
	require.NoError(t, err)
	m := self.newMark()
	require.NotEqual(t, m, self.newMark())
	require.Equal(t, os.Getpid(), m.workerPID())
	require.False(t, m.orphaned(self, host))

	dead := self
	dead.start++ // the same PID, another process
	require.True(t, dead.newMark().orphaned(self, host))
	dead.ns++ // of a container, perhaps
	require.False(t, dead.newMark().orphaned(self, host))

	_, ok := readMark(os.Getpid())
	require.False(t, ok)
	cmd := exec.Command("sleep", "300")
	require.NoError(t, cmd.Start())
	require.NoError(t, m.set(cmd.Process.Pid))
	got, ok := readMark(cmd.Process.Pid)
	require.True(t, ok)
	require.Equal(t, m, got)
	require.NoError(t, cmd.Process.Kill())
	require.Error(t, cmd.Wait())
}

func TestNeededMounts(t *testing.T) {
	t.Parallel()
	cover := func(path string) mount { return mount{path: path, cover: true} }
	show := func(path string) mount { return mount{path: path} }
	for name, test := range map[string]struct{ all, want []mount }{
		"what can be seen needs nothing":   {[]mount{show("/a")}, nil},
		"twice hidden":                     {[]mount{cover("/a/b"), cover("/a"), cover("/a")}, []mount{cover("/a")}},
		"shown below hidden":               {[]mount{show("/a/b/c"), cover("/a")}, []mount{cover("/a"), show("/a/b/c")}},
		"hidden below shown below hidden":  {[]mount{cover("/a/b/c"), show("/a/b"), cover("/a")}, []mount{cover("/a"), show("/a/b"), cover("/a/b/c")}},
		"shown though hidden":              {[]mount{cover("/a"), show("/a")}, []mount{cover("/a"), show("/a")}},
		"names that begin alike":           {[]mount{show("/a/b"), cover("/a-b"), cover("/a")}, []mount{cover("/a"), cover("/a-b"), show("/a/b")}},
		"to be written though visible":     {[]mount{{path: "/a", sure: true}}, []mount{{path: "/a", sure: true}}},
		"to be written below what is seen": {[]mount{{path: "/a/b", sure: true}, show("/a"), cover("/a")}, []mount{cover("/a"), show("/a"), {path: "/a/b", sure: true}}},
	} {
		require.Equal(t, test.want, needed(test.all), name)
	}
}

func TestWalk(t *testing.T) {
	t.Parallel()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	require.NoError(t, err)
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "a/b"), 0o755))
	require.NoError(t, os.Symlink("a", filepath.Join(dir, "relative")))
	require.NoError(t, os.Symlink(dir+"/relative/b", filepath.Join(dir, "absolute")))
	require.NoError(t, os.Symlink("../a/b/../../relative", filepath.Join(dir, "a/up")))
	require.NoError(t, os.Symlink("loop", filepath.Join(dir, "loop")))
	for path, links := range map[string][]string{
		"a/b": nil, "relative/b": {"relative"}, "absolute": {"absolute", "relative"}, "a/up/b": {"a/up", "relative"}, "a//./b/": nil,
	} {
		real, found, err := walk(dir + "/" + path)
		require.NoError(t, err, path)
		require.Equal(t, dir+"/a/b", real, path)
		var names []string
		for _, m := range found {
			names = append(names, strings.TrimPrefix(m.path, dir+"/"))
			target, err := os.Readlink(m.path)
			require.NoError(t, err)
			require.Equal(t, []string{"--symlink", target, m.path}, m.args)
		}
		require.Equal(t, links, names, path)
	}
	_, _, err = walk(dir + "/loop")
	require.ErrorContains(t, err, "too many symbolic links")
	_, _, err = walk(dir + "/none")
	require.ErrorIs(t, err, os.ErrNotExist)
}

// TestKernelsWithoutPidfds does what is otherwise done with them.
func TestKernelsWithoutPidfds(t *testing.T) {
	t.Parallel()
	s, err := newStarter(func() error { return nil })
	require.NoError(t, err)
	defer s.close()
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	require.NoError(t, err)
	defer null.Close()
	child, err := s.start(&spawning{
		path: "/bin/sleep", args: []string{"sleep", "300"}, files: []*os.File{null, null, null}, dir: "/",
		prepare: func(int) error { return nil },
	})
	require.NoError(t, err)
	child.close()
	child.fd = -1
	exited := child.watch()
	require.False(t, child.awaitDeath(time.Now()))
	_, _, ok := child.reap()
	require.False(t, ok)
	require.NoError(t, child.kill())
	require.True(t, await(exited, time.Now().Add(10*time.Second)))
	require.True(t, child.awaitDeath(time.Now()))
	status, _, ok := child.reap()
	require.True(t, ok)
	require.True(t, status.Signaled())
	_, _, ok = child.reap()
	require.False(t, ok)
}
