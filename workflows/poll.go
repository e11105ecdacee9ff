package workflows

import (
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/attune-automation/sensors/activities"
)

// pollMargin is what a poll activity may take beyond the sensor's timeout: to store what the poll brought, and to wait
// for the database.
const pollMargin = time.Minute

// localPollTimeout bounds a local poll, which may wait for some seconds for the moment that it is for.
const localPollTimeout = 15 * time.Second

// poll runs the poll activity: on the worker at hand if that listens on the sensor's queue, else on that queue. A stop
// that comes meanwhile cancels it: what it has not stored is not lost, since the cursor has not moved.
//
// A poll that takes milliseconds is a local activity, which works off what it brings. When that fails for a reason that is not the sensor's, the same
// poll goes the regular way, where an outage shows.
func (l *loop) poll(ctx workflow.Context) (activities.PollResult, error) {
	if l.spec.Local {
		polled, err := l.pollLocally(ctx)
		if err == nil || final(err) {
			return polled, err
		}
		return l.pollAt(ctx, anywhere(ctx))
	}
	if !l.remote {
		polled, err := l.pollAt(ctx, l.nearby(ctx))
		if !polled.Elsewhere && !untaken(err) {
			return polled, err
		}
		l.remote = true // for the rest of this run
	}
	polled, err := l.pollAt(ctx, l.queued(ctx))
	if untaken(err) {
		return l.unserved(), nil
	}
	return polled, err
}

func (l *loop) pollLocally(ctx workflow.Context) (polled activities.PollResult, err error) {
	options := localOptions("poll " + l.ref)
	options.StartToCloseTimeout = localPollTimeout
	in := activities.PollInput{SensorRef: l.ref, Heavy: l.heavy}
	err = workflow.ExecuteLocalActivity(workflow.WithLocalActivityOptions(ctx, options), poller.Poll, in).Get(ctx, &polled)
	return polled, err
}

func (l *loop) pollAt(ctx workflow.Context, at place) (activities.PollResult, error) {
	ctx, cancel := workflow.WithCancel(ctx)
	defer cancel()
	future := l.startPoll(ctx, at, l.spec.Timeout+pollMargin)
	err := workflow.Await(ctx, func() bool {
		l.receive(ctx)
		return future.IsReady() || l.stopping != ""
	})
	if err == nil && !future.IsReady() {
		cancel()
	}
	return outcome(ctx, future)
}

func (l *loop) startPoll(ctx workflow.Context, at place, longest time.Duration) workflow.Future {
	options := workflow.ActivityOptions{
		TaskQueue:              at.taskQueue,
		ScheduleToStartTimeout: at.patience,
		StartToCloseTimeout:    longest,
		HeartbeatTimeout:       heartbeatTimeout,
		WaitForCancellation:    true,
		RetryPolicy:            forEver(),
		Summary:                "poll " + l.ref,
	}
	in := activities.PollInput{SensorRef: l.ref, Queue: at.queue}
	return workflow.ExecuteActivity(workflow.WithActivityOptions(ctx, options), poller.Poll, in)
}

// outcome waits for a poll even if the workflow is cancelled: the worker has the last word on what it stored.
func outcome(ctx workflow.Context, poll workflow.Future) (polled activities.PollResult, err error) {
	patient, done := workflow.NewDisconnectedContext(ctx)
	defer done()
	err = poll.Get(patient, &polled)
	return polled, err
}
