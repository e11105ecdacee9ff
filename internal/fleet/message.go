package fleet

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"github.com/attune-automation/sensors/workflows"
)

// Status asks a sensor's workflow, running or closed, how it is; ErrNotRunning when the engine knows none.
func (f *Fleet) Status(ctx context.Context, ref string) (workflows.Status, error) {
	var status workflows.Status
	value, err := f.query(ctx, workflows.SensorID(ref), workflows.QueryStatus)
	if err == nil {
		err = value.Get(&status)
	}
	return status, f.explain(ref, "asking", err)
}

// Manager asks the manager what it last found and did.
func (f *Fleet) Manager(ctx context.Context) (workflows.ManagerStatus, error) {
	var status workflows.ManagerStatus
	value, err := f.query(ctx, workflows.ManagerID, workflows.QueryStatus)
	if err == nil {
		err = value.Get(&status)
	}
	if err != nil {
		return status, fmt.Errorf("asking the sensor manager: %w", err)
	}
	return status, nil
}

// Between two attempts of a workflow the engine answers no queries. That takes about a second.
const (
	queryRetries = 20
	queryPause   = 200 * time.Millisecond
)

func (f *Fleet) query(ctx context.Context, id, name string) (value interface{ Get(any) error }, err error) {
	for range queryRetries {
		value, err = f.client.QueryWorkflow(ctx, id, "", name)
		var notReady *serviceerror.WorkflowNotReady
		if !errors.As(err, &notReady) {
			return value, err
		}
		select {
		case <-time.After(queryPause):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return value, err
}

// Pause stops a sensor's polling until it is resumed, and returns once no poll is going on.
func (f *Fleet) Pause(ctx context.Context, ref string) (workflows.Status, error) {
	var status workflows.Status
	return status, f.update(ctx, ref, workflows.UpdatePause, &status)
}

// Resume lets a paused sensor poll again, at once.
func (f *Fleet) Resume(ctx context.Context, ref string) (workflows.Status, error) {
	var status workflows.Status
	return status, f.update(ctx, ref, workflows.UpdateResume, &status)
}

// PollNow makes a sensor poll and returns what that brought, once it is published.
func (f *Fleet) PollNow(ctx context.Context, ref string) (workflows.PollReport, error) {
	var report workflows.PollReport
	return report, f.update(ctx, ref, workflows.UpdatePollNow, &report)
}

// SetCursor makes a running sensor's next poll start from another cursor.
func (f *Fleet) SetCursor(ctx context.Context, ref string, cursor json.RawMessage) error {
	return f.update(ctx, ref, workflows.UpdateSetCursor, nil, workflows.CursorEdit{Cursor: cursor})
}

func (f *Fleet) update(ctx context.Context, ref, name string, result any, args ...any) error {
	handle, err := f.client.UpdateWorkflow(ctx, client.UpdateWorkflowOptions{
		WorkflowID:   workflows.SensorID(ref),
		UpdateName:   name,
		Args:         args,
		WaitForStage: client.WorkflowUpdateStageCompleted,
	})
	if err == nil {
		err = handle.Get(ctx, result)
	}
	return f.explain(ref, name+" of", err)
}

// explain wraps the errors that users meet.
func (f *Fleet) explain(ref, doing string, err error) error {
	var app *temporal.ApplicationError
	switch {
	case err == nil:
		return nil
	case missing(err):
		return fmt.Errorf("sensor %q: %w", ref, ErrNotRunning)
	case errors.As(err, &app):
		return fmt.Errorf("sensor %q: %s", ref, app.Message())
	}
	return fmt.Errorf("%s sensor %q: %w", doing, ref, err)
}
