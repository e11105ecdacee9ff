package main

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"
)

func TestQuantile(t *testing.T) {
	t.Parallel()
	values := []float64{4, 1, 3, 2}
	require.InDelta(t, 2, median(values), 0)
	require.InDelta(t, 4, quantile(values, 0.99), 0)
	require.InDelta(t, 1, quantile(values, 0), 0)
	require.InDelta(t, 7, median([]float64{7}), 0)
}

func TestSignificant(t *testing.T) {
	t.Parallel()
	for value, want := range map[float64]string{0: "0.00", 0.01234: "0.0123", 0.6914: "0.691", 11: "11.0", 99.95: "100.0", 8325474: "8325474"} {
		require.Equal(t, want, significant(value))
	}
}

// A timer counts from the start of the workflow task that set it, not from that task's end.
func TestDues(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	history := []*historypb.HistoryEvent{
		{EventType: enumspb.EVENT_TYPE_WORKFLOW_TASK_STARTED, EventTime: timestamppb.New(at)},
		{EventType: enumspb.EVENT_TYPE_WORKFLOW_TASK_COMPLETED, EventTime: timestamppb.New(at.Add(time.Second))},
		{EventType: enumspb.EVENT_TYPE_TIMER_STARTED, EventTime: timestamppb.New(at.Add(time.Second)),
			Attributes: &historypb.HistoryEvent_TimerStartedEventAttributes{TimerStartedEventAttributes: &historypb.TimerStartedEventAttributes{
				StartToFireTimeout: durationpb.New(30 * time.Second)}}},
	}
	require.Equal(t, []time.Time{at.Add(30 * time.Second)}, dues(history))
}

func TestLag(t *testing.T) {
	t.Parallel()
	due := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	polls := []time.Time{due.Add(-30 * time.Second), due.Add(200 * time.Millisecond), due.Add(30 * time.Second)}
	require.Equal(t, 200*time.Millisecond, lag(due, polls, due.Add(time.Minute)))
	require.Zero(t, lag(due.Add(201*time.Millisecond), []time.Time{due.Add(200 * time.Millisecond)}, due), "the clock of files is coarse")
	require.Equal(t, 9*time.Second, lag(due, polls[:1], due.Add(9*time.Second)), "not yet")
}

func TestUnknownBenchmark(t *testing.T) {
	t.Parallel()
	_, err := choose([]string{"batch", "speed"})
	require.EqualError(t, err, `no benchmark "speed": there are batch, cycle, fleet, clauses, rules, idle, timers, webhook, groups`)
}
