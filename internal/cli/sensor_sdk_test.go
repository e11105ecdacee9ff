package cli_test

import (
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// What is written runs a new sensor without a worker.
func TestSensorSDK(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.env = nil
	dir := filepath.Join(t.TempDir(), "house")
	b.ok("sensor", "new", "door", "--runtime", "python3", "--dir", dir)
	b.ok("sensor", "new", "window", "--runtime", "nodejs", "--dir", dir)
	require.Contains(t, b.ok("sensor", "sdk", filepath.Join(dir, ".sdk")), "wrote the SDKs to "+filepath.Join(dir, ".sdk"))

	for _, words := range [][]string{
		{"python3", "-m", "attune_sensor", "run", "code/door.py"},
		{"node", ".sdk/attune_sensor.mjs", "run", "code/window.mjs"},
	} {
		cmd := exec.CommandContext(b.ctx, words[0], append(words[1:], "--config", `{"limit": 2}`, "--cursor", "1")...)
		cmd.Dir = dir
		cmd.Env = append(cmd.Environ(), "PYTHONPATH=.sdk")
		out, err := cmd.Output()
		require.NoError(t, err, "%v: %s", words, out)
		require.Contains(t, string(out), `item 3`)
		require.NotContains(t, string(out), `item 1`)
	}
	require.Contains(t, b.fails(2, "sensor", "sdk", t.TempDir()+"/\x00"), "invalid argument")
}
