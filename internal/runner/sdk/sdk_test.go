package sdk_test

import (
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/internal/runner/sdk"
)

func TestTheCacheHealsItself(t *testing.T) {
	t.Parallel()
	parent := t.TempDir()
	cache, err := sdk.New(parent)
	require.NoError(t, err)
	require.Equal(t, parent, filepath.Dir(cache.Dir()))
	for name, file := range map[string]func() (string, error){"attune_sensor.py": cache.Python, "attune_sensor.mjs": cache.Node} {
		path, err := file()
		require.NoError(t, err)
		require.Equal(t, filepath.Join(cache.Dir(), name), path)
		whole, err := os.ReadFile(path)
		require.NoError(t, err)
		info, err := os.Stat(path)
		require.NoError(t, err)
		require.Equal(t, os.FileMode(0o444), info.Mode())

		for what, spoil := range map[string]func() error{
			"the folder is gone":  func() error { return os.RemoveAll(parent) },
			"the file is gone":    func() error { return os.Remove(path) },
			"the file is another": func() error { return os.Rename(filepath.Join(cache.Dir(), "package.json"), path) },
		} {
			_, err := sdk.New(parent)
			require.NoError(t, err)
			require.NoError(t, spoil(), what)
			again, err := file()
			require.NoError(t, err, what)
			require.Equal(t, path, again)
			content, err := os.ReadFile(path)
			require.NoError(t, err)
			require.Equal(t, whole, content, what)
		}
	}
}

func TestWorkersShareACache(t *testing.T) {
	t.Parallel()
	parent := t.TempDir()
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			_, err := sdk.New(parent)
			require.NoError(t, err)
		})
	}
	all.Wait()
	folders, err := os.ReadDir(parent)
	require.NoError(t, err)
	require.Len(t, folders, 1)
	files, err := os.ReadDir(filepath.Join(parent, folders[0].Name()))
	require.NoError(t, err)
	require.Len(t, files, 4, "no leftovers")
}

func TestNewNeedsAFolderThatItCanWrite(t *testing.T) {
	t.Parallel()
	_, err := sdk.New("/proc/nowhere")
	require.ErrorContains(t, err, "installing the SDKs: mkdir /proc/nowhere")
}

func TestWriteReplacesItsOwnAndNothingElse(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "new", "sdk")
	require.NoError(t, sdk.Write(dir))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "attune_sensor.py"), []byte("old"), 0o644))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "mine.py"), []byte("mine"), 0o644))
	require.NoError(t, sdk.Write(dir))
	content, err := os.ReadFile(filepath.Join(dir, "attune_sensor.py"))
	require.NoError(t, err)
	require.Contains(t, string(content), "class Context")
	require.FileExists(t, filepath.Join(dir, "mine.py"))

	project := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(project, "package.json"), []byte(`{"name": "my-pack"}`), 0o644))
	require.ErrorContains(t, sdk.Write(project), "package.json belongs to something else: name a folder of its own")
	require.NoFileExists(t, filepath.Join(project, "attune_sensor.py"))
}
