package cli_test

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
	"go.uber.org/zap"

	"github.com/attune-automation/sensors/internal/cli"
	"github.com/attune-automation/sensors/internal/config"
	"github.com/attune-automation/sensors/internal/logging"
	"github.com/attune-automation/sensors/internal/sensorlog"
	"github.com/attune-automation/sensors/workflows"
)

// withLogs gives the environment a folder of logs, and returns it with a function that writes lines a second apart, the
// last one now.
func (b *bench) withLogs() (dir string, write func(lines ...string)) {
	b.t.Helper()
	dir = filepath.Join(b.t.TempDir(), "logs")
	b.set("ATTUNE__LOG__SENSOR_DIRECTORY", dir)
	d, err := sensorlog.Open(sensorlog.Config{Dir: dir, Logger: zap.NewNop()})
	require.NoError(b.t, err)
	b.t.Cleanup(func() { require.NoError(b.t, d.Close()) })
	return dir, func(lines ...string) {
		w := d.Writer("shop.orders")
		defer w.Close()
		at := time.Now().Add(-time.Duration(len(lines)-1) * time.Second)
		for i, line := range lines {
			w.WriteLine(at.Add(time.Duration(i)*time.Second), sensorlog.SourceWarning, line)
		}
	}
}

func numbered(n int) []string {
	lines := make([]string, n)
	for i := range lines {
		lines[i] = strconv.Itoa(i)
	}
	return lines
}

func TestLogs(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	_, write := b.withLogs()
	write(append(numbered(300), "tab\tand \x1b[31mred")...)
	out := b.ok("logs", "shop.orders")
	require.Equal(t, 100, strings.Count(out, "\n"))
	require.Regexp(t, `^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z warning 201\n`, out)
	require.Contains(t, out, ` warning tab    and \x1b[31mred`+"\n")
	require.Equal(t, 2, strings.Count(b.ok("logs", "shop.orders", "-n", "2"), "\n"))
	recent := strings.Count(b.ok("logs", "shop.orders", "--since", "150s"), "\n")
	require.InDelta(t, 150, recent, 30, "all of them, not the last 100")
	require.Equal(t, 3, strings.Count(b.ok("logs", "shop.orders", "--since", "100s", "--lines", "3"), "\n"))

	lines := strings.Split(strings.TrimSpace(b.ok("logs", "shop.orders", "-n", "2", "-o", "json")), "\n")
	require.Len(t, lines, 2)
	var line map[string]any
	require.NoError(t, json.Unmarshal([]byte(lines[0]), &line))
	require.Len(t, line, 3)
	require.Equal(t, "warning", line["source"])
	require.Equal(t, "299", line["text"])
	_, err := time.Parse(time.RFC3339, line["time"].(string))
	require.NoError(t, err)
	require.Contains(t, b.ok("logs", "shop.orders", "-n", "2", "-o", "yaml"), "source: warning\ntext: \"299\"\n---\n")
}

func TestLogsOfAnotherMachine(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	dir, write := b.withLogs()
	message := b.fails(1, "logs", "shop.orders")
	require.Contains(t, message, `sensor "shop.orders" printed nothing that is kept in `+dir)
	require.Contains(t, message, "on the machines whose workers polled it")
	write("x")
	require.Contains(t, b.fails(1, "logs", "shop.orders", "--since", time.Now().Add(time.Hour).Format(time.RFC3339)),
		"printed nothing on this machine since")
	require.Contains(t, b.fails(2, "logs", "orders"), `bad ref "orders"`)
}

func TestLogsOfNoSensor(t *testing.T) {
	t.Parallel()
	b := newBench(t).withDatabase()
	b.withLogs()
	b.ok("apply", folder(t, "shop"))
	require.Contains(t, b.fails(2, "logs", "shop.order"), "did you mean shop.orders?")
	require.Contains(t, b.fails(2, "logs", "shop.order", "-f"), "did you mean shop.orders?")
	b.fails(1, "logs", "shop.orders")
}

func TestLogsSayWhereTheSensorWasPolled(t *testing.T) {
	t.Parallel()
	b := newBench(t).withTemporal()
	b.withLogs()
	here, err := os.Hostname()
	require.NoError(t, err)
	b.answerAs("shop.orders", workflows.Status{Progress: workflows.Progress{Host: "worker-7.example"}})
	b.answerAs("shop.returns", workflows.Status{Progress: workflows.Progress{Host: here}})
	require.Contains(t, b.fails(1, "logs", "shop.orders"), "it was polled last on worker-7.example: run this there")
	require.Contains(t, b.fails(1, "logs", "shop.returns"), "it was polled last here, so either it is silent")
}

// answerAs runs a workflow that says that a sensor is so, until the test ends.
func (b *bench) answerAs(ref string, status workflows.Status) {
	b.t.Helper()
	cfg, err := config.Load(config.Options{Environ: b.env, Optional: []string{"database.url", "message_queue.url"}})
	require.NoError(b.t, err)
	options, err := cfg.TemporalOptions(logging.Temporal(zap.NewNop()), nil)
	require.NoError(b.t, err)
	c, err := client.DialContext(b.ctx, options)
	require.NoError(b.t, err)
	b.t.Cleanup(c.Close)
	w := worker.New(c, ref, worker.Options{})
	run := func(ctx workflow.Context) error {
		answer := func() (workflows.Status, error) { return status, nil }
		if err := workflow.SetQueryHandler(ctx, workflows.QueryStatus, answer); err != nil {
			return err
		}
		return workflow.Await(ctx, func() bool { return false })
	}
	w.RegisterWorkflowWithOptions(run, workflow.RegisterOptions{Name: "answer"})
	require.NoError(b.t, w.Start())
	b.t.Cleanup(w.Stop)
	_, err = c.ExecuteWorkflow(b.ctx, client.StartWorkflowOptions{ID: workflows.SensorID(ref), TaskQueue: ref}, "answer")
	require.NoError(b.t, err)
}

func TestFollowedLogs(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	_, write := b.withLogs()
	ctx, interrupt := context.WithCancel(b.ctx)
	var stdout, stderr syncBuffer
	code := make(chan int, 1)
	go func() {
		code <- cli.Main(ctx, []string{"logs", "shop.orders", "-f", "-o", "json"}, cli.Env{Stdin: strings.NewReader(""), Stdout: &stdout, Stderr: &stderr, Environ: b.env})
	}()
	require.Eventually(t, func() bool { return strings.Contains(stderr.String(), "waiting for the next line") }, patience, tick)
	write("first")
	require.Eventually(t, func() bool { return strings.Contains(stdout.String(), `"text":"first"}`+"\n") }, patience, tick)
	write(numbered(200)...)
	require.Eventually(t, func() bool { return strings.Count(stdout.String(), "\n") == 201 }, patience, tick)
	interrupt()
	require.Zero(t, <-code)
}
