package fleet

import (
	"context"
	"fmt"

	"github.com/attune-automation/sensors/activities"
	"github.com/attune-automation/sensors/workflows"
)

// Dispatch makes sure that the actions of a batch's enforcements are carried out. It does not wait for that.
func (f *Fleet) Dispatch(ctx context.Context, batchID int64) error {
	options := f.once(workflows.DispatchID(batchID), fmt.Sprintf("carries out the actions of batch %d", batchID))
	if _, err := f.client.ExecuteWorkflow(ctx, options, workflows.Dispatch, activities.BatchInput{BatchID: batchID}); err != nil {
		return fmt.Errorf("starting the dispatch of batch %d: %w", batchID, err)
	}
	return nil
}
