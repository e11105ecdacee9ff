package workflows

import (
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/attune-automation/sensors/activities"
)

// run is the loop itself.
func (l *loop) run(ctx workflow.Context) (SensorResult, error) {
	for {
		err := l.wait(ctx)
		switch {
		case err != nil && !temporal.IsCanceledError(err):
			return SensorResult{}, err
		case err != nil || l.stopping != "":
			return l.finish(ctx)
		case l.reload:
			err = l.change(ctx)
		case l.carry.Stored:
			err = l.sweep(ctx)
		case l.restless(ctx):
			return SensorResult{}, l.continueAsNew(ctx)
		case l.due(ctx):
			err = l.cycle(ctx)
		}
		if err != nil && !temporal.IsCanceledError(err) {
			return l.fail(ctx, err)
		}
	}
}

// wait returns when there is something to do: a poll is due or wanted, batches wait, the run should end, or the
// definition changed.
func (l *loop) wait(ctx workflow.Context) error {
	l.show(ctx)
	ready := func() bool {
		l.receive(ctx)
		return l.stopping != "" || l.reload || l.carry.Stored || l.restless(ctx) || l.due(ctx)
	}
	if ready() {
		return ctx.Err()
	}
	if l.carry.Paused || l.edits > 0 {
		return workflow.Await(ctx, func() bool { return ready() || (!l.carry.Paused && l.edits == 0) })
	}
	_, err := workflow.AwaitWithOptions(ctx, workflow.AwaitOptions{
		Timeout:      l.carry.NextPoll.Sub(workflow.Now(ctx)),
		TimerOptions: workflow.TimerOptions{Summary: l.sleepSummary()},
	}, func() bool { return ready() || l.carry.Paused })
	return err
}

// due says whether the next poll should begin now: at its time, or when something waits for it, unless a pause holds it
// back; or because an operator wants it. An edit of the cursor goes first.
func (l *loop) due(ctx workflow.Context) bool {
	onTime := !workflow.Now(ctx).Before(l.carry.NextPoll) || l.pushed()
	return l.edits == 0 && (l.pollNow || (onTime && !l.carry.Paused))
}

// pushed says whether something waits for the next poll, and nothing is known that this poll should wait for.
func (l *loop) pushed() bool {
	return l.carry.Pushed && l.carry.Progress.Waiting == "" && (l.attempt == 1 || l.recovered)
}

// receive takes in the signals that have come.
func (l *loop) receive(ctx workflow.Context) {
	var reason string
	for l.stop.ReceiveAsync(&reason) {
		l.stopping = reason
		if reason == "" {
			l.stopping = "stopped"
		}
	}
	for l.reloaded.ReceiveAsync(nil) {
		l.reload = true
	}
	for {
		var b activities.Brought
		if !l.wake.ReceiveAsync(&b) {
			return
		}
		l.note(ctx, b)
	}
}
