package workflows

import (
	"fmt"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/attune-automation/sensors/activities"
	"github.com/attune-automation/sensors/internal/sensor"
)

// GroupID is the workflow ID of a group of matches.
func GroupID(id int64) string { return fmt.Sprintf("group:%d", id) }

const (
	// groupPatience is how long after its time a group is first tried to close: a little later than it can be.
	groupPatience = 2100 * time.Millisecond
	// maxGroupWait is how long it is left alone at most while something keeps it from being closed.
	maxGroupWait = time.Minute
)

// Group closes a group of matches when its time has come. All that it has is in the database: it only waits, and so may be
// lost, or run twice.
func Group(ctx workflow.Context, in sensor.GroupHead) (activities.GroupResult, error) {
	wait := in.Due.Sub(workflow.Now(ctx)) + groupPatience
	for least := time.Second; ; least = min(2*least, maxGroupWait) {
		if wait > 0 {
			options := workflow.TimerOptions{Summary: fmt.Sprintf("until %s", clock(workflow.Now(ctx).Add(wait)))}
			if err := workflow.NewTimerWithOptions(ctx, wait, options).Get(ctx, nil); err != nil {
				return activities.GroupResult{}, err
			}
		}
		var res activities.GroupResult
		if err := step(ctx, false, fmt.Sprintf("close group %d", in.ID), closer.CloseGroup, &res, in); err != nil || res.Wait == 0 {
			return res, err
		}
		if info := workflow.GetInfo(ctx); info.GetContinueAsNewSuggested() || info.GetCurrentHistoryLength() > maxHistory {
			return res, workflow.NewContinueAsNewError(ctx, Group, in)
		}
		wait = max(res.Wait, least)
	}
}
