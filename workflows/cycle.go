package workflows

import (
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/attune-automation/sensors/activities"
)

// cycle polls once and works off what this brings.
func (l *loop) cycle(ctx workflow.Context) error {
	if err := l.turn.Lock(ctx); err != nil {
		return err
	}
	defer l.turn.Unlock()
	if l.carry.Paused && !l.pollNow {
		return nil // the pause came while an edit of the cursor held the turn
	}
	l.beginPoll(ctx)
	defer func() { l.began = time.Time{} }()
	polled, err := l.execute(ctx)
	if err != nil {
		return err
	}
	l.heed(polled)
	if polled.Waiting != "" {
		return l.postpone(ctx, polled)
	}
	if err := l.work(ctx, polled); err != nil {
		return err
	}
	return l.endPoll(ctx, polled)
}

func (l *loop) beginPoll(ctx workflow.Context) {
	l.polls++
	l.pollNow = false
	l.carry.Pushed = false // what comes from now on may miss this poll
	l.started++
	l.last = PollReport{}
	if !l.spec.Stream { // its worker says when it starts
		l.began = workflow.Now(ctx)
	}
}

// execute runs the sensor's code. That of a poll counts whatever comes of it, unless it was not run.
func (l *loop) execute(ctx workflow.Context) (activities.PollResult, error) {
	if l.spec.Stream {
		return l.listen(ctx)
	}
	polled, err := l.poll(ctx)
	if polled.Waiting == "" {
		l.count()
	}
	return polled, err
}

func (l *loop) count() {
	l.carry.Progress.LastPoll = l.began
	l.carry.Progress.Polls++
}

// heed takes in what the poll found out about the sensor's definition.
func (l *loop) heed(polled activities.PollResult) {
	if polled.Inactive != "" {
		l.stopping = polled.Inactive
	}
	if polled.Spec != "" && polled.Spec != l.fingerprint {
		l.reload = true
	}
}

// postpone notes that the code was not run, which is nobody's failure, and nobody's recovery.
func (l *loop) postpone(ctx workflow.Context, polled activities.PollResult) error {
	now := workflow.Now(ctx)
	p := &l.carry.Progress
	if p.Waiting == "" {
		p.WaitingSince = now
	}
	p.Waiting = polled.Waiting
	l.last.Waiting = polled.Waiting
	l.ended = l.started
	l.carry.NextPoll = now.Add(lookAgain(polled.NextAfter, now.Sub(p.WaitingSince)))
	return l.refresh(ctx)
}

// endPoll notes how a good poll went, and when the next is due.
func (l *loop) endPoll(ctx workflow.Context, polled activities.PollResult) error {
	now := workflow.Now(ctx)
	p := &l.carry.Progress
	if polled.Host != "" {
		p.Host, p.Sandbox, p.Warm, p.Memory = polled.Host, polled.Sandbox, polled.Warm, polled.Memory
	}
	if polled.Skip != "" {
		p.LastSkip, p.LastSkipAt = polled.Skip, now
	}
	p.Suppressed += int64(polled.Suppressed)
	l.last.Skip = polled.Skip
	l.last.Suppressed += polled.Suppressed
	l.ended = l.started
	l.carry.NextPoll = l.following(now, polled)
	if recovered := l.recover(); p.Waiting == "" && !recovered {
		return nil
	}
	p.Waiting, p.WaitingSince = "", time.Time{}
	return l.refresh(ctx)
}

// breath is how long a sensor rests that its own poll has attended to for as long as it may. It ends the workflow's task,
// so that orders are heard, and the engine sees that all is well.
const breath = time.Millisecond

// following returns when the next poll is due: when the code wants it, or else at the interval.
func (l *loop) following(now time.Time, polled activities.PollResult) time.Time {
	switch {
	case polled.Again && polled.Batches > 0:
		return now.Add(breath)
	case polled.Again:
		return now
	case !polled.NextAt.IsZero():
		return polled.NextAt
	case polled.NextAfter > 0:
		return now.Add(polled.NextAfter)
	}
	return nextPoll(now, l.spec.PollInterval, l.ref)
}

// recover notes that a failure is over, and says whether there was one. The state has to be entered anew before the run
// continues as new: what it says then is what a retry of the next run finds.
func (l *loop) recover() bool {
	if l.attempt == 1 || l.recovered {
		return false
	}
	l.recovered = true
	l.carry.Progress.Recoveries++
	return true
}

// finish works off what is stored and completes the workflow.
func (l *loop) finish(ctx workflow.Context) (SensorResult, error) {
	cancelled := ctx.Err()
	ctx, cancel := workflow.NewDisconnectedContext(ctx)
	defer cancel()
	l.closing = true
	l.ended = l.started
	if err := l.sweep(ctx); err != nil {
		return SensorResult{}, err
	}
	state := StateStopped
	if l.stopping == activities.InactiveCompleted {
		state = StateCompleted
	}
	if err := l.enter(ctx, state); err != nil {
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
	l.receive(ctx)
	return err
}
