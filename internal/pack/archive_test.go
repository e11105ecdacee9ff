package pack_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/internal/pack"
)

func TestArchive(t *testing.T) {
	t.Parallel()
	dir := writeFolder(t)
	got, err := pack.Load(dir, pack.Options{})
	require.NoError(t, err)

	sum := sha256.Sum256(got.Archive)
	require.Equal(t, hex.EncodeToString(sum[:]), got.Digest)
	require.Equal(t, map[string]archived{
		"code/lib/data.yaml":               {0o644, "a: 1"},
		"code/run.sh":                      {0o755, "#!/bin/sh\n"},
		"code/node_modules/left/index.js":  {0o644, "exports.left = 1"},
		"sensors/beside.py":                {0o644, "def poll(): pass"},
		"sensors/deeper/no-definition.yml": {0o644, "a: 1"},
	}, unpack(t, got.Archive))
}

func TestArchiveIsDeterministic(t *testing.T) {
	t.Parallel()
	first, second := writeFolder(t), writeFolder(t)
	past := time.Date(2020, 2, 3, 4, 5, 6, 0, time.UTC)
	require.NoError(t, os.Chtimes(filepath.Join(second, "code/run.sh"), past, past))
	require.NoError(t, os.Chmod(filepath.Join(second, "code/run.sh"), 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(second, "pack.yaml"), []byte("ref: other\n"), 0o600))

	a, err := pack.Load(first, pack.Options{})
	require.NoError(t, err)
	b, err := pack.Load(second, pack.Options{})
	require.NoError(t, err)
	require.Equal(t, a.Archive, b.Archive, "times, owners, the umask's bits and definitions make no difference")

	require.NoError(t, os.Chmod(filepath.Join(second, "sensors/beside.py"), 0o755))
	c, err := pack.Load(second, pack.Options{})
	require.NoError(t, err)
	require.NotEqual(t, a.Digest, c.Digest)
}

func TestSymbolicLinksAreRefused(t *testing.T) {
	t.Parallel()
	dir := writeFolder(t)
	outside := filepath.Join(t.TempDir(), "secret.py")
	require.NoError(t, os.WriteFile(outside, []byte("def poll(): pass"), 0o644))
	require.NoError(t, os.Symlink(outside, filepath.Join(dir, "code/link.py")))
	require.NoError(t, os.Symlink(filepath.Dir(outside), filepath.Join(dir, "linked")))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "triggers/t.yaml"), []byte("ref: p.t"), 0o644))
	sensor := "trigger: p.t\nruntime: core.python3\n"
	write(t, dir, "sensors/a.yaml", "ref: p.a\n"+sensor+"entrypoint: code/link.py", 0o644)
	write(t, dir, "sensors/b.yaml", "ref: p.b\n"+sensor+"entrypoint: linked/secret.py", 0o644)

	_, err := pack.Load(dir, pack.Options{})
	require.EqualError(t, err, `code/link.py: is no regular file (a symbolic link?): packs hold only files; copy it, or leave it out
linked: is no regular file (a symbolic link?): packs hold only files; copy it, or leave it out
sensors/a.yaml:4: entrypoint: "code/link.py" is not a regular file
sensors/b.yaml:4: entrypoint: there is no file "linked/secret.py" in the pack: use one of code/lib/data.yaml, code/node_modules/left/index.js, code/run.sh, sensors/beside.py, sensors/deeper/no-definition.yml`)
}

func TestArchiveLimit(t *testing.T) {
	t.Parallel()
	dir := writeFolder(t)
	write(t, dir, "code/model.bin", "", 0o644)
	require.NoError(t, os.Truncate(filepath.Join(dir, "code/model.bin"), pack.MaxUnpacked+1))
	_, err := pack.Load(dir, pack.Options{})
	require.EqualError(t, err, `.: its files have 65 MiB together: a pack has at most 64 MiB; leave out what its sensors do not need`)
}

type archived struct {
	mode    int64
	content string
}

func unpack(t *testing.T, content []byte) map[string]archived {
	t.Helper()
	zip, err := gzip.NewReader(bytes.NewReader(content))
	require.NoError(t, err)
	files := map[string]archived{}
	for in := tar.NewReader(zip); ; {
		header, err := in.Next()
		if err == io.EOF {
			return files
		}
		require.NoError(t, err)
		body, err := io.ReadAll(in)
		require.NoError(t, err)
		files[header.Name] = archived{header.Mode, string(body)}
	}
}

// writeFolder makes a pack p with no definitions, some code, and much that is no part of a pack.
func writeFolder(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	write(t, dir, "pack.yaml", "ref: p\n", 0o644)
	write(t, dir, "triggers/README.txt~", "", 0o644)
	write(t, dir, "code/lib/data.yaml", "a: 1", 0o600)
	write(t, dir, "code/run.sh", "#!/bin/sh\n", 0o755)
	write(t, dir, "code/node_modules/left/index.js", "exports.left = 1", 0o644)
	write(t, dir, "sensors/beside.py", "def poll(): pass", 0o664)
	write(t, dir, "sensors/deeper/no-definition.yml", "a: 1", 0o644)
	for _, name := range []string{
		".git/HEAD", ".env", "code/.run.sh.swp", "code/#run.sh#", "code/run.sh~", "code/__pycache__/x.pyc", "code/y.pyc", "x.tmp",
		"tests/door.json", "tests/pictures/door.jpeg",
	} {
		write(t, dir, name, "never part of a pack", 0o644)
	}
	return dir
}

func write(t *testing.T, dir, name, content string, mode os.FileMode) {
	t.Helper()
	path := filepath.Join(dir, name)
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(t, os.WriteFile(path, []byte(content), 0o644))
	require.NoError(t, os.Chmod(path, mode))
}
