package workflows

import (
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"

	"github.com/attune-automation/sensors/activities"
)

var started = activities.Brought{Started: true, Host: "here", Sandbox: "bwrap"}

// tells sends the news of a stream's worker at a moment.
func tells(env *testsuite.TestWorkflowEnvironment, at time.Duration, news activities.Brought) {
	env.RegisterDelayedCallback(func() { env.SignalWorkflow(SignalWake, news) }, at)
}

func brought(events int) activities.Brought {
	return activities.Brought{Tally: activities.Tally{Batches: 1, Events: events, Enforcements: 2 * events}, Suppressed: 1}
}

func TestAStreamRunsAsOneActivity(t *testing.T) {
	t.Parallel()
	w := newWorld().streams()
	env := w.env(t)
	tells(env, time.Second, started)
	tells(env, time.Minute, brought(3))
	tells(env, time.Hour, brought(4))
	env.RegisterDelayedCallback(func() {
		status := queryStatus(t, env)
		require.Equal(t, StateRunning, status.State)
		require.True(t, status.Stream && status.Polling)
		require.Equal(t, env.Now().Add(-2*time.Hour+time.Second).Unix(), status.PollingSince.Unix())
		require.Zero(t, status.NextPoll)
		require.Equal(t, [6]int64{1, 2, 7, 14, 2, 0},
			[6]int64{status.Polls, status.Batches, status.Events, status.Enforcements, status.Suppressed, status.Recoveries})
		require.Equal(t, [2]string{"here", "bwrap"}, [2]string{status.Host, status.Sandbox})
	}, 2*time.Hour)
	stopAt(env, 24*time.Hour)
	start(env)
	require.NoError(t, env.GetWorkflowError())
	require.Equal(t, []string{testQueue + "/exec"}, w.pollQueues)
	require.Equal(t, 2, w.drained, "when the stream was cancelled, and at the end")
}

func TestAStreamThatEndsStartsAgainAfterItsInterval(t *testing.T) {
	t.Parallel()
	w := newWorld().streams()
	env := w.env(t)
	env.RegisterDelayedCallback(func() {
		w.stored = []int64{5, 6}
		require.NoError(t, env.CompleteActivity(w.token, activities.PollResult{Spec: w.spec.Fingerprint()}, nil))
	}, time.Minute)
	stopAt(env, 2*time.Minute)
	start(env)
	require.NoError(t, env.GetWorkflowError())
	require.Equal(t, 2, w.polled)
	require.LessOrEqual(t, w.pollTimes[1].Sub(w.pollTimes[0]), 90*time.Second)
	require.Equal(t, []int64{5, 6}, w.generated, "what was left is worked off")
}

func TestWhatAWorkerCannotWorkOffTheWorkflowDoes(t *testing.T) {
	t.Parallel()
	w := newWorld().streams()
	w.stored = []int64{1, 2}
	failures := 0
	w.drain = func() error {
		if failures++; failures < 4 {
			return errors.New("the broker is away")
		}
		return nil
	}
	env := w.env(t)
	tells(env, time.Second, activities.Brought{Stored: true})
	env.RegisterDelayedCallback(func() {
		require.Equal(t, []int64{1, 2}, w.generated)
		require.EqualValues(t, 2, queryStatus(t, env).Events)
	}, time.Minute)
	stopAt(env, 2*time.Minute)
	start(env)
	require.NoError(t, env.GetWorkflowError())
	require.Equal(t, 1, w.polled, "the stream goes on")
}

// Orders that a running stream is in the way of interrupt it, and it goes on afterwards.
func TestOrdersInterruptAStream(t *testing.T) {
	t.Parallel()
	w := newWorld().streams()
	w.spec.MaxAttempts = 0 // as in the test environment, which has no retry policy
	env := w.env(t)
	update := func(at time.Duration, name string, done func(), args ...any) {
		env.RegisterDelayedCallback(func() {
			env.UpdateWorkflow(name, name, updateCallback{t: t, done: func(_ any, err error) {
				require.NoError(t, err)
				done()
			}}, args...)
		}, at)
	}
	update(time.Minute, UpdateSetCursor, func() { require.Equal(t, 1, w.polled) }, CursorEdit{Cursor: json.RawMessage(`7`)})
	update(10*time.Minute, UpdatePause, func() {
		status := queryStatus(t, env)
		require.Equal(t, 2, w.polled)
		require.Equal(t, StatePaused, status.State)
		require.False(t, status.Polling)
	})
	update(20*time.Minute, UpdateResume, func() {})
	env.RegisterDelayedCallback(func() { env.SignalWorkflow(SignalReload, nil) }, 30*time.Minute) // nothing changed
	env.RegisterDelayedCallback(func() {
		require.Equal(t, 3, w.polled)
		w.mu.Lock()
		w.spec.Version = 2
		w.mu.Unlock()
		env.SignalWorkflow(SignalReload, nil)
	}, 40*time.Minute)
	env.RegisterDelayedCallback(func() {
		status := queryStatus(t, env)
		require.Equal(t, 4, w.polled)
		require.EqualValues(t, 2, status.Version)
		require.True(t, status.Polling)
	}, 41*time.Minute)
	stopAt(env, time.Hour)
	start(env)
	require.NoError(t, env.GetWorkflowError())
	require.Equal(t, []string{`7`}, w.cursors)
}

func TestAStreamIsNotPolled(t *testing.T) {
	t.Parallel()
	w := newWorld().streams()
	env := w.env(t)
	var refusal error
	env.RegisterDelayedCallback(func() {
		env.UpdateWorkflow(UpdatePollNow, "1", &testsuite.TestUpdateCallback{
			OnAccept: func() { t.Error("accepted") },
			OnReject: func(err error) { refusal = err },
		})
	}, time.Minute)
	stopAt(env, 2*time.Minute)
	start(env)
	require.NoError(t, env.GetWorkflowError())
	require.ErrorContains(t, refusal, "it is a stream")
}

func TestAStreamThatNoWorkerTakesWaits(t *testing.T) {
	t.Parallel()
	w := newWorld().streams()
	w.polls = func(n int) (activities.PollResult, error) {
		if n < 3 {
			return activities.PollResult{}, nobodyTakesIt()
		}
		return activities.PollResult{}, activity.ErrResultPending
	}
	env := w.env(t)
	env.RegisterDelayedCallback(func() { require.Equal(t, StateWaiting, queryStatus(t, env).State) }, 10*time.Second)
	tells(env, 20*time.Second, started)
	env.RegisterDelayedCallback(func() { require.Equal(t, StateRunning, queryStatus(t, env).State) }, 30*time.Second)
	stopAt(env, time.Minute)
	start(env)
	require.NoError(t, env.GetWorkflowError())
	require.Equal(t, 3, w.polled)
	require.Empty(t, queryStatus(t, env).Waiting)
}

func TestAFailingStreamFailsTheRun(t *testing.T) {
	t.Parallel()
	w := newWorld().streams()
	env := w.env(t)
	tells(env, time.Second, started)
	env.RegisterDelayedCallback(func() {
		w.stored = []int64{1}
		require.NoError(t, env.CompleteActivity(w.token, nil, sensorFault()))
	}, time.Minute)
	start(env)
	var failure *temporal.ApplicationError
	require.ErrorAs(t, env.GetWorkflowError(), &failure)
	require.Equal(t, "exception: boom", failure.Message())
	require.Equal(t, int64(1), w.generated[0], "what it stored is not lost")
	require.Equal(t, 1, queryStatus(t, env).FailureCount)
}

// A failure that follows a recovery is the first of its own series.
func TestARunFailsWithTheFailureThatItWasGiven(t *testing.T) {
	t.Parallel()
	w := newWorld().streams()
	env := w.env(t)
	env.ExecuteWorkflow(Sensor, SensorInput{Ref: "t.s", Carry: &Carry{Failure: &Failure{Message: "exception: boom", Kind: "exception"}}})
	var failure *temporal.ApplicationError
	require.ErrorAs(t, env.GetWorkflowError(), &failure)
	require.Equal(t, "exception: boom", failure.Message())
	var carry Carry
	require.NoError(t, failure.Details(&carry))
	require.Nil(t, carry.Failure)
	require.Zero(t, w.polled)
	require.Contains(t, string(w.emitted[0].Payload), `"kind":"exception"`)
}

// The same news come to the same, however often the workflow continues as new in between.
func TestContinueAsNewIsInvisibleForStreams(t *testing.T) {
	t.Parallel()
	const chunks = 30
	for _, limit := range []int{0, 2, 3, 5, 7, 11} {
		w := newWorld().streams()
		in := SensorInput{Ref: "t.s", RunLimit: limit}
		begin := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
		told, runs := 0, 0
		var env *testsuite.TestWorkflowEnvironment
		for again := true; again; runs++ {
			env = w.env(t)
			env.SetStartTime(begin)
			for i := 1; i <= chunks-told; i++ {
				env.RegisterDelayedCallback(func() {
					told++
					env.SignalWorkflow(SignalWake, brought(1))
				}, time.Duration(i)*time.Second)
			}
			stopAt(env, time.Minute)
			env.ExecuteWorkflow(Sensor, in)
			begin = env.Now()
			in, again = continued(env)
		}
		require.NoError(t, env.GetWorkflowError())
		status := queryStatus(t, env)
		require.EqualValues(t, [3]int64{chunks, chunks, 2 * chunks}, [3]int64{status.Batches, status.Events, status.Enforcements}, "limit %d", limit)
		require.Equal(t, runs, w.polled, "limit %d: each run starts the stream once", limit)
		if limit > 0 {
			require.Greater(t, runs, chunks/limit-1, "limit %d", limit)
		}
	}
}
