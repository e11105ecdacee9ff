package replay

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"

	"github.com/attune-automation/sensors/activities"
	"github.com/attune-automation/sensors/internal/config"
	"github.com/attune-automation/sensors/internal/sensor"
	"github.com/attune-automation/sensors/test/stack"
	"github.com/attune-automation/sensors/workflows"
)

// pack is a pack of one sensor, to be followed by its code. A program writes no path into its failures.
const pack = `
-- pack.yaml --
ref: t
-- triggers/number.yaml --
ref: t.number
-- rules/all.yaml --
ref: t.all
trigger: t.number
action: {ref: core.echo}
-- sensors/sensor.yaml --
ref: t.sensor
runtime: core.exec
entrypoint: bin/sensor
trigger: t.number
poll_interval: 1s
config: {dir: /nowhere}
-- bin/sensor --
#!/bin/sh
request=$(cat)
dir=$(echo "$request" | sed -n 's/.*"dir":"\([^"]*\)".*/\1/p')
`

// Codes of the sensor.
const (
	quiet = ``

	counting = `
n=$(echo "$request" | sed -n 's/.*"cursor":\([0-9][0-9]*\).*/\1/p')
n=$((${n:-0} + 1))
echo "{\"n\": $n}"
echo "{\"type\": \"cursor\", \"cursor\": $n}" >&3
`
	generous = `
[ -e "$dir/done" ] || seq -f '{"n": %.0f}' 2500
touch "$dir/done"
`
	recovering = `
echo >>"$dir/tries"
[ "$(wc -l <"$dir/tries")" -ge 3 ] || { echo "not yet"; exit 1; }
echo '{"n": 1}'
`
	doomed = `
echo "no luck"
exit 1
`
	hanging = `
touch "$dir/polling"
sleep 300
`
	brittle = `
echo '{"type": "event", "payload": {"n": 1}}' >&3
echo '{"type": "checkpoint", "cursor": 1}' >&3
echo "no more"
exit 1
`
	tidal = `
n=$(echo "$request" | sed -n 's/.*"cursor":\([0-9][0-9]*\).*/\1/p')
n=${n:-0}
while sleep 0.1; do
    [ -e "$dir/crash" ] && rm "$dir/crash" && exit 1
    [ "$n" -lt "$(cat "$dir/level")" ] || continue
    n=$((n + 1))
    echo "{\"type\": \"event\", \"payload\": {\"n\": $n}}" >&3
    echo "{\"type\": \"checkpoint\", \"cursor\": $n}" >&3
done
`
)

// scenario is a life of a sensor, or of another workflow.
type scenario struct {
	name string
	live func(t *testing.T, s *stack.Stack) (workflowID string)
	from int // the first run to keep: the ones before are like those of another scenario
}

const ref = "t.sensor"

func scenarios() []scenario {
	return []scenario{
		{name: "empty", live: func(t *testing.T, s *stack.Stack) string { return begin(t, s, quiet).until(polls(2)).stop() }},
		{name: "events", live: func(t *testing.T, s *stack.Stack) string { return begin(t, s, counting).until(polls(2)).stop() }},
		{name: "large", live: func(t *testing.T, s *stack.Stack) string { return begin(t, s, generous).until(polls(1)).stop() }},
		{name: "recovery", live: func(t *testing.T, s *stack.Stack) string { return begin(t, s, recovering).until(recovered).stop() }},
		{name: "failure", live: func(t *testing.T, s *stack.Stack) string { return begin(t, s, doomed).until(failed).id() }, from: 2},
		{name: "hanging", live: hang},
		{name: "checkpoint", live: func(t *testing.T, s *stack.Stack) string { return begin(t, s, brittle).until(failed).id() }, from: 2},
		{name: "waiting", live: wait},
		{name: "stream", live: stream},
		{name: "stream-relapse", live: relapse},
		{name: "outage", live: outage},
		{name: "orders", live: orders},
		{name: "continued", live: continued},
		{name: "manager", live: manager},
		{name: "emission", live: emission},
		{name: "emission-of-failure", live: failureEmission},
		{name: "group-completed", live: func(t *testing.T, s *stack.Stack) string { return group(t, s, "1h", "a", "b") }},
		{name: "groups-opened", live: openMany},
		{name: "group-expired", live: func(t *testing.T, s *stack.Stack) string { return group(t, s, "1s", "a") }},
	}
}

func polls(n int64) func(workflows.Status) bool {
	return func(s workflows.Status) bool { return s.Polls >= n && !s.Polling }
}

func recovered(s workflows.Status) bool { return s.Recoveries == 1 && !s.Polling }

func failed(s workflows.Status) bool { return s.Failed }

func waiting(s workflows.Status) bool { return s.Waiting != "" }

// life is a sensor in the hands of a test.
type life struct {
	t *testing.T
	s *stack.Stack
	d string // folder of the sensor's code
}

// begin starts a worker and a sensor of the given code.
func begin(t *testing.T, s *stack.Stack, code string, change ...func(*config.Config)) life {
	t.Helper()
	return beginWith(t, s, "", code, change...)
}

// beginWith is begin for a sensor whose file says more.
func beginWith(t *testing.T, s *stack.Stack, more, code string, change ...func(*config.Config)) life {
	t.Helper()
	l := life{t: t, s: s, d: t.TempDir()}
	l.rise(0)
	s.StartWorker(change...)
	s.Apply(strings.Replace(pack, "poll_interval: 1s\n", "poll_interval: 1s\n"+more, 1)+code, ref+".dir="+l.d)
	return l
}

// rise makes a stream bring numbers up to a level.
func (l life) rise(level int) {
	l.t.Helper()
	require.NoError(l.t, os.WriteFile(filepath.Join(l.d, "level"), fmt.Append(nil, level), 0o644))
}

func (l life) until(want func(workflows.Status) bool) life {
	l.t.Helper()
	l.s.AwaitStatus(ref, want)
	return l
}

func (l life) id() string { return workflows.SensorID(ref) }

func (l life) stop() string {
	l.t.Helper()
	l.s.StopSensor(ref, "recorded")
	return l.id()
}

// hang stops a sensor in the middle of a poll.
func hang(t *testing.T, s *stack.Stack) string {
	l := begin(t, s, hanging)
	s.Eventually(func(context.Context) error {
		_, err := os.Stat(filepath.Join(l.d, "polling"))
		return err
	})
	return l.stop()
}

// wait lets a sensor wait for a worker that listens on its queue.
func wait(t *testing.T, s *stack.Stack) string {
	l := beginWith(t, s, "queue: elsewhere\n", counting).until(waiting)
	s.StartWorker(func(c *config.Config) { c.Worker.Queues = []string{"elsewhere"} })
	return l.until(polls(1)).stop()
}

// stream interrupts a stream that brings events, and tells it of batches that nobody works on.
func stream(t *testing.T, s *stack.Stack) string {
	l := beginWith(t, s, "mode: stream\n", tidal)
	l.rise(2)
	l.until(func(status workflows.Status) bool { return status.Events >= 2 })
	ctx := t.Context()
	require.NoError(t, s.Fleet.Reload(ctx, ref))
	require.NoError(t, s.Fleet.Wake(ctx, ref, activities.Brought{Stored: true}))
	_, err := s.Fleet.Pause(ctx, ref)
	require.NoError(t, err)
	require.NoError(t, s.Fleet.SetCursor(ctx, ref, json.RawMessage(`1`)))
	_, err = s.Fleet.Resume(ctx, ref)
	require.NoError(t, err)
	l.until(func(status workflows.Status) bool { return status.Events >= 3 })
	return l.stop()
}

// relapse lets a stream fail, recover and fail again.
func relapse(t *testing.T, s *stack.Stack) string {
	l := beginWith(t, s, "mode: stream\n", tidal)
	for round := 1; round <= 2; round++ {
		require.NoError(t, os.WriteFile(filepath.Join(l.d, "crash"), nil, 0o644))
		l.until(func(status workflows.Status) bool { return status.FailureCount == 1 })
		l.rise(round)
		l.until(func(status workflows.Status) bool { return status.Recoveries == int64(round) })
	}
	return l.stop()
}

// outage takes the broker away, so that events are published by an activity that is tried again.
func outage(t *testing.T, s *stack.Stack) string {
	var broker *stack.Proxy
	l := begin(t, s, counting, func(c *config.Config) {
		broker = stack.NewProxy(t, c.MessageQueue.URL)
		broker.Cut()
		c.MessageQueue.URL = broker.URL
	})
	s.Eventually(func(ctx context.Context) error {
		found, err := s.Client.DescribeWorkflowExecution(ctx, l.id(), "")
		if err != nil {
			return err
		}
		for _, activity := range found.PendingActivities {
			if activity.ActivityType.Name == "GenerateEvents" {
				return nil
			}
		}
		return errors.New("events are not published the slow way yet")
	})
	broker.Restore()
	return l.until(polls(2)).stop()
}

// orders gives a sensor every order that there is.
func orders(t *testing.T, s *stack.Stack) string {
	l := begin(t, s, counting).until(polls(1))
	ctx := t.Context()
	_, err := s.Fleet.Pause(ctx, ref)
	require.NoError(t, err)
	_, err = s.Fleet.PollNow(ctx, ref)
	require.NoError(t, err)
	require.NoError(t, s.Fleet.SetCursor(ctx, ref, json.RawMessage(`100`)))
	_, err = s.Fleet.Resume(ctx, ref)
	require.NoError(t, err)
	s.Apply(strings.Replace(pack, "ref: t.sensor\n", "ref: t.sensor\nmax_restart_attempts: 5\n", 1)+counting, ref+".dir="+l.d)
	l.until(func(status workflows.Status) bool { return status.MaxAttempts == 5 })
	return l.stop()
}

// continued sends orders to a sensor that continues as new after each poll.
func continued(t *testing.T, s *stack.Stack) string {
	ctx := t.Context()
	_, err := s.Client.ExecuteWorkflow(ctx, client.StartWorkflowOptions{
		ID: workflows.SensorID(ref), TaskQueue: s.Config.Temporal.TaskQueue, RetryPolicy: workflows.RetryPolicy(3),
	}, workflows.Sensor, workflows.SensorInput{Ref: ref, RunLimit: 1})
	require.NoError(t, err)
	s.Apply(pack+counting, ref+".dir="+t.TempDir())
	l := life{t: t, s: s}
	s.StartWorker()
	for range 2 {
		_, err := s.Fleet.PollNow(ctx, ref)
		require.NoError(t, err)
		require.NoError(t, s.Fleet.Reload(ctx, ref))
	}
	return l.stop()
}

// manager starts, reloads and stops a sensor.
func manager(t *testing.T, s *stack.Stack) string {
	l := begin(t, s, counting).until(polls(1))
	s.Apply(pack+quiet, ref+".dir="+l.d)
	l.until(func(status workflows.Status) bool { return status.Version == 2 })
	l.stop()
	before, err := s.Fleet.Manager(t.Context())
	require.NoError(t, err)
	s.Eventually(func(ctx context.Context) error {
		status, err := s.Fleet.Manager(ctx)
		if err == nil && !status.LastRun.After(before.LastRun) {
			err = errors.New("the manager has not looked again")
		}
		return err
	})
	return workflows.ManagerID
}

// emission emits an event that no sensor saw.
func emission(t *testing.T, s *stack.Stack) string {
	begin(t, s, quiet)
	id, err := s.Store.StoreSystemEvent(t.Context(), sensor.SystemEvent{TriggerRef: "t.number", Payload: json.RawMessage(`{"n": 1}`)})
	require.NoError(t, err)
	_, err = s.Fleet.Emit(t.Context(), id)
	require.NoError(t, err)
	return workflows.EmitID(id)
}

// failureEmission is the emission that a sensor starts when it fails for good.
func failureEmission(t *testing.T, s *stack.Stack) string {
	begin(t, s, doomed).until(failed)
	runs, err := s.Fleet.History(t.Context(), ref, 1)
	require.NoError(t, err)
	require.Len(t, runs, 1)
	id := fmt.Sprintf("emit:sensor_failed:%s", runs[0].RunID)
	require.NoError(t, s.Client.GetWorkflow(t.Context(), id, "").Get(t.Context(), nil))
	return id
}
