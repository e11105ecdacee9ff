package main

import (
	"context"
	"log/slog"
	"os"
	"path"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
	"go.temporal.io/server/common/testing/freeport"
)

const workflows = 50

// BenchmarkLoop counts the cycles a second that a server sustains, a cycle being three calls of an activity
// that does nothing, in 50 workflows at once: with regular activities and with local ones. A server that
// TEMPORAL_ADDRESS names, say one on PostgreSQL, is measured beside our own.
func BenchmarkLoop(b *testing.B) {
	if address := os.Getenv("TEMPORAL_ADDRESS"); address != "" {
		b.Run(address, func(b *testing.B) { loops(b, address) })
	}
	b.Run("own", func(b *testing.B) { loops(b, serve(b)) })
}

func loops(b *testing.B, address string) {
	c, err := client.Dial(client.Options{HostPort: address, Logger: log.NewStructuredLogger(slog.New(slog.DiscardHandler))})
	require.NoError(b, err)
	defer c.Close()
	w := worker.New(c, b.Name(), worker.Options{})
	w.RegisterWorkflow(cycles)
	w.RegisterActivity(nothing)
	require.NoError(b, w.Start())
	defer w.Stop()

	for _, kind := range []string{"regular", "local"} {
		b.Run(kind, func(b *testing.B) {
			options := client.StartWorkflowOptions{TaskQueue: path.Dir(b.Name())}
			runAll(b, c, options, 1, kind == "local")
			b.ResetTimer()
			done := runAll(b, c, options, max(b.N/workflows, 1), kind == "local")
			b.ReportMetric(float64(done)/b.Elapsed().Seconds(), "cycles/s")
		})
	}
}

// runAll waits for workflows of count cycles each, and returns the number of cycles altogether.
func runAll(b *testing.B, c client.Client, options client.StartWorkflowOptions, count int, local bool) int {
	runs := make([]client.WorkflowRun, workflows)
	for i := range runs {
		var err error
		runs[i], err = c.ExecuteWorkflow(b.Context(), options, cycles, count, local)
		require.NoError(b, err)
	}
	for _, run := range runs {
		require.NoError(b, run.Get(b.Context(), nil))
	}
	return workflows * count
}

func cycles(ctx workflow.Context, count int, local bool) error {
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{StartToCloseTimeout: time.Minute})
	ctx = workflow.WithLocalActivityOptions(ctx, workflow.LocalActivityOptions{StartToCloseTimeout: time.Minute})
	execute := func() workflow.Future { return workflow.ExecuteActivity(ctx, nothing) }
	if local {
		execute = func() workflow.Future { return workflow.ExecuteLocalActivity(ctx, nothing) }
	}
	for range 3 * count {
		if err := execute().Get(ctx, nil); err != nil {
			return err
		}
	}
	return nil
}

func nothing(context.Context) error { return nil }

// serve runs a server of our own until the benchmark ends, and returns its address.
func serve(b *testing.B) string {
	s := settings{
		ip:          "127.0.0.1",
		port:        freeport.MustGetFreePort(),
		metricsPort: freeport.MustGetFreePort(),
		database:    filepath.Join(b.TempDir(), "temporal.db"),
	}
	instance, err := newServer(s)
	require.NoError(b, err)
	require.NoError(b, instance.Start())
	b.Cleanup(func() { require.NoError(b, instance.Stop()) })
	return s.address(s.port)
}
