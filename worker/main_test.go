package main

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

var environ = []string{
	"ATTUNE__DATABASE__URL=postgres://attune:hunter2@db:5432/attune",
	"ATTUNE__MESSAGE_QUEUE__URL=amqp://attune:hunter2@mq:5672/",
}

func TestPrintConfigMasksSecrets(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	require.NoError(t, run(t.Context(), []string{"--print-config", "--roles", "activities", "--queues", "gpu"}, environ, &out, &out))
	require.Contains(t, out.String(), "poll_interval: 30s")
	require.Contains(t, out.String(), "roles: [activities]")
	require.Contains(t, out.String(), "queues: [gpu]")
	require.Contains(t, out.String(), "db:5432")
	require.NotContains(t, out.String(), "hunter2")
}

func TestBadSettingsAreNamedAllAtOnce(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	bad := append(environ, "ATTUNE__SENSOR__POLL_INTERVAL=30", "ATTUNE__SENSOR__POLL_INTERVALS=30s")
	err := run(t.Context(), []string{"--roles", "cook"}, bad, &out, &out)
	for _, want := range []string{"sensor.poll_interval", "ATTUNE__SENSOR__POLL_INTERVALS", "worker.roles", "cook"} {
		require.ErrorContains(t, err, want)
	}
	require.NotContains(t, err.Error(), "hunter2")
}

func TestSecludedProcessesCannotBeReadByTheirUser(t *testing.T) {
	t.Parallel()
	require.NoError(t, seclude())
	dumpable, err := unix.PrctlRetInt(unix.PR_GET_DUMPABLE, 0, 0, 0, 0)
	require.NoError(t, err)
	require.Zero(t, dumpable)
}
