package workflows

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/activities"
)

func local(w *world) *world {
	w.spec.Local, w.spec.Queue = true, ""
	return w
}

func TestALocalSensorIsPolledWhenItWantsToBe(t *testing.T) {
	t.Parallel()
	w := local(newWorld())
	w.polls = func(int) (activities.PollResult, error) {
		last := w.pollTimes[len(w.pollTimes)-1]
		return activities.PollResult{NextAt: last.Add(7 * time.Second), Spec: w.spec.Fingerprint()}, nil
	}
	env := w.env(t)
	stopAt(env, 20*time.Second)
	start(env)
	require.NoError(t, env.GetWorkflowError())
	require.Len(t, w.pollTimes, 3)
	require.Equal(t, 14*time.Second, w.pollTimes[2].Sub(w.pollTimes[0]))
}

func TestALocalPollThatFailsGoesTheRegularWay(t *testing.T) {
	t.Parallel()
	w := local(newWorld())
	w.spec.PollInterval = time.Hour
	w.polls = func(n int) (activities.PollResult, error) {
		if n <= 3 {
			return activities.PollResult{}, errors.New("the database is away")
		}
		return w.brings(1)
	}
	env := w.env(t)
	stopAt(env, 20*time.Second)
	start(env)
	require.NoError(t, env.GetWorkflowError())
	require.Equal(t, []int64{1}, w.matched)
	require.Zero(t, queryStatus(t, env).Recoveries, "nobody failed")
}

func TestAFaultOfALocalSensorCountsAgainstIt(t *testing.T) {
	t.Parallel()
	w := local(newWorld())
	w.polls = func(int) (activities.PollResult, error) { return activities.PollResult{}, sensorFault() }
	env := w.env(t)
	start(env)
	require.ErrorContains(t, env.GetWorkflowError(), "boom")
	require.Equal(t, 1, w.polled)
}

func TestASensorThatHasBroughtAllIsCompleted(t *testing.T) {
	t.Parallel()
	w := local(newWorld())
	w.polls = func(int) (activities.PollResult, error) {
		last, err := w.brings(1)
		last.Inactive = activities.InactiveCompleted
		return last, err
	}
	env := w.env(t)
	start(env)
	require.NoError(t, env.GetWorkflowError())
	require.Equal(t, []int64{1}, w.matched)
	require.Equal(t, StateCompleted, queryStatus(t, env).State)
}

var pushed = activities.Brought{Pushed: true}

func TestWhatIsPushedIsPolledAtOnce(t *testing.T) {
	t.Parallel()
	w := local(newWorld())
	w.spec.PollInterval = time.Hour
	env := w.env(t)
	env.RegisterDelayedCallback(func() { env.SignalWorkflow(SignalWake, pushed) }, 5*time.Second)
	stopAt(env, 20*time.Second)
	start(env)
	require.NoError(t, env.GetWorkflowError())
	require.Len(t, w.pollTimes, 2)
	require.Equal(t, 5*time.Second, w.pollTimes[1].Sub(w.pollTimes[0]))
}

func TestAPausedSensorIsPolledForWhatWasPushedOnceItIsResumed(t *testing.T) {
	t.Parallel()
	w := local(newWorld())
	env := w.env(t)
	updates := func(name string) func() {
		return func() { env.UpdateWorkflow(name, name, updateCallback{t: t, done: func(any, error) {}}) }
	}
	env.RegisterDelayedCallback(updates(UpdatePause), time.Second)
	env.RegisterDelayedCallback(func() { env.SignalWorkflow(SignalWake, pushed) }, 2*time.Second)
	env.RegisterDelayedCallback(func() { require.Equal(t, 1, w.polled) }, 9*time.Minute)
	env.RegisterDelayedCallback(updates(UpdateResume), 10*time.Minute)
	stopAt(env, 10*time.Minute+time.Second)
	start(env)
	require.NoError(t, env.GetWorkflowError())
	require.Equal(t, 2, w.polled)
}

func TestAPushDoesNotCutABackOffShort(t *testing.T) {
	t.Parallel()
	l := &loop{attempt: 2}
	l.carry.Pushed = true
	require.False(t, l.pushed())
	l.recovered = true
	require.True(t, l.pushed())
	l.carry.Progress.Waiting = "for a worker"
	require.False(t, l.pushed())
}

// A poll that has attended to its sensor for as long as it may is followed by another one, but not in the same breath:
// orders come in between.
func TestAnAttendedSensorTakesABreath(t *testing.T) {
	t.Parallel()
	w := local(newWorld())
	w.spec.PollInterval = time.Hour
	w.polls = func(n int) (activities.PollResult, error) {
		return activities.PollResult{
			Again: n < 3, Tally: activities.Tally{Batches: 2, Events: 5, Enforcements: 7, Rejected: 1}, Spec: w.spec.Fingerprint(),
		}, nil
	}
	env := w.env(t)
	stopAt(env, 20*time.Second)
	start(env)
	require.NoError(t, env.GetWorkflowError())
	require.Len(t, w.pollTimes, 3)
	require.Equal(t, 2*breath, w.pollTimes[2].Sub(w.pollTimes[0]))
	status := queryStatus(t, env)
	require.Equal(t, [4]int64{6, 15, 21, 3}, [4]int64{status.Batches, status.Events, status.Enforcements, status.Rejected})
	require.Empty(t, w.generated, "the poll has worked it off")
}
