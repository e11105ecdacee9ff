package cli_test

import (
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestASensorSeesNothingOfTheConnections runs code that looks for the files that keys and passwords are in, with the
// settings of a worker.
func TestASensorSeesNothingOfTheConnections(t *testing.T) {
	t.Parallel()
	// Not below /tmp, which no sensor sees.
	dir, err := os.MkdirTemp("/var/tmp", "hidden-test-")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		return path
	}
	pack, sockets := filepath.Join(dir, "pack"), filepath.Join(dir, "sockets")
	write("pack/pack.yaml", "ref: spy\n")
	write("pack/triggers/seen.yaml", "ref: spy.seen\n")
	write("pack/sensors/eyes.yaml", "ref: spy.eyes\ntrigger: spy.seen\nruntime: core.python3\nentrypoint: code/eyes.py\nconfig: {dir: "+dir+"}\n")
	write("pack/code/eyes.py", `
import os, socket

def poll(ctx):
    for folder, _, names in os.walk(ctx.config["dir"]):
        for name in names:
            path = os.path.join(folder, name)
            try:
                if name == "server":
                    socket.socket(socket.AF_UNIX).connect(path)
                elif "classi" "fied" not in open(path).read():
                    continue
                yield {"saw": path}
            except OSError:
                pass
`)
	require.NoError(t, os.Mkdir(sockets, 0o755))
	server, err := net.Listen("unix", filepath.Join(sockets, "server"))
	require.NoError(t, err)
	t.Cleanup(func() { server.Close() })

	open := write("open", "classified: not the worker's")
	b := newBench(t).withCode()
	b.set("HOME", filepath.Join(dir, "home"))
	b.set("TEMPORAL_CONFIG_FILE", write("temporal.toml", "# classified\n"))
	b.set("ATTUNE__DATABASE__URL", "postgres:///attune?host="+sockets+"&sslkey="+write("pg.key", "classified")+"&sslcert="+write("pg.crt", "classified"))
	b.set("ATTUNE__MESSAGE_QUEUE__URL", "amqps://broker.example/?keyfile="+write("mq.key", "classified"))
	b.set("ATTUNE__SECRET__DIRECTORY", filepath.Dir(write("secrets/TOKEN", "classified")))
	b.set("ATTUNE__LOG__SENSOR_DIRECTORY", filepath.Dir(write("logs/other.log", "classified")))
	b.set("ATTUNE__RUNTIME__HIDE", filepath.Dir(write("webhooks/tls.key", "classified")))
	b.set("PGPASSFILE", write("passwords", "classified"))
	write("home/.pgpass", "classified")
	write("home/.pg_service.conf", "classified")
	write("home/.postgresql/postgresql.key", "classified")

	got := b.try(0, pack)
	require.Equal(t, "bwrap", got.Sandbox)
	require.Len(t, got.Events, 1)
	require.Equal(t, map[string]any{"saw": open}, got.Events[0].Payload)
}

func TestSensorTestRefusesWhatCannotBeStored(t *testing.T) {
	t.Parallel()
	b := newBench(t).withCode()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"pack.yaml": "ref: odd\n", "triggers/seen.yaml": "ref: odd.seen\n",
		"sensors/cursor.yaml": "ref: odd.cursor\ntrigger: odd.seen\nruntime: core.exec\nentrypoint: code/cursor.sh\n",
		"sensors/field.yaml":  "ref: odd.field\ntrigger: odd.seen\nruntime: core.exec\nentrypoint: code/field.sh\n",
		"code/cursor.sh":      "#!/bin/sh\nprintf '%s\\n' '{\"type\":\"cursor\",\"cursor\":\"\\u0000\"}' >&3\n",
		"code/field.sh":       "#!/bin/sh\nprintf '%s\\n' '{\"type\":\"skip\",\"why\":\"no news\"}' >&3\n",
	} {
		require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o755))
	}
	require.Contains(t, b.fails(1, "sensor", "test", dir, "--sensor", "cursor"), `output: its cursor cannot be stored: byte 1: \u0000 cannot be stored`)
	require.Contains(t, b.fails(1, "sensor", "test", dir, "--sensor", "field"), `a message of type skip with an unknown field "why": it has type, reason`)
	require.Contains(t, b.fails(2, "sensor", "test", dir, "--sensor", "field", "--cursor", `"\ud800"`), `the cursor to start from cannot be stored: byte 1: \ud800 is half`)
}
