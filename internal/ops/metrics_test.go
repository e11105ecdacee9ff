package ops

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	dto "github.com/prometheus/client_model/go"
	"github.com/stretchr/testify/require"
)

func TestMetricsScrape(t *testing.T) {
	t.Parallel()
	m, err := NewMetrics()
	require.NoError(t, err)
	m.Step("poll", "ok", 1500*time.Millisecond)
	m.Step("poll", "ok", time.Hour)
	m.Events("demo.commit", 3)
	m.Events("demo.commit", 4)
	m.Enforcements("demo.commit", 2)
	m.Rejected("demo.commit", 1)
	m.Suppressed("demo.commit", 5)
	m.Run("core.python3", true)
	m.Run("core.python3", false)
	m.Published("confirmed", 9)
	m.DeliveryWaited(3 * time.Millisecond)
	require.NoError(t, m.ObserveDeliveries(func(context.Context) (map[string]int64, error) {
		return map[string]int64{"demo.hook": 7}, nil
	}))
	require.NoError(t, m.ObservePolls(func() int { return 3 }, 100))
	require.NoError(t, m.ObserveWarmProcesses(func() int { return 2 }))
	require.NoError(t, m.ObserveSensors(func(context.Context) (map[string]int64, error) {
		return map[string]int64{"running": 5, "failed": 1}, nil
	}))
	sdk := m.TemporalHandler().WithTags(map[string]string{"task_queue": "attune"})
	sdk.Counter("temporal_workflow_completed").Inc(1)
	sdk.Timer("temporal_activity_execution_latency").Record(3 * time.Millisecond)
	sdk.Gauge("temporal_worker_task_slots_available").Update(7)

	status, body := get(t, start(t, Config{Gatherer: m.Registry()})+"/metrics")
	require.Equal(t, 200, status)
	lines := strings.Split(body, "\n")
	for _, want := range []string{
		`attune_step_duration_seconds_bucket{outcome="ok",step="poll",le="0.001"} 0`,
		`attune_step_duration_seconds_bucket{outcome="ok",step="poll",le="2.5"} 1`,
		`attune_step_duration_seconds_bucket{outcome="ok",step="poll",le="300"} 1`,
		`attune_step_duration_seconds_bucket{outcome="ok",step="poll",le="+Inf"} 2`,
		`attune_step_duration_seconds_count{outcome="ok",step="poll"} 2`,
		`attune_events_total{trigger="demo.commit"} 7`,
		`attune_delivery_wait_seconds_bucket{le="0.005"} 1`,
		`attune_pending_deliveries{sensor="demo.hook"} 7`,
		`attune_enforcements_total{trigger="demo.commit"} 2`,
		`attune_rejected_payloads_total{trigger="demo.commit"} 1`,
		`attune_suppressed_payloads_total{trigger="demo.commit"} 5`,
		`attune_sensor_runs_total{process="warm",runtime="core.python3"} 1`,
		`attune_sensor_runs_total{process="cold",runtime="core.python3"} 1`,
		`attune_published_messages_total{outcome="confirmed"} 9`,
		`attune_polls_running 3`,
		`attune_poll_places 100`,
		`attune_warm_processes 2`,
		`attune_sensors{state="failed"} 1`,
		`attune_sensors{state="running"} 5`,
		`temporal_workflow_completed_total{task_queue="attune"} 1`,
		`temporal_activity_execution_latency_seconds_bucket{task_queue="attune",le="0.005"} 1`,
		`temporal_worker_task_slots_available{task_queue="attune"} 7`,
	} {
		require.Contains(t, lines, want)
	}
	require.Contains(t, body, "\ngo_goroutines ")
	require.Contains(t, body, "\nprocess_cpu_seconds_total ")

	problems, err := promlint.NewWithMetricFamilies(ours(t, m.Registry())).Lint()
	require.NoError(t, err)
	require.Empty(t, problems)
}

func ours(t *testing.T, registry *prometheus.Registry) []*dto.MetricFamily {
	t.Helper()
	families, err := registry.Gather()
	require.NoError(t, err)
	return slices.DeleteFunc(families, func(f *dto.MetricFamily) bool { return !strings.HasPrefix(f.GetName(), "attune_") })
}

func TestTwoMetricsInOneProcess(t *testing.T) {
	t.Parallel()
	a, err := NewMetrics()
	require.NoError(t, err)
	b, err := NewMetrics()
	require.NoError(t, err)
	a.Events("demo.commit", 1)
	require.NotEmpty(t, ours(t, a.Registry()))
	require.Empty(t, ours(t, b.Registry()))
}

func TestSensorsAreCountedSeldom(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m, err := NewMetrics()
		require.NoError(t, err)
		var counts int64
		var failure error
		require.NoError(t, m.ObserveSensors(func(ctx context.Context) (map[string]int64, error) {
			deadline, ok := ctx.Deadline()
			require.True(t, ok)
			require.Equal(t, censusTimeout, time.Until(deadline))
			counts++
			return map[string]int64{"running": counts}, failure
		}))
		running := func() float64 {
			for _, family := range ours(t, m.Registry()) {
				return family.GetMetric()[0].GetGauge().GetValue()
			}
			return -1
		}
		require.InDelta(t, 1, running(), 0)
		time.Sleep(censusLife - time.Nanosecond) // of the bubble's clock
		require.InDelta(t, 1, running(), 0, "still fresh")
		time.Sleep(time.Nanosecond)
		require.InDelta(t, 2, running(), 0)

		failure = errors.New("temporal is away")
		time.Sleep(censusLife)
		require.InDelta(t, -1, running(), 0, "no value")
		failure = nil
		require.InDelta(t, -1, running(), 0, "failures do not lead to more requests")
		time.Sleep(censusLife)
		require.InDelta(t, 4, running(), 0)
	})
}
