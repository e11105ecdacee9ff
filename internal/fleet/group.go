package fleet

import (
	"context"
	"fmt"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"

	"github.com/attune-automation/sensors/internal/sensor"
	"github.com/attune-automation/sensors/workflows"
)

// StartGroup makes sure that a group of matches is closed when its time has come. It does not wait for that.
func (f *Fleet) StartGroup(ctx context.Context, group sensor.GroupHead) error {
	_, err := f.client.ExecuteWorkflow(ctx, client.StartWorkflowOptions{
		ID:                       workflows.GroupID(group.ID),
		TaskQueue:                f.queue,
		WorkflowIDReusePolicy:    enumspb.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE,
		WorkflowIDConflictPolicy: enumspb.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING,
		StaticSummary:            fmt.Sprintf("closes group %d", group.ID),
	}, workflows.Group, group)
	if err != nil {
		return fmt.Errorf("starting the workflow of group %d: %w", group.ID, err)
	}
	return nil
}
