package workflows

import (
	"cmp"
	"fmt"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/attune-automation/sensors/activities"
	"github.com/attune-automation/sensors/internal/sensor"
)

// GroupID is the workflow ID of a group of matches.
func GroupID(id int64) string { return fmt.Sprintf("group:%d", id) }

const (
	// GroupPatience is how long after its time a group is first tried to close: a little later than it can be.
	GroupPatience = 2100 * time.Millisecond
	// maxGroupWait is how long it is left alone at most while something keeps it from being closed.
	maxGroupWait = time.Minute
)

// Group closes a group of matches when its time has come, or when there is nothing more to wait for. All that it has is in the
// database: it only waits, and so may be lost, or run twice. It is started with a delay, so that there is mostly nothing left to
// wait for.
func Group(ctx workflow.Context, in sensor.GroupHead) (activities.GroupResult, error) {
	over := workflow.GetSignalChannel(ctx, SignalClose)
	wait := in.Due.Sub(workflow.Now(ctx)) + GroupPatience
	if in.Over {
		wait = 0
	}
	showGroup(ctx, in, in.Due, "")
	for least := time.Second; ; {
		if err := waitForGroup(ctx, wait, over); err != nil {
			return activities.GroupResult{}, err
		}
		for over.ReceiveAsync(nil) { // what they say is found by what follows
		}
		var res activities.GroupResult
		if err := step(ctx, false, fmt.Sprintf("close group %d", in.ID), closer.CloseGroup, &res, in); err != nil || res.Wait == 0 {
			showGroup(ctx, in, time.Time{}, cmp.Or(res.Reason, res.Status))
			return res, err
		}
		if info := workflow.GetInfo(ctx); info.GetContinueAsNewSuggested() || info.GetCurrentHistoryLength() > maxHistory {
			in.Over = over.ReceiveAsync(nil)
			return res, workflow.NewContinueAsNewError(ctx, Group, in)
		}
		wait = max(res.Wait, least)
		if least = min(2*least, maxGroupWait); res.Wait >= least {
			least = time.Second // nothing is in the way: its time is another one by now
		}
		showGroup(ctx, in, workflow.Now(ctx).Add(wait), res.Reason)
	}
}

// waitForGroup waits for a time, or until there is nothing more to wait for.
func waitForGroup(ctx workflow.Context, wait time.Duration, over workflow.ReceiveChannel) error {
	if wait <= 0 {
		return nil
	}
	timer, cancel := workflow.WithCancel(ctx)
	defer cancel()
	options := workflow.TimerOptions{Summary: fmt.Sprintf("until %s", clock(workflow.Now(ctx).Add(wait)))}
	var err error
	workflow.NewSelector(ctx).
		AddFuture(workflow.NewTimerWithOptions(timer, wait, options), func(f workflow.Future) { err = f.Get(ctx, nil) }).
		AddReceive(over, func(workflow.ReceiveChannel, bool) {}).
		Select(ctx)
	return err
}

// showGroup says in the Web UI's details what a group waits for, or what became of it. No value of an event is in there.
func showGroup(ctx workflow.Context, in sensor.GroupHead, until time.Time, news string) {
	text := GroupDetails(in, until)
	if news != "" {
		text += "\n\n**" + cell(news) + "**"
	}
	workflow.SetCurrentDetails(ctx, text)
}

// GroupDetails says in the Web UI what a group waits for, and until when; zero: it does not.
func GroupDetails(in sensor.GroupHead, until time.Time) string {
	text := fmt.Sprintf("Group %d of rule %s: %s.", in.ID, in.Rule, in.What)
	if !until.IsZero() {
		text += fmt.Sprintf("\n\nWaits until %s.", clock(until))
	}
	return text
}
