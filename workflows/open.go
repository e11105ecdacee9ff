package workflows

import (
	"fmt"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/attune-automation/sensors/activities"
)

// OpenGroupsID is the workflow ID of the start of a batch's groups.
func OpenGroupsID(batchID int64) string { return fmt.Sprintf("groups:%d", batchID) }

// openHeartbeat is how soon another worker goes on when one has died: some of the groups may be due in seconds. Most calls end
// before their first heartbeat.
const openHeartbeat = 15 * time.Second

// OpenGroups starts the workflows of the groups that a batch opened, some seconds at a time, and returns how many. It is no part
// of the sensor's loop, which many groups would hold up.
func OpenGroups(ctx workflow.Context, in activities.OpenOrder) (activities.OpenOrder, error) {
	calls := workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: stepTimeout,
		HeartbeatTimeout:    openHeartbeat,
		RetryPolicy:         forEver(),
		Summary:             fmt.Sprintf("start groups that batch %d opened", in.BatchID),
	})
	for {
		var part activities.OpenPart
		if err := workflow.ExecuteActivity(calls, opener.OpenGroups, in).Get(ctx, &part); err != nil {
			return in, err
		}
		in.After, in.Groups = part.After, in.Groups+part.Groups
		if part.Done {
			return in, nil
		}
		if workflow.GetInfo(ctx).GetContinueAsNewSuggested() {
			return in, workflow.NewContinueAsNewError(ctx, OpenGroups, in)
		}
	}
}
