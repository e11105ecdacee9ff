package integration

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/internal/fleet"
	"github.com/attune-automation/sensors/internal/sensor"
	"github.com/attune-automation/sensors/internal/store"
	"github.com/attune-automation/sensors/test/stack"
	"github.com/attune-automation/sensors/workflows"
)

// moody fails when its file says so.
const moody = `
-- pack.yaml --
ref: t
-- triggers/tick.yaml --
ref: t.tick
-- sensors/moody.yaml --
ref: t.moody
runtime: core.python3
entrypoint: moody.py
trigger: t.tick
poll_interval: 1s
config: {mood: /nowhere}
-- moody.py --
import pathlib

def poll(ctx):
    mood = pathlib.Path(ctx.config["mood"])
    print("my mood is in", mood)
    text = mood.read_text().strip()
    if text == "bad":
        raise RuntimeError("in a bad mood")
    if text.isdigit() and int(text) > 0:  # so many failures are left
        mood.write_text(str(int(text) - 1))
        raise RuntimeError("still in a bad mood")
    yield {"mood": text}
`

func TestThreeFailuresInARowFailTheSensorForGood(t *testing.T) {
	t.Parallel()
	s := stack.New(t, nil)
	mood := newMood(t, "bad")
	s.StartWorker()
	s.Apply(moody, "t.moody.mood="+mood.path)

	s.Eventually(func(ctx context.Context) error {
		status, err := s.Fleet.Status(ctx, "t.moody")
		if err != nil {
			return err
		}
		return expect(status.Failed, "status is %+v", status)
	})
	status, err := s.Fleet.Status(t.Context(), "t.moody")
	require.NoError(t, err, "a failed sensor still answers")
	require.Equal(t, workflows.StateFailed, status.State)
	require.Equal(t, 3, status.FailureCount)
	require.Contains(t, status.LastError, "in a bad mood")
	require.Contains(t, status.LastError, "my mood is in", "the log is attached")

	var runs []fleet.Run
	s.Eventually(func(ctx context.Context) error { // the engine's lists lag behind a little
		if runs, err = s.Fleet.History(ctx, "t.moody", 10); err != nil {
			return err
		}
		return expect(len(runs) == 3 && runs[0].Status == "Failed", "runs are %+v", runs)
	})
	for i, run := range runs {
		require.Equal(t, "Failed", run.Status)
		require.Equal(t, 3-i, run.Attempt)
		require.Contains(t, run.Failure, "in a bad mood", "%+v", run)
	}
	s.Eventually(func(ctx context.Context) error {
		events, err := s.Store.Events(ctx, store.EventFilter{TriggerRef: sensor.TriggerSensorFailed})
		if err != nil {
			return err
		}
		return expect(len(events) == 1, "%d events tell of the failure", len(events))
	})

	// The manager leaves it alone, until its definition changes.
	reconciled(t, s, 2)
	require.Equal(t, 3, runCount(t, s, "t.moody"))
	mood.set(t, "good")
	s.Apply(moody+"\n# changed\n", "t.moody.mood="+mood.path)
	s.Eventually(func(ctx context.Context) error {
		status, err := s.Fleet.Status(ctx, "t.moody")
		if err != nil {
			return err
		}
		return expect(status.Events > 0 && !status.Failed, "status is %+v", status)
	})
}

func TestFailuresThatRecoverDoNotAddUp(t *testing.T) {
	t.Parallel()
	s := stack.New(t, nil)
	mood := newMood(t, "2")
	s.StartWorker()
	s.Apply(moody, "t.moody.mood="+mood.path)
	for round := range 3 {
		s.Eventually(func(ctx context.Context) error {
			status, err := s.Fleet.Status(ctx, "t.moody")
			if err != nil {
				return err
			}
			return expect(status.Recoveries == int64(round+1) && status.FailureCount == 0 && status.State == workflows.StateRunning,
				"round %d: status is %+v", round, status)
		})
		mood.set(t, "2")
	}
	runs, err := s.Fleet.History(t.Context(), "t.moody", 100)
	require.NoError(t, err)
	recovered := 0
	for _, run := range runs {
		require.LessOrEqual(t, run.Attempt, 3)
		if run.Recovered {
			recovered++
		}
	}
	require.GreaterOrEqual(t, recovered, 3, "recovery is a fact in the history")
}

func TestRestartOnErrorFalseMakesTheFirstFailureFinal(t *testing.T) {
	t.Parallel()
	s := stack.New(t, map[string]string{"SENSOR__RESTART_ON_ERROR": "false"})
	mood := newMood(t, "bad")
	s.StartWorker()
	s.Apply(moody, "t.moody.mood="+mood.path)
	s.Eventually(func(ctx context.Context) error {
		status, err := s.Fleet.Status(ctx, "t.moody")
		if err != nil {
			return err
		}
		return expect(status.Failed && status.FailureCount == 1, "status is %+v", status)
	})
	// An operator starts it again by hand.
	require.NoError(t, s.Fleet.Wait(t.Context(), "t.moody"))
	mood.set(t, "good")
	definition, err := s.Store.Sensor(t.Context(), "t.moody")
	require.NoError(t, err)
	started, err := s.Fleet.Launch(t.Context(), definition.Spec(s.Config.SensorSettings()))
	require.NoError(t, err)
	require.True(t, started)
	s.Eventually(func(ctx context.Context) error {
		status, err := s.Fleet.Status(ctx, "t.moody")
		if err != nil {
			return err
		}
		return expect(status.Events > 0, "status is %+v", status)
	})
}

// While a sensor backs off, it answers queries and takes updates: poll-now ends the wait.
func TestASensorThatBacksOffCanBeAskedAndHurried(t *testing.T) {
	t.Parallel()
	s := stack.New(t, map[string]string{"SENSOR__RESTART_BACKOFF": "1h", "SENSOR__MAX_RESTART_BACKOFF": "1h"})
	mood := newMood(t, "1")
	s.StartWorker()
	s.Apply(moody, "t.moody.mood="+mood.path)
	s.Eventually(func(ctx context.Context) error {
		status, err := s.Fleet.Status(ctx, "t.moody")
		if err != nil {
			return err
		}
		return expect(status.State == workflows.StateBackingOff && status.FailureCount == 1 && !status.NextPoll.IsZero(), "status is %+v", status)
	})
	report, err := s.Fleet.PollNow(t.Context(), "t.moody")
	require.NoError(t, err)
	require.Equal(t, 1, report.Events)
	s.Eventually(func(ctx context.Context) error {
		status, err := s.Fleet.Status(ctx, "t.moody")
		if err != nil {
			return err
		}
		return expect(status.State == workflows.StateRunning && status.FailureCount == 0, "status is %+v", status)
	})
}

// runCount returns how many runs the engine keeps of a sensor.
func runCount(t *testing.T, s *stack.Stack, ref string) int {
	t.Helper()
	runs, err := s.Fleet.History(t.Context(), ref, 100)
	require.NoError(t, err)
	return len(runs)
}

// reconciled waits until the manager has looked at all sensors so many times more.
func reconciled(t *testing.T, s *stack.Stack, times int) {
	t.Helper()
	var status workflows.ManagerStatus
	for range times {
		before := status.LastRun
		s.Eventually(func(ctx context.Context) (err error) {
			if status, err = s.Fleet.Manager(ctx); err != nil {
				return err
			}
			return expect(status.LastRun.After(before), "the manager last looked at %s", status.LastRun)
		})
	}
}

// A failure begins when it does, whatever failed before it: what the engine restarts says what its first run began with.
func TestAFailureAfterARecoveryBeginsAnew(t *testing.T) {
	t.Parallel()
	s := stack.New(t, map[string]string{"SENSOR__RESTART_BACKOFF": "2s"})
	mood := newMood(t, "bad")
	s.StartWorker()
	s.Apply(moody, "t.moody.mood="+mood.path)
	in := func(state workflows.State) (l fleet.Live) {
		s.Eventually(func(ctx context.Context) error {
			all, err := s.Fleet.Live(ctx)
			l = all["t.moody"]
			return errors.Join(err, expect(l.State == state, "it is %+v", l))
		})
		return l
	}
	first := in(workflows.StateBackingOff)
	mood.set(t, "good")
	recovered := in(workflows.StateRunning)
	require.True(t, recovered.Since.After(first.Since))
	mood.set(t, "bad")
	s.Eventually(func(ctx context.Context) error {
		runs, err := s.Fleet.History(ctx, "t.moody", 10)
		if err != nil {
			return err
		}
		return expect(len(runs) >= 4 && runs[0].Attempt == 2, "runs are %+v", runs)
	})
	require.True(t, in(workflows.StateBackingOff).Since.After(recovered.Since))
}
