package config

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestPrint(t *testing.T) {
	t.Parallel()
	environ := testEnviron(append(needed,
		"ATTUNE__WORKER__CACHE_DIR=/var/cache/attune", "ATTUNE__OPS__ADDRESS=", "ATTUNE__RUNTIME__PYTHON=3.13",
		"ATTUNE__SENSOR__POLL_INTERVAL=1h", "ATTUNE__SENSOR__RESTART_BACKOFF=1m30s", "ATTUNE__SENSOR__RESTART_ON_ERROR=0")...)
	c, err := Load(Options{File: writeFile(t, "config.yaml", ""), Environ: environ})
	require.NoError(t, err)
	var out strings.Builder
	require.NoError(t, c.Print(&out))

	const golden = "testdata/print.yaml"
	if *update {
		require.NoError(t, os.WriteFile(golden, []byte(out.String()), 0o600))
	}
	want, err := os.ReadFile(golden)
	require.NoError(t, err)
	require.Equal(t, string(want), out.String())
	require.NotContains(t, out.String(), "hunter2")

	again, err := Load(Options{File: golden, Environ: testEnviron(needed...)})
	require.NoError(t, err)
	require.True(t, strings.HasSuffix(again.File, "internal/config/"+golden), again.File)
	c.File, again.File, c.files, again.files = "", "", nil, nil
	require.Equal(t, c, again, "what is printed can be read, except for the secrets")
}

func TestPrintWithoutOptional(t *testing.T) {
	t.Parallel()
	c, err := Load(Options{File: writeFile(t, "config.yaml", ""), Environ: testEnviron(needed[0]),
		Optional: []string{"message_queue.url"}})
	require.NoError(t, err)
	var out strings.Builder
	require.NoError(t, c.Print(&out))
	require.Contains(t, out.String(), "message_queue:\n  url: null\n")
}
