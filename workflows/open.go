package workflows

import (
	"fmt"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/attune-automation/sensors/activities"
)

// OpenGroupsID is the workflow ID of the start of a batch's groups.
func OpenGroupsID(batchID int64) string { return fmt.Sprintf("groups:%d", batchID) }

// openHeartbeat is how soon another worker goes on when one has died: some of the groups may be due in seconds.
const openHeartbeat = 15 * time.Second

// OpenGroups starts the workflows of the groups that a batch opened. It is no part of the sensor's loop, which many groups
// would hold up.
func OpenGroups(ctx workflow.Context, in activities.BatchInput) (activities.OpenResult, error) {
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: stepTimeout,
		HeartbeatTimeout:    openHeartbeat,
		RetryPolicy:         forEver(),
		Summary:             fmt.Sprintf("start the groups that batch %d opened", in.BatchID),
	})
	var done activities.OpenResult
	err := workflow.ExecuteActivity(ctx, opener.OpenGroups, in).Get(ctx, &done)
	return done, err
}
