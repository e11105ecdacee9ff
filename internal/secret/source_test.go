package secret_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/internal/secret"
)

func newSource(t *testing.T, dir string, environ ...string) *secret.Source {
	t.Helper()
	s, err := secret.New(secret.Config{Environ: environ, Directory: dir})
	require.NoError(t, err)
	return s
}

func write(t *testing.T, path, content string) {
	t.Helper()
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
	require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
}

func TestLookup(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "token"), "from-file\n")
	write(t, filepath.Join(dir, "both"), "from-file")
	write(t, filepath.Join(dir, "lines"), "one\r\ntwo\n\r\n")
	write(t, filepath.Join(dir, "tls.key"), "-----BEGIN-----\n")
	s := newSource(t, dir, "PATH=/bin", "ATTUNE_SECRET_both=from-environment", "ATTUNE_SECRET_a=x=y=z", "ATTUNE__LOG__LEVEL=info")
	for name, want := range map[string]string{
		"token": "from-file", "both": "from-environment", "a": "x=y=z", "lines": "one\r\ntwo\n", "tls.key": "-----BEGIN-----",
	} {
		got, err := s.Lookup(name)
		require.NoError(t, err, name)
		require.Equal(t, want, got, name)
	}
}

// Kubernetes replaces a folder of secrets by moving a symbolic link.
func TestRotatedSecretTakesEffect(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "..2026_01", "token"), "first")
	write(t, filepath.Join(dir, "..2026_02", "token"), "second")
	require.NoError(t, os.Symlink("..2026_01", filepath.Join(dir, "..data")))
	require.NoError(t, os.Symlink("..data/token", filepath.Join(dir, "token")))
	s := newSource(t, dir)
	got, err := s.Lookup("token")
	require.NoError(t, err)
	require.Equal(t, "first", got)

	require.NoError(t, os.Symlink("..2026_02", filepath.Join(dir, "..new")))
	require.NoError(t, os.Rename(filepath.Join(dir, "..new"), filepath.Join(dir, "..data")))
	got, err = s.Lookup("token")
	require.NoError(t, err)
	require.Equal(t, "second", got)
}

func TestLookupRefuses(t *testing.T) {
	t.Parallel()
	outside := filepath.Join(t.TempDir(), "outside")
	write(t, outside, "hunter2hunter2")
	dir := t.TempDir()
	write(t, filepath.Join(dir, "short"), "abc\n")
	write(t, filepath.Join(dir, "blank"), "      \n")
	write(t, filepath.Join(dir, "nothing"), "\n")
	write(t, filepath.Join(dir, "long"), strings.Repeat("hunter2", 10_000))
	write(t, filepath.Join(dir, "binary"), "hunter2\xff\xfe")
	write(t, filepath.Join(dir, "folder", "token"), "hunter2")
	require.NoError(t, os.Symlink(outside, filepath.Join(dir, "escape")))
	require.NoError(t, syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o600))
	s := newSource(t, dir, "ATTUNE_SECRET_unset=", "ATTUNE_SECRET_few=abc")
	for name, want := range map[string]string{
		"none":                   `there is no secret "none": set ATTUNE_SECRET_none in the worker's environment, or write it to the file ` + dir + "/none",
		"short":                  `secret "short" (` + dir + "/short) has fewer than 4 characters",
		"blank":                  "has fewer than 4 characters",
		"nothing":                "is empty",
		"unset":                  `secret "unset" (ATTUNE_SECRET_unset) is empty`,
		"few":                    `secret "few" (ATTUNE_SECRET_few) has fewer than 4 characters`,
		"long":                   "has more than 65536 bytes",
		"binary":                 "is not UTF-8 text",
		"folder":                 "is not a regular file",
		"pipe":                   "is not a regular file",
		"escape":                 "escapes",
		"../outside":             `bad name "../outside"`,
		"folder/token":           "bad name",
		"..":                     "bad name",
		"":                       "bad name",
		".hidden":                "bad name",
		"a\nb":                   "bad name",
		strings.Repeat("x", 201): "bad name",
	} {
		_, err := s.Lookup(name)
		require.ErrorContains(t, err, want, name)
		require.NotContains(t, err.Error(), "hunter2")
	}
}

func TestLookupWithoutDirectory(t *testing.T) {
	t.Parallel()
	_, err := newSource(t, "").Lookup("TOKEN")
	require.EqualError(t, err, `there is no secret "TOKEN": set ATTUNE_SECRET_TOKEN in the worker's environment, `+
		`or point secret.directory to a folder with the file TOKEN`)

	// The folder may come later.
	dir := filepath.Join(t.TempDir(), "later")
	s := newSource(t, dir)
	_, err = s.Lookup("TOKEN")
	require.ErrorContains(t, err, "write it to the file "+dir+"/TOKEN")
	write(t, filepath.Join(dir, "TOKEN"), "value")
	_, err = s.Lookup("TOKEN")
	require.NoError(t, err)

	_, err = secret.New(secret.Config{Directory: filepath.Join(dir, "TOKEN")})
	require.ErrorContains(t, err, "is not a folder")
}
