package workflows

import (
	"fmt"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/attune-automation/sensors/activities"
)

// pollMargin is what a poll activity may take beyond the sensor's timeout: to store what the poll brought, and to wait
// for the database.
const pollMargin = time.Minute

// cycle polls once and works off the batch that this brings.
func (l *loop) cycle(ctx workflow.Context) error {
	if err := l.turn.Lock(ctx); err != nil {
		return err
	}
	defer l.turn.Unlock()
	if l.paused() {
		return nil // the pause came while an edit of the cursor held the turn
	}
	l.beginPoll(ctx)
	polled, err := l.poll(ctx)
	if err != nil {
		return err
	}
	if polled.Inactive != "" {
		l.stopping = polled.Inactive
	}
	if polled.Spec != "" && polled.Spec != l.fingerprint {
		l.reload = true
	}
	if polled.BatchID != 0 {
		if err := l.digest(ctx, polled.BatchID); err != nil {
			return err
		}
	}
	l.more = polled.More
	l.endPoll(ctx)
	return nil
}

func (l *loop) paused() bool { return l.carry.Paused && !l.pollNow && !l.more }

func (l *loop) beginPoll(ctx workflow.Context) {
	l.polls++
	if l.more {
		return // the rest of the poll before
	}
	l.pollNow = false
	l.started++
	l.last = PollReport{}
	l.carry.Progress.LastPoll = workflow.Now(ctx)
	l.carry.Progress.Polls++
}

func (l *loop) endPoll(ctx workflow.Context) {
	if l.attempt > 1 && !l.recovered {
		l.recovered = true
		l.carry.Progress.Recoveries++
	}
	if l.more {
		return
	}
	l.ended = l.started
	l.carry.NextPoll = nextPoll(workflow.Now(ctx), l.spec.PollInterval, l.ref)
}

// poll runs the poll activity. A stop that comes meanwhile cancels it: what it has not stored is not lost, since the
// cursor has not moved.
func (l *loop) poll(ctx workflow.Context) (activities.PollResult, error) {
	return l.executePoll(ctx, activities.PollInput{SensorRef: l.ref})
}

func (l *loop) executePoll(ctx workflow.Context, in activities.PollInput) (activities.PollResult, error) {
	ctx, cancel := workflow.WithCancel(ctx)
	defer cancel()
	future := workflow.ExecuteActivity(workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: l.spec.Timeout + pollMargin,
		HeartbeatTimeout:    heartbeatTimeout,
		WaitForCancellation: true,
		RetryPolicy:         forEver(),
		Summary:             "poll " + l.ref,
	}), poller.Poll, in)
	err := workflow.Await(ctx, func() bool {
		l.receive()
		return future.IsReady() || (l.stopping != "" && !in.DrainOnly)
	})
	if err == nil && !future.IsReady() {
		cancel()
	}
	patient, done := workflow.NewDisconnectedContext(ctx)
	defer done()
	var res activities.PollResult
	err = future.Get(patient, &res)
	return res, err
}

// digest turns a batch into events and enforcements. It is not interrupted by a stop.
func (l *loop) digest(ctx workflow.Context, batchID int64) error {
	ctx, cancel := workflow.NewDisconnectedContext(ctx)
	defer cancel()
	done, err := process(ctx, batchID, l.heavy)
	if err != nil {
		return err
	}
	l.heavy = done.Enforcements > heavyBatch
	l.last.add(done)
	p := &l.carry.Progress
	p.LastEvents = workflow.Now(ctx)
	p.Batches++
	p.Events += int64(done.Events)
	p.Enforcements += int64(done.Enforcements)
	p.Rejected += int64(done.Rejected)
	return nil
}

// drain works off what earlier polls left unfinished, without running the sensor's code.
func (l *loop) drain(ctx workflow.Context) error {
	for {
		polled, err := l.executePoll(ctx, activities.PollInput{SensorRef: l.ref, DrainOnly: true})
		if err != nil || polled.BatchID == 0 {
			return err
		}
		if err := l.digest(ctx, polled.BatchID); err != nil {
			return err
		}
	}
}

// finish drains the batch in hand and completes the workflow.
func (l *loop) finish(ctx workflow.Context) (SensorResult, error) {
	cancelled := ctx.Err()
	ctx, cancel := workflow.NewDisconnectedContext(ctx)
	defer cancel()
	l.closing = true
	l.ended = l.started
	if err := l.turn.Lock(ctx); err != nil {
		return SensorResult{}, err
	}
	if err := l.drain(ctx); err != nil {
		return SensorResult{}, fmt.Errorf("draining %q: %w", l.ref, err)
	}
	l.turn.Unlock()
	if err := l.enter(ctx, StateStopped); err != nil {
		return SensorResult{}, err
	}
	if err := l.settle(ctx); err != nil {
		return SensorResult{}, err
	}
	if cancelled != nil {
		return SensorResult{}, temporal.NewCanceledError()
	}
	return SensorResult{Stopped: l.stopping}, nil
}

// settle waits for the handlers of updates, which end promptly once the run is closing, and takes in the last signals.
// Nothing may yield between this and the end of the run.
func (l *loop) settle(ctx workflow.Context) error {
	err := workflow.Await(ctx, func() bool { return workflow.AllHandlersFinished(ctx) })
	l.receive()
	return err
}
