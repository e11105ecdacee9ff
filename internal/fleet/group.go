package fleet

import (
	"context"
	"fmt"
	"time"

	"github.com/attune-automation/sensors/activities"
	"github.com/attune-automation/sensors/internal/sensor"
	"github.com/attune-automation/sensors/workflows"
)

// OpenGroups makes sure that the groups that a batch opened are started. It does not wait for that.
func (f *Fleet) OpenGroups(ctx context.Context, batchID int64) error {
	options := f.once(workflows.OpenGroupsID(batchID), fmt.Sprintf("starts the groups that batch %d opened", batchID))
	if _, err := f.client.ExecuteWorkflow(ctx, options, workflows.OpenGroups, activities.OpenOrder{BatchID: batchID}); err != nil {
		return fmt.Errorf("starting the groups of batch %d: %w", batchID, err)
	}
	return nil
}

// StartGroup makes sure that a group of matches is closed when its time has come, or at once if there is nothing more to wait
// for. It does not wait for that. Its workflow sleeps until then, unless it is told that there is nothing more to wait for.
func (f *Fleet) StartGroup(ctx context.Context, group sensor.GroupHead) error {
	options := f.once(workflows.GroupID(group.ID), fmt.Sprintf("closes group %d of %s: %s", group.ID, group.Rule, group.What))
	options.Memo = map[string]any{"rule": group.Rule, "due": group.Due.UTC().Format(time.RFC3339Nano)}
	var err error
	if group.Over {
		options.StaticDetails = workflows.GroupDetails(group, time.Time{})
		_, err = f.client.SignalWithStartWorkflow(ctx, options.ID, workflows.SignalClose, nil, options, workflows.Group, group)
	} else {
		options.StaticDetails = workflows.GroupDetails(group, group.Due)
		options.StartDelay = max(0, time.Until(group.Due)+workflows.GroupPatience)
		_, err = f.client.ExecuteWorkflow(ctx, options, workflows.Group, group)
	}
	if err != nil {
		return fmt.Errorf("starting the workflow of group %d: %w", group.ID, err)
	}
	return nil
}
