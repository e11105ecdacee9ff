package packs_test

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/internal/runner/packs"
)

func TestInterpretersAreFound(t *testing.T) {
	t.Parallel()
	b := setup(t)
	files := map[string]string{"s.py": "import os\nprint(os.path.dirname(os.__file__))", "s.mjs": "console.log(process.execPath)"}

	p := b.ready(t, b.pack(t, "s.py", files))
	library := run(t, p)
	require.True(t, slices.ContainsFunc(p.Visible, func(dir string) bool {
		_, err := filepath.Rel(dir, library)
		return err == nil && filepath.IsLocal(mustRel(t, dir, library))
	}), "%s is not below any of %s", library, p.Visible)

	p = b.ready(t, b.pack(t, "s.mjs", files))
	require.Contains(t, p.Visible, filepath.Dir(run(t, p)))
	require.Equal(t, b.dir+"/packs", filepath.Dir(p.Dir))
}

func mustRel(t *testing.T, base, target string) string {
	t.Helper()
	rel, err := filepath.Rel(base, target)
	require.NoError(t, err)
	return rel
}

func TestAVersionManagersShimIsAskedOnce(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	shim, real := filepath.Join(dir, "python3"), filepath.Join(dir, "python3.real")
	writeExecutable(t, shim, "#!/bin/sh\necho >>"+dir+"/calls\necho python is slow >&2\nexec python3.real \"$@\"\n")
	writeExecutable(t, real, "#!/bin/sh\nprintf '%s\\n' $0 3.12 real /opt/python:/\n")
	b := setup(t, func(c *packs.Config) { c.Path = dir + ":/usr/bin:/bin" })
	s := b.pack(t, "s.py", map[string]string{"s.py": ""})
	for range 3 {
		p := b.ready(t, s)
		require.Equal(t, real, p.Interpreter)
		require.Equal(t, []string{p.Dir, "/opt/python"}, p.Visible)
	}
	calls, err := os.ReadFile(filepath.Join(dir, "calls"))
	require.NoError(t, err)
	require.Equal(t, "\n", string(calls))

	newer := filepath.Join(dir, "newer")
	writeExecutable(t, newer, "#!/bin/sh\nprintf '%s\\n' $0 3.13 newer /opt/python\n")
	require.NoError(t, os.Remove(shim))
	writeExecutable(t, shim, "#!/bin/sh\nexec newer \"$@\"\n")
	require.Equal(t, newer, b.ready(t, s).Interpreter, "a shim that changed is asked again")
}

func TestInterpretersThatDoNotServe(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ content, message string }{
		"missing": {"", "interpreter \"PYTHON\" is not there: install it on the worker's machine or set runtime.python (PATH is /usr/bin:/bin, runtime.path)"},
		"fails": {"#!/bin/sh\necho 'no version is set' >&2\nexit 127\n",
			"PYTHON does not start Python: correct it or set runtime.python to the interpreter itself: no version is set"},
		"says something else": {"#!/bin/sh\necho hello\n",
			"PYTHON does not start Python: correct it or set runtime.python to the interpreter itself: hello"},
		"too old": {"#!/bin/sh\nprintf '%s\\n' $0 3.8 old /usr\n",
			"PYTHON is Python 3.8: sensors need 3.9 or newer; install it on the worker's machine and set runtime.python to it"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			python := filepath.Join(t.TempDir(), "python3")
			if test.content != "" {
				writeExecutable(t, python, test.content)
			}
			b := setup(t, func(c *packs.Config) { c.Python, c.Path = python, "/usr/bin:/bin" })
			message := b.fault(t, b.pack(t, "s.py", map[string]string{"s.py": ""}))
			require.Equal(t, test.message, replace(message, python, "PYTHON"))
		})
	}
}
