package workflows

import (
	"fmt"

	"go.temporal.io/sdk/workflow"

	"github.com/attune-automation/sensors/activities"
)

// ReplayInput names a stored order, and says how far an earlier run got with it.
type ReplayInput struct {
	ReplayID int64        `json:"replay_id"`
	Status   ReplayStatus `json:"status"`
}

// ReplayStatus is how far a replay is: the answer to the query status, and its result.
type ReplayStatus struct {
	activities.ReplayCounts
	After   int64 `json:"after"` // the last event that is done
	Total   int64 `json:"total"` // events, when it was ordered; 0: it has not begun
	Done    bool  `json:"done"`
	Stopped bool  `json:"stopped,omitempty"` // before it was through
}

// ReplayID is the workflow ID of a replay.
func ReplayID(id int64) string { return fmt.Sprintf("replay:%d", id) }

// Replay matches events that are there with the rules as they are now, some seconds of work at a time. It can be
// cancelled; what it wrote by then is published.
func Replay(ctx workflow.Context, in ReplayInput) (ReplayStatus, error) {
	status := in.Status
	if err := workflow.SetQueryHandler(ctx, QueryStatus, func() (ReplayStatus, error) { return status, nil }); err != nil {
		return status, err
	}
	for !status.Done {
		var part activities.ReplayPart
		order := activities.ReplayOrder{ReplayID: in.ReplayID, After: status.After}
		err := workflow.ExecuteActivity(replayOptions(ctx, "match events again"), replayer.ReplayEvents, order).Get(ctx, &part)
		switch {
		case ctx.Err() != nil:
			return settle(ctx, in.ReplayID, status, part)
		case err != nil:
			return status, err
		}
		status.add(part)
		workflow.SetCurrentDetails(ctx, status.details())
		if !status.Done && (workflow.GetInfo(ctx).GetContinueAsNewSuggested() || workflow.GetInfo(ctx).GetCurrentHistoryLength() > maxHistory) {
			return status, workflow.NewContinueAsNewError(ctx, Replay, ReplayInput{ReplayID: in.ReplayID, Status: status})
		}
	}
	return status, nil
}

// maxHistory is how many events a run's history has at most when another one goes on.
const maxHistory = 2000

// settle ends a replay that was cancelled, whose last call may or may not have got to report what it did.
func settle(ctx workflow.Context, id int64, status ReplayStatus, last activities.ReplayPart) (ReplayStatus, error) {
	if last.After > status.After {
		status.add(last)
	}
	free, cancel := workflow.NewDisconnectedContext(ctx)
	defer cancel()
	var left activities.ReplayCounts
	order := activities.ReplayOrder{ReplayID: id, After: status.After}
	err := workflow.ExecuteActivity(replayOptions(free, "publish what is written"), replayer.SettleReplay, order).Get(free, &left)
	status.Add(left)
	status.Stopped = !status.Done
	return status, err
}

func replayOptions(ctx workflow.Context, summary string) workflow.Context {
	return workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: stepTimeout,
		HeartbeatTimeout:    heartbeatTimeout,
		WaitForCancellation: true,
		RetryPolicy:         forEver(),
		Summary:             summary,
	})
}

func (s *ReplayStatus) add(part activities.ReplayPart) {
	s.Add(part.ReplayCounts)
	s.After, s.Total, s.Done = part.After, part.Total, part.Done
}

func (s *ReplayStatus) details() string {
	return fmt.Sprintf("**%d of %d events** matched again: %d enforcements, and %d matches had one already.",
		s.Events, s.Total, s.Enforcements, s.Existing)
}
