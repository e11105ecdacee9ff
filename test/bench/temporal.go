package main

import (
	"context"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/log"
	"go.uber.org/zap"

	"github.com/attune-automation/sensors/internal/logging"
)

// temporalLog has what the server of the last trial printed.
const temporalLog = ".dev/logs/bench-temporal.log"

// temporalServer is a Temporal server that serves one trial, so that what it counts and uses is the trial's.
type temporalServer struct {
	*process
	metrics string // address of its counters
}

// startTemporal starts a server as `make dev/up` does, with a database in a file, and makes it the one that the rest of
// the trial uses.
func (t *trial) startTemporal() *temporalServer {
	ports := t.freePorts(3)
	path, args := t.temporalCommand()
	output, err := os.Create(temporalLog)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, output.Close()) })
	server := &temporalServer{metrics: "http://127.0.0.1:" + ports[2] + "/metrics"}
	server.process = t.start(output, os.Environ(), path, append(args, "--ip", "127.0.0.1", "--port", ports[0],
		"--ui-port", ports[1], "--metrics-port", ports[2], "--db-filename", filepath.Join(t.TempDir(), "temporal.db"))...)
	address := "127.0.0.1:" + ports[0]
	t.Setenv("TEMPORAL_ADDRESS", address)
	t.eventually(func(ctx context.Context) error {
		c, err := client.DialContext(ctx, client.Options{HostPort: address, Logger: quiet()})
		if err == nil {
			c.Close()
		}
		return err
	})
	return server
}

// temporalCommand returns the command line of Temporal if it is installed, else the project's own server.
func (t *trial) temporalCommand() (path string, args []string) {
	path, err := exec.LookPath("temporal")
	if err != nil {
		return "bin/temporal-dev", nil
	}
	args = []string{"server", "start-dev", "--log-level", "warn"}
	settings, err := os.ReadFile("internal/devserver/dynamicconfig.txt")
	require.NoError(t, err)
	for line := range strings.Lines(string(settings)) {
		args = append(args, "--dynamic-config-value", strings.TrimSpace(line))
	}
	return path, args
}

func (t *trial) freePorts(n int) []string {
	var ports []string
	for range n {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		defer listener.Close()
		_, port, err := net.SplitHostPort(listener.Addr().String())
		require.NoError(t, err)
		ports = append(ports, port)
	}
	return ports
}

// stateWrites returns how often the server has written the state of a namespace's workflows since it started.
func (t *trial) stateWrites(s *temporalServer, namespace string) (n float64) {
	response, err := http.Get(s.metrics)
	require.NoError(t, err)
	defer response.Body.Close()
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(response.Body)
	require.NoError(t, err)
	require.Contains(t, families, "persistence_requests")
	for _, metric := range families["persistence_requests"].GetMetric() {
		switch label(metric, "operation") {
		case "CreateWorkflowExecution", "UpdateWorkflowExecution", "ConflictResolveWorkflowExecution", "SetWorkflowExecution":
			if label(metric, "namespace") == namespace {
				n += metric.GetCounter().GetValue()
			}
		}
	}
	return n
}

func label(metric *dto.Metric, name string) string {
	for _, pair := range metric.GetLabel() {
		if pair.GetName() == name {
			return pair.GetValue()
		}
	}
	return ""
}

func quiet() log.Logger { return logging.Temporal(zap.NewNop()) }
