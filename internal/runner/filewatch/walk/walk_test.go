package walk

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/attune-automation/sensors/internal/runner/filewatch/glob"
)

// tree makes files, and folders whose path ends with a slash.
func tree(t *testing.T, paths ...string) string {
	t.Helper()
	root := t.TempDir()
	for _, path := range paths {
		full := filepath.Join(root, path)
		if strings.HasSuffix(path, "/") {
			require.NoError(t, os.MkdirAll(full, 0o755))
			continue
		}
		require.NoError(t, os.MkdirAll(filepath.Dir(full), 0o755))
		require.NoError(t, os.WriteFile(full, []byte(path), 0o600))
	}
	return root
}

type seen struct {
	Result
	files, folders []string
}

// walker returns one that notes below root what it sees.
func walker(t *testing.T, root string, patterns ...string) (*Walker, *seen) {
	t.Helper()
	var s seen
	below := func(path string) string { return strings.TrimPrefix(path, root+"/") }
	w := &Walker{
		MaxDirs: 1000,
		Folder:  func(path string) { s.folders = append(s.folders, below(path)) },
		File:    func(path []byte, _ File) { s.files = append(s.files, below(string(path))) },
	}
	for _, text := range patterns {
		p, err := glob.Parse(filepath.Join(root, text), true)
		require.NoError(t, err)
		w.Patterns = append(w.Patterns, p)
	}
	return w, &s
}

func (s *seen) walk(t *testing.T, w *Walker) {
	t.Helper()
	var err error
	s.Result, err = w.Walk(t.Context())
	require.NoError(t, err)
	slices.Sort(s.files)
}

func TestWalk(t *testing.T) {
	t.Parallel()
	root := tree(t, "in/a.csv", "in/a.tmp", "in/deep/er/b.csv", "in/.git/c.csv", "out/d.csv", "one.txt", "in/void/")
	require.NoError(t, unix.Mkfifo(filepath.Join(root, "in/pipe.csv"), 0o600))
	for _, c := range []struct {
		patterns []string
		want     []string
	}{
		{[]string{"in/**/*.csv"}, []string{"in/a.csv", "in/deep/er/b.csv"}},
		{[]string{"in"}, []string{"in/a.csv", "in/a.tmp", "in/deep/er/b.csv"}},
		{[]string{"one.txt", "o*/*"}, []string{"one.txt", "out/d.csv"}},
		{[]string{"in/*/*/*"}, []string{"in/deep/er/b.csv"}},
	} {
		w, s := walker(t, root, c.patterns...)
		require.NoError(t, w.Ignore.Add(".git"))
		s.walk(t, w)
		require.Equal(t, c.want, s.files, c.patterns)
	}
	w, s := walker(t, root, "in/**/er/*")
	s.walk(t, w)
	require.NotContains(t, s.folders, "out")
	require.Contains(t, s.Empty, root+"/in/void")
}

func TestAbsent(t *testing.T) {
	t.Parallel()
	root := tree(t, "one.txt")
	w, s := walker(t, root, "two.txt")
	s.walk(t, w)
	require.Len(t, s.Absent, 1)
	require.Equal(t, []string{root}, s.folders, "that it comes is seen by its folder")

	for _, text := range []string{"no/*.csv", "no/file", "one.txt/*"} {
		w, _ := walker(t, root, text)
		_, err := w.Walk(t.Context())
		var unreadable *Unreadable
		require.ErrorAs(t, err, &unreadable, text)
	}
	p, err := glob.Parse(root+"/folder/", true)
	require.NoError(t, err)
	w.Patterns = []glob.Pattern{p}
	_, err = w.Walk(t.Context())
	require.ErrorContains(t, err, "it does not exist")
}

func TestSymbolicLinks(t *testing.T) {
	t.Parallel()
	root := tree(t, "in/a/x", "other/y")
	for name, target := range map[string]string{
		"in/a/up": "..", "in/self": "self", "in/other": "../other", "in/file": "../other/y", "in/nowhere": "gone",
	} {
		require.NoError(t, os.Symlink(target, filepath.Join(root, name)))
	}
	w, s := walker(t, root, "in")
	s.walk(t, w)
	require.Equal(t, []string{"in/a/x"}, s.files)
	require.Equal(t, 5, s.Links)

	w, s = walker(t, root, "in")
	w.Follow = true
	s.walk(t, w)
	require.Equal(t, []string{"in/a/x", "in/file", "in/other/y"}, s.files)
	slices.Sort(s.Loops)
	require.Equal(t, []string{root + "/in/a/up", root + "/in/self"}, s.Loops)
}

// What cannot be read must not look as if nothing were there.
func TestUnreadable(t *testing.T) {
	t.Parallel()
	err := &Unreadable{Path: "/a\xff", Err: &os.PathError{Op: "open", Path: "/a", Err: unix.EACCES}}
	require.ErrorContains(t, err, `"/a\xff" cannot be read: permission denied: let the user of the worker (ID `)
	require.ErrorContains(t, &Unreadable{Path: "/a", Err: &os.PathError{Err: unix.ESTALE}}, "/a cannot be read: stale")

	v := visit{Walker: &Walker{}}
	require.NoError(t, v.unlessGone("/a", false, unix.ENOENT))
	for _, c := range []struct {
		base bool
		err  error
	}{{true, unix.ENOENT}, {false, unix.EACCES}, {false, unix.EIO}} {
		require.Error(t, v.unlessGone("/a", c.base, c.err))
	}
}

func TestWalkEndsWithItsContext(t *testing.T) {
	t.Parallel()
	w, _ := walker(t, tree(t, "a"), "*")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := w.Walk(ctx)
	require.ErrorIs(t, err, context.Canceled)

	w, _ = walker(t, tree(t, "a/b/", "c/"), "**")
	w.MaxDirs = 3
	_, err = w.Walk(t.Context())
	require.True(t, errors.Is(err, ErrTooMany))
}

// Folders come and go while they are visited.
func TestWalkWhileFoldersVanish(t *testing.T) {
	t.Parallel()
	root := tree(t, "keep/x")
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			dir := filepath.Join(root, "dir", string(rune('a'+i%20)))
			_ = os.MkdirAll(dir, 0o755)
			_ = os.WriteFile(filepath.Join(dir, "f"), nil, 0o600)
			if i%3 == 0 {
				_ = os.RemoveAll(filepath.Join(root, "dir"))
			}
		}
	}()
	for range 300 {
		w, s := walker(t, root, "**")
		s.walk(t, w)
		require.Contains(t, s.files, "keep/x")
	}
	close(stop)
	<-done
}
