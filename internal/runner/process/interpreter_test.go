package process_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/internal/runner/process"
	"github.com/attune-automation/sensors/internal/sensor"
)

func TestAVersionManagersShimIsAskedOnce(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	shim := filepath.Join(dir, "python3")
	writeExecutable(t, shim, "#!/bin/sh\necho >>"+dir+"/calls\nexec python3.real \"$@\"\n")
	real := filepath.Join(dir, "python3.real")
	writeExecutable(t, real, "#!/bin/sh\n[ \"$1\" = -c ] && echo $0 && exit\necho '{\"type\":\"done\"}' >&3\n")
	b := setup(t, func(c *process.Config) { c.Path = dir + ":/usr/bin:/bin" })
	req := b.code(t, "s.py", "def poll(): pass\n")
	b.poll(t, req)
	b.poll(t, req)
	calls, err := os.ReadFile(filepath.Join(dir, "calls"))
	require.NoError(t, err)
	require.Equal(t, "\n", string(calls))
}

func TestAShimThatStartsNothingIsNamed(t *testing.T) {
	t.Parallel()
	shim := filepath.Join(t.TempDir(), "python3")
	writeExecutable(t, shim, "#!/bin/sh\necho 'no version is set' >&2\nexit 127\n")
	b := setup(t, func(c *process.Config) { c.Python = shim })
	fault := b.fault(t, b.code(t, "s.py", "def poll(): pass\n"))
	require.Equal(t, sensor.FaultStart, fault.Kind)
	require.Equal(t, shim+" is a script that does not start an interpreter: correct it or set runtime.python to the interpreter itself: no version is set", fault.Message)
}
