package fleet

import (
	"context"
	"errors"
	"fmt"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"

	"github.com/attune-automation/sensors/internal/sensor"
	"github.com/attune-automation/sensors/workflows"
)

// StartReplay makes sure that a stored replay is worked on. One that is through, or was stopped, is left alone.
func (f *Fleet) StartReplay(ctx context.Context, r sensor.Replay) error {
	_, err := f.client.ExecuteWorkflow(ctx, client.StartWorkflowOptions{
		ID:                       workflows.ReplayID(r.ID),
		TaskQueue:                f.queue,
		WorkflowIDReusePolicy:    enumspb.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE_FAILED_ONLY,
		WorkflowIDConflictPolicy: enumspb.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING,
		StaticSummary:            fmt.Sprintf("matches %d events again", r.Events),
	}, workflows.Replay, workflows.ReplayInput{ReplayID: r.ID, Status: workflows.ReplayStatus{Total: r.Events}})
	if err != nil && !already(err) {
		return fmt.Errorf("starting the workflow of replay %d: %w", r.ID, err)
	}
	return nil
}

// ReplayStatus asks how far a replay is; ErrNotRunning when the engine knows none.
func (f *Fleet) ReplayStatus(ctx context.Context, id int64) (workflows.ReplayStatus, error) {
	var status workflows.ReplayStatus
	value, err := f.query(ctx, workflows.ReplayID(id), workflows.QueryStatus)
	if err == nil {
		err = value.Get(&status)
	}
	if missing(err) {
		err = ErrNotRunning
	}
	if err != nil {
		return status, fmt.Errorf("asking replay %d: %w", id, err)
	}
	return status, nil
}

// WaitReplay returns what a replay came to, once it is through or stopped.
func (f *Fleet) WaitReplay(ctx context.Context, id int64) (workflows.ReplayStatus, error) {
	var status workflows.ReplayStatus
	err := f.client.GetWorkflow(ctx, workflows.ReplayID(id), "").Get(ctx, &status)
	if err != nil {
		return status, fmt.Errorf("waiting for replay %d: %w", id, err)
	}
	return status, nil
}

// StopReplay asks a replay to end before it is through. One that does not run is left alone.
func (f *Fleet) StopReplay(ctx context.Context, id int64) error {
	err := f.client.CancelWorkflow(ctx, workflows.ReplayID(id), "")
	if missing(err) {
		return fmt.Errorf("replay %d: %w", id, ErrNotRunning)
	}
	if err != nil && !errors.Is(err, context.Canceled) {
		return fmt.Errorf("stopping replay %d: %w", id, err)
	}
	return err
}
