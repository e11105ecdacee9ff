package workflows

import (
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"

	"github.com/attune-automation/sensors/activities"
)

func TestASensorPollsOnItsGridAndWorksOffWhatComes(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.polls = func(n int) (activities.PollResult, error) {
		if n == 2 {
			return w.brings(7, true)
		}
		if n == 3 {
			return w.brings(8, false)
		}
		return activities.PollResult{Spec: w.spec.Fingerprint()}, nil
	}
	env := w.env(t)
	stopAt(env, 90*time.Second)
	start(env)

	require.NoError(t, env.GetWorkflowError())
	require.Len(t, w.pollTimes, 5)
	require.Equal(t, w.pollTimes[1], w.pollTimes[2], "the rest of a poll follows at once")
	for _, i := range []int{3, 4} {
		require.Equal(t, 30*time.Second, w.pollTimes[i].Sub(w.pollTimes[i-1]))
	}
	require.Equal(t, []int64{7, 8}, w.generated)
	require.Equal(t, []int64{7, 8}, w.matched)
	status := queryStatus(t, env)
	require.Equal(t, StateStopped, status.State)
	require.False(t, status.Running)
	require.Equal(t, [4]int64{4, 2, 2, 4}, [4]int64{status.Polls, status.Batches, status.Events, status.Enforcements})
	var result SensorResult
	require.NoError(t, env.GetWorkflowResult(&result))
	require.Equal(t, "test over", result.Stopped)
}

func TestAFailingStepFallsBackToARegularActivityUntilItWorks(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.polls = func(n int) (activities.PollResult, error) {
		if n == 1 {
			return w.brings(1, false)
		}
		return activities.PollResult{}, nil
	}
	w.generate = func(attempt int) error {
		if attempt < 6 {
			return errors.New("the database is away")
		}
		return nil
	}
	env := w.env(t)
	stopAt(env, 80*time.Second)
	start(env)
	require.NoError(t, env.GetWorkflowError())
	require.Equal(t, []int64{1}, w.generated)
	require.Equal(t, []int64{1}, w.matched)
	require.Equal(t, 6, w.attempts)
}

func TestPauseHoldsPollsBackAndPollNowBreaksIt(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.polls = func(n int) (activities.PollResult, error) {
		if n == 3 {
			return w.brings(1, true)
		}
		if n == 4 {
			return w.brings(2, false)
		}
		return activities.PollResult{}, nil
	}
	env := w.env(t)
	at := func(d time.Duration, name string, done func(result any, err error), args ...any) {
		env.RegisterDelayedCallback(func() {
			env.UpdateWorkflow(name, name+d.String(), updateCallback{t: t, done: done}, args...)
		}, d)
	}
	var reports []PollReport
	at(31*time.Second, UpdatePause, func(result any, err error) {
		require.NoError(t, err)
		require.Equal(t, StatePaused, result.(Status).State)
	})
	polled := 0
	env.RegisterDelayedCallback(func() { polled = w.polled }, 32*time.Second)
	at(5*time.Minute, UpdatePollNow, func(result any, err error) {
		require.NoError(t, err)
		reports = append(reports, result.(PollReport))
		require.Equal(t, polled+2, w.polled, "one poll, in two parts")
	})
	at(10*time.Minute, UpdateResume, func(result any, err error) {
		require.NoError(t, err)
		require.Equal(t, StateRunning, result.(Status).State)
	})
	stopAt(env, 10*time.Minute+30*time.Second)
	start(env)
	require.NoError(t, env.GetWorkflowError())
	require.Equal(t, []PollReport{{Batches: 2, Events: 2, Enforcements: 4}}, reports)
	require.Equal(t, polled+2+2, w.polled, "polls at the resume and at the next moment of the grid")
}

func TestSetCursorFinishesWhatIsInHandFirst(t *testing.T) {
	t.Parallel()
	w := newWorld()
	env := w.env(t)
	env.RegisterDelayedCallback(func() {
		env.UpdateWorkflow(UpdateSetCursor, "1", updateCallback{t: t, done: func(_ any, err error) {
			require.NoError(t, err)
			require.Equal(t, 1, w.drained)
		}}, CursorEdit{Cursor: json.RawMessage(`{"a":1}`)})
	}, time.Minute)
	stopAt(env, 2*time.Minute)
	start(env)
	require.NoError(t, env.GetWorkflowError())
	require.Equal(t, []string{`{"a":1}`}, w.cursors)
}

func TestAFailureFailsTheRunAndCarriesTheProgressOver(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.polls = func(n int) (activities.PollResult, error) {
		if n == 1 {
			return w.brings(1, false)
		}
		return activities.PollResult{}, sensorFault()
	}
	env := w.env(t)
	start(env)
	var failure *temporal.ApplicationError
	require.ErrorAs(t, env.GetWorkflowError(), &failure)
	require.Equal(t, activities.TypeSensorError, failure.Type())
	require.False(t, failure.NonRetryable(), "the workflow's retry policy decides")
	var carry Carry
	require.NoError(t, failure.Details(&carry))
	require.EqualValues(t, 1, carry.Progress.Batches)
	require.Equal(t, "exception: boom", carry.Progress.LastError)
	require.Equal(t, 2, w.polled, "the activity is not retried")
}

func TestTheLastFailureIsEmitted(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.polls = func(int) (activities.PollResult, error) { return activities.PollResult{}, sensorFault() }
	env := w.env(t)
	start(env) // the test environment has no retry policy: the first failure is the last
	require.Error(t, env.GetWorkflowError())
	status := queryStatus(t, env)
	require.True(t, status.Failed)
	require.Equal(t, StateFailed, status.State)
	require.Equal(t, 1, status.FailureCount)
	require.Len(t, w.emitted, 1)
	require.Equal(t, "core.sensor_failed", w.emitted[0].TriggerRef)
	var payload map[string]any
	require.NoError(t, json.Unmarshal(w.emitted[0].Payload, &payload))
	require.Equal(t, "t.s", payload["sensor_ref"])
	require.Equal(t, "exception: boom", payload["error"])
}

func TestASensorStopsItselfWhenItsDefinitionSaysSo(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.polls = func(n int) (activities.PollResult, error) {
		if n == 2 {
			return activities.PollResult{Inactive: "it is disabled"}, nil
		}
		return activities.PollResult{Spec: w.spec.Fingerprint()}, nil
	}
	env := w.env(t)
	start(env)
	require.NoError(t, env.GetWorkflowError())
	require.Equal(t, 2, w.polled)
	require.Equal(t, 1, w.drained)
}

func TestAChangedDefinitionTakesEffectAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld()
	env := w.env(t)
	env.RegisterDelayedCallback(func() {
		w.mu.Lock()
		w.spec.Version, w.spec.PollInterval = 2, 10*time.Second
		w.mu.Unlock()
		env.SignalWorkflow(SignalReload, nil)
	}, 40*time.Second)
	start(env)
	next, ok := continued(env) // the change asks for a retry policy that this run does not have
	require.True(t, ok)

	before := w.polled
	begin := env.Now()
	env = w.env(t)
	env.SetStartTime(begin)
	env.RegisterDelayedCallback(func() { require.EqualValues(t, 2, queryStatus(t, env).Version) }, time.Second)
	stopAt(env, 31*time.Second)
	env.ExecuteWorkflow(Sensor, next)
	require.Equal(t, before+1+3, w.polled, "at once, and then every 10 s")
}

func TestCancellationDrainsAndEndsTheSensor(t *testing.T) {
	t.Parallel()
	w := newWorld()
	env := w.env(t)
	env.RegisterDelayedCallback(env.CancelWorkflow, 40*time.Second)
	start(env)
	var cancelled *temporal.CanceledError
	require.ErrorAs(t, env.GetWorkflowError(), &cancelled)
	require.Equal(t, 1, w.drained)
}

// The same fifty polls come to the same, however often the workflow continues as new in between.
func TestContinueAsNewIsInvisible(t *testing.T) {
	t.Parallel()
	const polls = 50
	var want *world
	for _, limit := range []int{0, 1, 2, 3, 5, 7, 11} {
		w := newWorld()
		w.polls = func(n int) (activities.PollResult, error) {
			if n == polls {
				return activities.PollResult{Inactive: "done"}, nil
			}
			if n%3 == 0 {
				return activities.PollResult{Spec: w.spec.Fingerprint()}, nil
			}
			return w.brings(int64(n), n%5 == 1)
		}
		in := SensorInput{Ref: "t.s", RunLimit: limit}
		begin := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
		runs := 0
		var env *testsuite.TestWorkflowEnvironment
		for again := true; again; runs++ {
			env = w.env(t)
			env.SetStartTime(begin)
			env.ExecuteWorkflow(Sensor, in)
			begin = env.Now()
			in, again = continued(env)
		}
		require.NoError(t, env.GetWorkflowError())
		if want == nil {
			want = w
			require.Equal(t, 1, runs)
			continue
		}
		require.Greater(t, runs, polls/limit/2, "limit %d", limit)
		require.Equal(t, want.generated, w.generated, "limit %d", limit)
		require.Equal(t, want.matched, w.matched, "limit %d", limit)
		require.Len(t, w.pollTimes, len(want.pollTimes), "limit %d", limit)
		for i := range w.pollTimes {
			require.WithinDuration(t, want.pollTimes[i], w.pollTimes[i], time.Second, "limit %d, poll %d", limit, i)
		}
		status := queryStatus(t, env)
		require.EqualValues(t, len(w.generated), status.Batches, "limit %d", limit)
	}
}

// updateCallback hands what an update came to to a test.
type updateCallback struct {
	t    *testing.T
	done func(result any, err error)
}

func (c updateCallback) Accept()                        {}
func (c updateCallback) Reject(err error)               { require.NoError(c.t, err) }
func (c updateCallback) Complete(result any, err error) { c.done(result, err) }
