package fleet

import (
	"context"
	"fmt"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"

	"github.com/attune-automation/sensors/activities"
	"github.com/attune-automation/sensors/workflows"
)

// Dispatch makes sure that the actions of a batch's enforcements are carried out. It does not wait for that.
func (f *Fleet) Dispatch(ctx context.Context, batchID int64) error {
	_, err := f.client.ExecuteWorkflow(ctx, client.StartWorkflowOptions{
		ID:                       workflows.DispatchID(batchID),
		TaskQueue:                f.queue,
		WorkflowIDReusePolicy:    enumspb.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE,
		WorkflowIDConflictPolicy: enumspb.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING,
		StaticSummary:            fmt.Sprintf("carries out the actions of batch %d", batchID),
	}, workflows.Dispatch, activities.BatchInput{BatchID: batchID})
	if err != nil {
		return fmt.Errorf("starting the dispatch of batch %d: %w", batchID, err)
	}
	return nil
}
