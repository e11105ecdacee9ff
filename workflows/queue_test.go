package workflows

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/attune-automation/sensors/activities"
)

const testQueue = "default-test-taskqueue" // of the test environment

func TestPollsGoToTheWorkerAtHandUnlessItDeclines(t *testing.T) {
	t.Parallel()
	w := newWorld()
	env := w.env(t)
	env.RegisterDelayedCallback(func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.elsewhere = true
	}, 40*time.Second)
	stopAt(env, 2*time.Minute)
	start(env)
	require.NoError(t, env.GetWorkflowError())
	require.Equal(t, 1, w.declined, "it is not asked again in this run")
	here := slices.Index(w.pollQueues, testQueue+"/exec")
	require.Positive(t, here)
	require.Subset(t, []string{testQueue}, w.pollQueues[:here])
	require.Subset(t, []string{testQueue + "/exec"}, w.pollQueues[here:])
	require.EqualValues(t, len(w.pollQueues), queryStatus(t, env).Polls)
}

// nobodyTakesIt is how a poll ends that no worker takes.
func nobodyTakesIt() error {
	return temporal.NewTimeoutError(enumspb.TIMEOUT_TYPE_SCHEDULE_TO_START, nil)
}

func TestASensorThatNoWorkerPollsWaitsAndSaysSo(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.polls = func(n int) (activities.PollResult, error) {
		switch {
		case n == 1:
			return w.brings(1)
		case n < 6:
			return activities.PollResult{}, nobodyTakesIt()
		}
		return activities.PollResult{Host: "late", Sandbox: "none"}, nil
	}
	env := w.env(t)
	var waiting Status
	env.SetOnTimerScheduledListener(func(string, time.Duration) {
		if status := queryStatus(t, env); status.Waiting != "" {
			waiting = status
		}
	})
	stopAt(env, 2*time.Minute)
	start(env)
	require.NoError(t, env.GetWorkflowError())
	require.Equal(t, StateWaiting, waiting.State)
	require.Equal(t, "exec", waiting.Queue)
	require.Contains(t, waiting.Waiting, "start one with --queues exec")
	require.EqualValues(t, 1, waiting.Polls, "only what ran is counted")
	require.Zero(t, waiting.FailureCount)
	status := queryStatus(t, env)
	require.Empty(t, status.Waiting)
	require.Equal(t, "late", status.Host)
	require.Zero(t, status.WaitingSince)
	require.Equal(t, []string{testQueue, testQueue, testQueue + "/exec", testQueue + "/exec", testQueue + "/exec", testQueue + "/exec"}, w.pollQueues[:6])
}

// Dependencies that are being installed are neither a failure nor a recovery.
func TestCodeThatIsNotReadyCountsForNothing(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.polls = func(n int) (activities.PollResult, error) {
		if n < 4 {
			return activities.PollResult{Waiting: "installing the dependencies of pack t", NextAfter: 2 * time.Second}, nil
		}
		return activities.PollResult{}, nil
	}
	env := w.env(t)
	var states []State
	env.RegisterDelayedCallback(func() {
		env.UpdateWorkflow(UpdatePollNow, "1", updateCallback{t: t, done: func(result any, err error) {
			require.NoError(t, err)
			require.Equal(t, "installing the dependencies of pack t", result.(PollReport).Waiting)
			states = append(states, queryStatus(t, env).State)
		}})
	}, time.Second)
	stopAt(env, 20*time.Second)
	start(env)
	require.NoError(t, env.GetWorkflowError())
	require.Equal(t, []State{StateWaiting}, states)
	require.EqualValues(t, w.polled-3, queryStatus(t, env).Polls)
	require.Zero(t, queryStatus(t, env).Recoveries)
}

func TestARunThatContinuesStillWaits(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.polls = func(int) (activities.PollResult, error) { return activities.PollResult{}, nobodyTakesIt() }
	env := w.env(t)
	env.ExecuteWorkflow(Sensor, SensorInput{Ref: "t.s", RunLimit: 1})
	var again *workflow.ContinueAsNewError
	require.ErrorAs(t, env.GetWorkflowError(), &again)
	require.NotEmpty(t, carriedInput(again).Carry.Progress.Waiting)
	require.Zero(t, carriedInput(again).Carry.Progress.Polls)
}

func TestLookingAgainGetsSeldom(t *testing.T) {
	t.Parallel()
	require.Equal(t, minLook, lookAgain(0, time.Hour), "a queue has its own patience")
	require.Equal(t, 2*time.Second, lookAgain(2*time.Second, 0))
	require.Equal(t, 6*time.Second, lookAgain(2*time.Second, time.Minute))
	require.Equal(t, maxLook, lookAgain(2*time.Second, time.Hour))
	require.Equal(t, 10*time.Minute, lookAgain(10*time.Minute, time.Hour))
}
