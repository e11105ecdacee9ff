package packs_test

import (
	"context"
	"errors"
	"io/fs"
	"maps"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/internal/runner/packs"
)

// refuse is a Launcher for when nothing is to be installed.
type refuse struct{}

func (refuse) Launch(context.Context, packs.Command) error {
	return errors.New("nothing is to be installed")
}

func with(files map[string]string, name, content string) map[string]string {
	files = maps.Clone(files)
	files[name] = content
	return files
}

func TestAPackGetsItsPythonPackages(t *testing.T) {
	t.Parallel()
	b := setup(t)
	files := map[string]string{
		"requirements.txt":         "# what the sensor needs\n--no-index\n--find-links ./vendor\nattune-demo-colour==1.0\n",
		"vendor/" + file("1.0"):    wheel(t, "attune_demo_colour", "1.0", "NAME = 'red'"),
		"vendor/" + file("2.0"):    wheel(t, "attune_demo_colour", "2.0", "NAME = 'blue'"),
		"s.py":                     "import attune_demo_colour as colour\ntry: from attune_demo_shade import DEPTH\nexcept ImportError: DEPTH = 0\nprint(colour.NAME, DEPTH)\n",
		"lib/pyproject.toml":       "[build-system]\nrequires = []\nbuild-backend = 'backend'\nbackend-path = ['.']\n[project]\nname = 'attune-demo-shade'\nversion = '1.0'\n",
		"lib/backend.py":           backend,
		"lib/attune_demo_shade.py": "DEPTH = 1",

		"venv.py":   "raise SystemExit('the pack got in the way of the installer')",
		"random.py": "raise SystemExit('the pack got in the way of the installer')",
	}
	s := b.pack(t, "s.py", files)
	began := time.Now()
	_, err := b.Prepare(t.Context(), s)
	require.EqualError(t, err, "installing the dependencies of pack demo")
	require.Less(t, time.Since(began), 2*time.Second, "a poll does not wait for an install")

	// Two workers with one cache, with ten sensors each, install once.
	other := setup(t, sharing(b))
	var all sync.WaitGroup
	found := make(chan string, 20)
	for range 10 {
		for _, c := range []*bundle{b, other} {
			all.Go(func() { found <- c.ready(t, s).Interpreter })
		}
	}
	all.Wait()
	p := b.ready(t, s)
	for range 20 {
		require.Equal(t, p.Interpreter, <-found)
	}
	require.Equal(t, "red 0", run(t, p, "-I"))
	require.True(t, strings.HasPrefix(p.Interpreter, b.dir+"/deps/"))
	deps := names(t, b.dir+"/deps")
	require.Len(t, deps, 1)
	require.Contains(t, p.Visible, filepath.Join(b.dir, "deps", deps[0]))
	requireReadOnly(t, filepath.Join(b.dir, "deps", deps[0], "current")+"/")

	// From now on nothing is installed, whoever asks.
	offline := setup(t, sharing(b), func(c *packs.Config) { c.Launcher = refuse{} })
	require.Equal(t, p, offline.ready(t, s))

	// What the pack did not ask for it does not get, and others do not get it either.
	plain := offline.pack(t, "s.py", map[string]string{"s.py": "import sys\nprint(sys.prefix == sys.base_prefix)", "requirements.txt": "# none\n"})
	require.Equal(t, "True", run(t, offline.ready(t, plain)))

	changed := b.pack(t, "s.py", with(files, "requirements.txt", "--no-index\n--find-links ./vendor\nattune-demo-colour\n./lib\n"))
	p = b.ready(t, changed)
	require.Equal(t, "blue 1", run(t, p, "-I"))
	require.NotContains(t, names(t, p.Dir+"/lib"), "built", "the pack's copy stays as it is")
	require.Equal(t, "red 0", run(t, b.ready(t, s), "-I"), "the old pack keeps what it has")
}

func file(version string) string { return "attune_demo_colour-" + version + "-py3-none-any.whl" }

func requireReadOnly(t *testing.T, dir string) {
	t.Helper()
	count := 0
	require.NoError(t, filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		require.NoError(t, err)
		if entry.Type().IsRegular() {
			info, err := entry.Info()
			require.NoError(t, err)
			require.Zero(t, info.Mode()&0o222, path)
			count++
		}
		return nil
	}))
	require.NotZero(t, count)
}

// backend builds a package without any tool, and leaves something beside it.
const backend = `import os, zipfile

def build_wheel(directory, config_settings=None, metadata_directory=None):
    open("built", "w").close()
    info = "attune_demo_shade-1.0.dist-info/"
    with zipfile.ZipFile(os.path.join(directory, "attune_demo_shade-1.0-py3-none-any.whl"), "w") as wheel:
        wheel.write("attune_demo_shade.py")
        wheel.writestr(info + "METADATA", "Metadata-Version: 2.1\nName: attune-demo-shade\nVersion: 1.0\n")
        wheel.writestr(info + "WHEEL", "Wheel-Version: 1.0\nGenerator: demo\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(info + "RECORD", "")
    return "attune_demo_shade-1.0-py3-none-any.whl"
`

func TestAPackageThatIsNotThereFailsTheInstall(t *testing.T) {
	t.Parallel()
	b := setup(t)
	s := b.pack(t, "s.py", map[string]string{"requirements.txt": "--no-index\nattune-demo-missing==7\n", "s.py": ""})
	failed := b.failed(t, s)
	require.Regexp(t, `^failed: installing the dependencies of pack demo: exit status 1: (?s).*No matching distribution found for attune-demo-missing==7\n?.*; tried again at 20\S+Z$`, failed.Reason)
	require.Positive(t, failed.RetryAfter)
	require.LessOrEqual(t, failed.RetryAfter, 10*time.Second)
	left := names(t, filepath.Join(b.dir, "deps", names(t, b.dir+"/deps")[0]))
	require.Equal(t, []string{"lock"}, left, "a failed install leaves nothing")
}

func TestPythonWithoutVenvIsNamed(t *testing.T) {
	t.Parallel()
	python := filepath.Join(t.TempDir(), "python3")
	writeExecutable(t, python, `#!/bin/sh
case "$*" in
*'-m venv'*) echo 'The virtual environment was not created successfully because ensurepip is not available.'; exit 1 ;;
*) printf '%s\n' $0 3.11 debian /usr ;;
esac
`)
	b := setup(t, func(c *packs.Config) { c.Python = python })
	s := b.pack(t, "s.py", map[string]string{"requirements.txt": "requests\n", "s.py": ""})
	require.Contains(t, b.failed(t, s).Reason, python+" can't make a virtual environment, which needs Python's venv and ensurepip"+
		" (on Debian: apt-get install python3-venv): exit status 1: The virtual environment was not created successfully because ensurepip is not available.")
}
