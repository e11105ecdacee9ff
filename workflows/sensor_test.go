package workflows

import (
	"encoding/json"
	"errors"
	"fmt"
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
			return w.brings(7, 8, 9)
		}
		return activities.PollResult{Spec: w.spec.Fingerprint()}, nil
	}
	env := w.env(t)
	stopAt(env, 90*time.Second)
	start(env)

	require.NoError(t, env.GetWorkflowError())
	require.Len(t, w.pollTimes, 4)
	for _, i := range []int{2, 3} {
		require.Equal(t, 30*time.Second, w.pollTimes[i].Sub(w.pollTimes[i-1]))
	}
	require.Equal(t, []int64{7, 8, 9}, w.generated)
	require.Equal(t, []int64{7, 8, 9}, w.matched)
	status := queryStatus(t, env)
	require.Equal(t, StateStopped, status.State)
	require.False(t, status.Running)
	require.Equal(t, [4]int64{4, 3, 3, 6}, [4]int64{status.Polls, status.Batches, status.Events, status.Enforcements})
	var result SensorResult
	require.NoError(t, env.GetWorkflowResult(&result))
	require.Equal(t, "test over", result.Stopped)
}

func TestAFailingStepFallsBackToARegularActivityUntilItWorks(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.polls = func(n int) (activities.PollResult, error) {
		if n == 1 {
			return w.brings(1)
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
			return w.brings(1, 2)
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
		require.Equal(t, polled+1, w.polled)
	})
	at(10*time.Minute, UpdateResume, func(result any, err error) {
		require.NoError(t, err)
		require.Equal(t, StateRunning, result.(Status).State)
	})
	stopAt(env, 10*time.Minute+30*time.Second)
	start(env)
	require.NoError(t, env.GetWorkflowError())
	require.Equal(t, []PollReport{{Batches: 2, Events: 2, Enforcements: 4}}, reports)
	require.Equal(t, polled+1+2, w.polled, "polls at the resume and at the next moment of the grid")
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
			return w.brings(1)
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

// What a failing poll stored up to a checkpoint is worked off before the run fails.
func TestAFailureLosesNothingThatWasStored(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.polls = func(int) (activities.PollResult, error) {
		w.stored = []int64{4, 5}
		return activities.PollResult{}, sensorFault()
	}
	env := w.env(t)
	start(env)
	require.Error(t, env.GetWorkflowError())
	require.Equal(t, []int64{4, 5}, w.generated[:2])
	status := queryStatus(t, env)
	require.EqualValues(t, 2, status.Events)
	require.EqualValues(t, 1, status.Polls)
}

// The code's own wishes count for the one poll that follows.
func TestHintsOfTheCodeMoveTheNextPoll(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.polls = func(n int) (activities.PollResult, error) {
		switch n {
		case 1:
			w.stored = []int64{2}
			return activities.PollResult{BatchID: 1, More: true, Again: true}, nil
		case 2:
			w.stored = []int64{4}
			return activities.PollResult{BatchID: 3, More: true, NextAfter: 7 * time.Second}, nil
		case 3:
			return activities.PollResult{Skip: "nothing new", Suppressed: 5, Host: "h", Sandbox: "bwrap", Warm: true, Memory: 1 << 20}, nil
		}
		return activities.PollResult{}, nil
	}
	env := w.env(t)
	stopAt(env, 2*time.Minute)
	start(env)
	require.NoError(t, env.GetWorkflowError())
	require.Equal(t, []int64{1, 2, 3, 4}, w.generated)
	require.Equal(t, w.pollTimes[0], w.pollTimes[1])
	require.Equal(t, 7*time.Second, w.pollTimes[2].Sub(w.pollTimes[1]))
	require.Equal(t, 30*time.Second, w.pollTimes[4].Sub(w.pollTimes[3]))
	p := queryStatus(t, env).Progress
	require.Equal(t, "nothing new", p.LastSkip)
	require.Equal(t, w.pollTimes[2].UTC(), p.LastSkipAt.UTC())
	require.EqualValues(t, 5, p.Suppressed)
	require.Equal(t, "h bwrap true 1048576", fmt.Sprint(p.Host, " ", p.Sandbox, " ", p.Warm, " ", p.Memory))
}

func TestAWokenSensorWorksOffWhatIsStored(t *testing.T) {
	t.Parallel()
	w := newWorld()
	env := w.env(t)
	env.RegisterDelayedCallback(func() {
		w.stored = []int64{1}
		env.SignalWorkflow(SignalWake, activities.Brought{Stored: true})
	}, 40*time.Second)
	env.RegisterDelayedCallback(func() { require.Equal(t, []int64{1}, w.generated) }, 41*time.Second)
	stopAt(env, time.Minute)
	start(env)
	require.NoError(t, env.GetWorkflowError())
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
			if n%5 == 1 {
				return w.brings(int64(n), int64(1000+n), int64(2000+n))
			}
			return w.brings(int64(n))
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
