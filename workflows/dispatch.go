package workflows

import (
	"fmt"

	"go.temporal.io/sdk/workflow"

	"github.com/attune-automation/sensors/activities"
)

// DispatchID is the workflow ID of the dispatch of a batch.
func DispatchID(batchID int64) string { return fmt.Sprintf("dispatch:%d", batchID) }

// Dispatch carries out the actions of a batch's enforcements that are this service's own to carry out. It is no part of the
// sensor's loop, so that a cluster that is away holds up no sensor: what is tried again shows here as a pending activity.
func Dispatch(ctx workflow.Context, in activities.BatchInput) (activities.DispatchResult, error) {
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: stepTimeout,
		HeartbeatTimeout:    heartbeatTimeout,
		RetryPolicy:         forEver(),
		Summary:             fmt.Sprintf("carry out the actions of batch %d", in.BatchID),
	})
	var done activities.DispatchResult
	err := workflow.ExecuteActivity(ctx, dispatcher.Dispatch, in).Get(ctx, &done)
	return done, err
}
