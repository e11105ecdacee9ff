package workflows

import (
	"errors"
	"fmt"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/attune-automation/sensors/activities"
)

// fail ends the run with a failure. The engine's retry policy decides whether there is a next attempt; the
// one that has none emits core.sensor_failed first.
func (l *loop) fail(ctx workflow.Context, failure error) (SensorResult, error) {
	l.receive()
	if l.stopping != "" {
		return l.finish(ctx)
	}
	l.closing = true
	l.fault = failure
	l.ended = l.started
	l.failed = l.attempt >= l.allowed
	p := &l.carry.Progress
	p.LastError, p.LastErrorAt = message(failure), workflow.Now(ctx)
	state := StateBackingOff
	if l.failed {
		state = StateFailed
		if err := l.emitFailed(ctx, failure); err != nil {
			return SensorResult{}, err
		}
	}
	if err := l.enter(ctx, state); err != nil {
		return SensorResult{}, err
	}
	if err := l.settle(ctx); err != nil {
		return SensorResult{}, err
	}
	return SensorResult{}, temporal.NewApplicationErrorWithOptions(p.LastError, activities.TypeSensorError,
		temporal.ApplicationErrorOptions{Details: []any{l.carry}})
}

// emitFailed starts the emission of core.sensor_failed as a workflow of its own, which outlives this one.
func (l *loop) emitFailed(ctx workflow.Context, failure error) error {
	event, err := failedEvent(ctx, l.ref, l.attempt, failure)
	if err != nil {
		return err
	}
	child := workflow.WithChildOptions(ctx, workflow.ChildWorkflowOptions{
		WorkflowID:        "emit:" + event.DedupeKey,
		ParentClosePolicy: enumspb.PARENT_CLOSE_POLICY_ABANDON,
		StaticSummary:     fmt.Sprintf("%s: %s failed", event.TriggerRef, l.ref),
	})
	emission := workflow.ExecuteChildWorkflow(child, EmitEvent, EmitInput{Event: &event})
	if err := emission.GetChildWorkflowExecution().Get(ctx, nil); err != nil {
		return fmt.Errorf("starting the emission of %s: %w", event.TriggerRef, err)
	}
	return nil
}

// message returns the sensor's own words, without the layers that carried them.
func message(err error) string {
	var app *temporal.ApplicationError
	if errors.As(err, &app) {
		return app.Message()
	}
	return err.Error()
}

// details reads the details of a failure into v.
func details(err error, v any) error {
	var app *temporal.ApplicationError
	if !errors.As(err, &app) || !app.HasDetails() {
		return errors.New("the failure has no details")
	}
	return app.Details(v)
}
