package setup_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/internal/config"
	"github.com/attune-automation/sensors/internal/runner/setup"
	"github.com/attune-automation/sensors/internal/size"
)

func TestProcesses(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "config.yaml")
	require.NoError(t, os.WriteFile(file, []byte("secret: {directory: /run/secrets}\nruntime: {hide: [/srv/keys], memory: 1GiB}\n"), 0o600))
	environ := []string{
		"TEMPORAL_CONFIG_FILE=/nowhere", "PATH=/bin", "ATTUNE__WORKER__CACHE_DIR=/var/cache/attune", "HTTPS_PROXY=http://proxy",
		"ATTUNE_SECRET_TOKEN=tr0ub4dor",
	}
	cfg, err := config.Load(config.Options{File: file, Environ: environ, Optional: []string{"database.url", "message_queue.url"}})
	require.NoError(t, err)
	got, err := setup.Processes(cfg, environ)
	require.NoError(t, err)
	require.Subset(t, got.Hidden, []string{"/srv/keys", file, "/nowhere", "/run/secrets", "/var/cache/attune/logs"})
	require.Equal(t, []string{"HTTPS_PROXY=http://proxy"}, got.InstallEnv, "and no secret, no password")
	require.Equal(t, "/bin", got.Path)
	require.Equal(t, size.GiB, got.Limits.Memory)
	value, err := got.Secrets.Lookup("TOKEN")
	require.NoError(t, err)
	require.Equal(t, "tr0ub4dor", value)
}
