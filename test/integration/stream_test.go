package integration

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"

	"github.com/attune-automation/sensors/internal/config"
	"github.com/attune-automation/sensors/internal/sensor"
	"github.com/attune-automation/sensors/test/stack"
	"github.com/attune-automation/sensors/workflows"
)

// tidal is a stream that brings the numbers from its cursor up to the level of its tide, and crashes when that says so,
// after an event that no checkpoint covers.
const tidal = `
-- pack.yaml --
ref: t
-- triggers/number.yaml --
ref: t.number
-- sensors/tidal.yaml --
ref: t.tidal
runtime: core.python3
entrypoint: tidal.py
trigger: t.number
mode: stream
poll_interval: 1s
config: {gate: /nowhere}
-- rules/all.yaml --
ref: t.all
trigger: t.number
action: {ref: core.echo}
-- tidal.py --
import os, pathlib, time

def poll(ctx):
    gate = pathlib.Path(ctx.config["gate"])
    with open(gate / "entered", "a") as entered:
        print(os.getpid(), file=entered)
    n = ctx.cursor or 0
    while True:
        if (gate / "crash").exists():
            (gate / "crash").unlink()
            yield {"n": n + 1}
            raise RuntimeError("a wave broke")
        if (gate / "end").exists():
            (gate / "end").unlink()
            return
        for n in range(n + 1, int((gate / "level").read_text()) + 1):
            yield {"n": n}
            ctx.checkpoint(n)
        time.sleep(0.02)
`

// tide is what a tidal sensor reads.
type tide struct{ gate }

func newTide(t *testing.T, s *stack.Stack, set ...string) tide {
	t.Helper()
	w := tide{newGate(t)}
	w.rises(0)
	w.applyText(s, tidal, set...)
	return w
}

func (w tide) applyText(s *stack.Stack, text string, set ...string) {
	w.t.Helper()
	s.Apply(text, append([]string{"t.tidal.gate=" + w.dir}, set...)...)
}

func (w tide) rises(level int) {
	w.t.Helper()
	m := mood{path: filepath.Join(w.dir, "level")}
	m.set(w.t, fmt.Sprint(level))
}

func (w tide) does(what string) {
	w.t.Helper()
	require.NoError(w.t, os.WriteFile(filepath.Join(w.dir, what), nil, 0o644))
}

func listening(status workflows.Status) bool { return !status.PollingSince.IsZero() }

func TestAStreamBringsEventsWhileItRuns(t *testing.T) {
	t.Parallel()
	s := stack.New(t, nil)
	messages := s.Watch()
	w := newTide(t, s)
	s.StartWorker()
	w.rises(5)
	awaitEvents(t, s, "t.tidal", 5)
	status := await(t, s, "t.tidal", func(status workflows.Status) bool { return listening(status) && status.Events > 0 })
	require.True(t, status.Stream && status.Polling)
	require.Equal(t, workflows.StateRunning, status.State)
	require.Equal(t, "python3", status.Queue)
	require.Equal(t, "none", status.Sandbox)
	require.NotEmpty(t, status.Host)
	w.rises(25)
	awaitEvents(t, s, "t.tidal", 25)
	_, err := s.Fleet.PollNow(t.Context(), "t.tidal")
	require.ErrorContains(t, err, "it is a stream")
	require.Equal(t, 1, w.polls(), "all of it came of one start")
	stopped(t, s, "t.tidal")
	w.deserted(s, w.pids())
	unbroken(t, s, messages, "t.tidal", 25)
	status = await(t, s, "t.tidal", func(status workflows.Status) bool { return !status.Running })
	require.EqualValues(t, 25, status.Events, "nothing that was done is left untold")
	require.EqualValues(t, 1, status.Polls)
}

// What a stream costs the engine does not depend on how much it brings.
func TestAStreamsHistoryStaysSmall(t *testing.T) {
	t.Parallel()
	s := stack.New(t, nil)
	w := newTide(t, s)
	s.StartWorker()
	w.rises(1)
	awaitEvents(t, s, "t.tidal", 1)
	await(t, s, "t.tidal", func(status workflows.Status) bool { return listening(status) && status.Events > 0 })
	before := historyLength(t, s, "t.tidal")
	begin := time.Now()
	for level := 2; level <= 100; level++ {
		w.rises(level)
		awaitEvents(t, s, "t.tidal", level)
	}
	reports := int64(time.Since(begin)/(10*time.Second)) + 2
	require.LessOrEqual(t, historyLength(t, s, "t.tidal")-before, 4*reports)
	stopped(t, s, "t.tidal")
	s.Sound(nil)
}

func historyLength(t *testing.T, s *stack.Stack, ref string) int64 {
	t.Helper()
	described, err := s.Client.DescribeWorkflowExecution(t.Context(), workflows.SensorID(ref), "")
	require.NoError(t, err)
	return described.GetWorkflowExecutionInfo().GetHistoryLength()
}

func TestAStreamTakesOrders(t *testing.T) {
	t.Parallel()
	s := stack.New(t, nil)
	messages := s.Watch()
	w := newTide(t, s)
	s.StartWorker()
	w.rises(3)
	awaitEvents(t, s, "t.tidal", 3)
	ctx := t.Context()

	require.NoError(t, s.Fleet.SetCursor(ctx, "t.tidal", json.RawMessage(`100`)))
	w.rises(102)
	awaitEvents(t, s, "t.tidal", 5)
	require.Equal(t, []int{1, 2, 3, 101, 102}, numbers(t, s, "t.tidal"))
	paused, err := s.Fleet.Pause(ctx, "t.tidal")
	require.NoError(t, err)
	require.Equal(t, workflows.StatePaused, paused.State)
	w.deserted(s, w.pids())
	w.rises(104)
	_, err = s.Fleet.Resume(ctx, "t.tidal")
	require.NoError(t, err)
	awaitEvents(t, s, "t.tidal", 7)

	started := w.polls()
	w.applyText(s, tidal+"# changed\n")
	w.await(s, started+1)
	w.rises(105)
	awaitEvents(t, s, "t.tidal", 8)
	w.does("end")
	w.await(s, started+2) // after its interval
	w.rises(106)
	awaitEvents(t, s, "t.tidal", 9)
	stopped(t, s, "t.tidal")
	w.deserted(s, w.pids())
	require.Equal(t, []int{1, 2, 3, 101, 102, 103, 104, 105, 106}, numbers(t, s, "t.tidal"))
	s.Sound(messages)
}

func TestAStreamMovesToAnotherWorker(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*stack.Process){
		"when its own is killed": (*stack.Process).Kill,
		"when its own stops":     func(p *stack.Process) { p.Terminate() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := stack.New(t, nil)
			messages := s.Watch()
			w := newTide(t, s)
			first := s.StartProcess(nil)
			w.rises(5)
			awaitEvents(t, s, "t.tidal", 5)
			end(first)
			w.deserted(s, w.pids())
			w.rises(9)
			s.StartWorker()
			awaitEvents(t, s, "t.tidal", 9)
			status := await(t, s, "t.tidal", listening)
			require.Zero(t, status.FailureCount)
			require.Empty(t, status.LastError)
			stopped(t, s, "t.tidal")
			unbroken(t, s, messages, "t.tidal", 9)
		})
	}
}

// Each crash follows a recovery, so none is the last, however many there are.
func TestAStreamThatRecoversFailsAnewEachTime(t *testing.T) {
	t.Parallel()
	s := stack.New(t, map[string]string{"SENSOR__MAX_RESTART_ATTEMPTS": "2"})
	messages := s.Watch()
	w := newTide(t, s)
	s.StartWorker()
	for round := 1; round <= 3; round++ {
		w.does("crash")
		w.await(s, round+1)
		w.rises(round)
		awaitEvents(t, s, "t.tidal", round)
		status := await(t, s, "t.tidal", func(status workflows.Status) bool { return status.Recoveries == int64(round) })
		require.Zero(t, status.FailureCount)
		require.Equal(t, workflows.StateRunning, status.State)
		require.Contains(t, status.LastError, "a wave broke")
		require.Equal(t, round+1, w.polls(), "a recovery does not interrupt it")
	}
	stopped(t, s, "t.tidal")
	unbroken(t, s, messages, "t.tidal", 3)
	runs, err := s.Fleet.History(t.Context(), "t.tidal", 10)
	require.NoError(t, err)
	failures := 0
	for _, run := range runs {
		if run.Status == "Failed" {
			failures++
			require.Equal(t, 1, run.Attempt, "%+v", runs)
		}
	}
	require.Equal(t, 3, failures)
}

// While the broker is away, a stream goes on, what it brings is stored, and the engine shows what waits.
func TestAStreamOutlivesAnOutage(t *testing.T) {
	t.Parallel()
	s := stack.New(t, map[string]string{"MESSAGE_QUEUE__CONFIRM_TIMEOUT": "2s"})
	messages := s.Watch()
	w := newTide(t, s)
	var broker *stack.Proxy
	s.StartWorker(func(c *config.Config) {
		broker = stack.NewProxy(t, c.MessageQueue.URL)
		c.MessageQueue.URL = broker.URL
	})
	w.rises(3)
	awaitEvents(t, s, "t.tidal", 3)
	broker.Cut()
	w.rises(6)
	s.Eventually(func(ctx context.Context) error {
		steps, err := s.Fleet.Steps(ctx, "t.tidal")
		if err != nil {
			return err
		}
		for _, step := range steps {
			if step.Name == "Drain" && step.Failure != "" {
				return nil
			}
		}
		return expect(false, "no step shows the outage: %+v", steps)
	})
	w.rises(9)
	s.Eventually(func(ctx context.Context) error {
		cursor, err := s.Store.Turn(ctx, "t.tidal")
		if err != nil {
			return err
		}
		return expect(string(cursor.Cursor) == "9", "it is at %s", cursor.Cursor)
	})
	broker.Restore()
	awaitEvents(t, s, "t.tidal", 9)
	status := await(t, s, "t.tidal", func(status workflows.Status) bool { return status.Events >= 9 })
	require.Zero(t, status.FailureCount)
	require.Equal(t, 1, w.polls())
	stopped(t, s, "t.tidal")
	unbroken(t, s, messages, "t.tidal", 9)
}

func TestContinueAsNewIsInvisibleForStreams(t *testing.T) {
	t.Parallel()
	s := stack.New(t, seldom)
	messages := s.Watch()
	w := newTide(t, s)
	_, err := s.Client.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{
		ID: workflows.SensorID("t.tidal"), TaskQueue: s.Config.Temporal.TaskQueue, RetryPolicy: workflows.RetryPolicy(3),
		WorkflowIDConflictPolicy: enumspb.WORKFLOW_ID_CONFLICT_POLICY_FAIL,
	}, workflows.Sensor, workflows.SensorInput{Ref: "t.tidal", RunLimit: 2})
	require.NoError(t, err)
	s.StartWorker()
	for level := 3; level <= 18; level += 3 {
		w.rises(level)
		await(t, s, "t.tidal", func(status workflows.Status) bool { return status.Events >= int64(level) })
	}
	require.Greater(t, w.polls(), 2, "each run starts it")
	require.Greater(t, runCount(t, s, "t.tidal"), 2)
	stopped(t, s, "t.tidal")
	w.deserted(s, w.pids())
	unbroken(t, s, messages, "t.tidal", 18)
	status := await(t, s, "t.tidal", func(status workflows.Status) bool { return !status.Running })
	require.EqualValues(t, 18, status.Events)
	require.Zero(t, status.FailureCount)
}

// A stream whose worker left something behind when it died is told to see to it.
func TestWhatAStreamLeftIsFoundByTheManager(t *testing.T) {
	t.Parallel()
	s := stack.New(t, nil)
	w := newTide(t, s)
	s.StartWorker()
	w.rises(2)
	awaitEvents(t, s, "t.tidal", 2)
	await(t, s, "t.tidal", listening)
	turn, err := s.Store.Turn(t.Context(), "t.tidal")
	require.NoError(t, err)
	_, err = s.Store.Append(t.Context(), turn, sensor.Part{Items: []sensor.Item{{Payload: []byte(`{"n": 3}`)}}, Cursor: json.RawMessage("3")})
	require.NoError(t, err)
	_, err = connect(t, s).Exec(t.Context(), "update attune.poll_batch set created = created - interval '2 minutes' where status <> 'done'")
	require.NoError(t, err)
	awaitEvents(t, s, "t.tidal", 3)
	stopped(t, s, "t.tidal")
	s.Sound(nil)
}
