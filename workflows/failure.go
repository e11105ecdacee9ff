package workflows

import (
	"errors"
	"fmt"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/attune-automation/sensors/activities"
)

// fail ends the run with a failure. The engine's retry policy decides whether there is a next attempt; the
// one that has none emits core.sensor_failed first.
func (l *loop) fail(ctx workflow.Context, failure error) (SensorResult, error) {
	l.salvage(ctx)
	l.receive(ctx)
	if l.stopping != "" {
		return l.finish(ctx)
	}
	l.closing = true
	l.fault = failure
	l.ended = l.started
	if l.recovered {
		return l.relapse(ctx, failure)
	}
	forGood := l.attempt >= l.allowed
	p := &l.carry.Progress
	p.Waiting, p.WaitingSince = "", time.Time{}
	p.LastError, p.LastErrorAt = message(failure), workflow.Now(ctx)
	state := StateBackingOff
	if forGood {
		state = StateFailed
		if err := l.emitFailed(ctx, failure); err != nil {
			return SensorResult{}, err
		}
	}
	l.failed = forGood // with the state, so that nobody sees one without the other
	if err := l.enter(ctx, state); err != nil {
		return SensorResult{}, err
	}
	if err := l.settle(ctx); err != nil {
		return SensorResult{}, err
	}
	return SensorResult{}, temporal.NewApplicationErrorWithOptions(p.LastError, activities.TypeSensorError,
		temporal.ApplicationErrorOptions{Details: []any{l.carry}})
}

// salvage works off what a failing poll stored up to its last checkpoint, so that it does not lie about while the sensor
// is down. An order that cannot be carried out must not hide the failure.
func (l *loop) salvage(ctx workflow.Context) {
	ctx, cancel := workflow.NewDisconnectedContext(ctx)
	defer cancel()
	if err := l.sweep(ctx); err != nil {
		workflow.GetLogger(ctx).Error("what a failed poll stored is not worked off", "error", err)
	}
}

// relapse hands a failure to the next run: a stream that recovered did not continue as new, which would have restarted
// it, so the engine would count this first failure as one more of those before.
func (l *loop) relapse(ctx workflow.Context, failure error) (SensorResult, error) {
	l.carry.Failure = &Failure{Message: message(failure)}
	_ = details(failure, &l.carry.Failure.Kind) // stays empty when it is not the sensor's own code that failed
	if err := l.settle(ctx); err != nil {
		return SensorResult{}, err
	}
	return SensorResult{}, l.continueAsNew(ctx)
}

// err is the failure as the poll activity reported it.
func (f *Failure) err() error {
	return temporal.NewApplicationErrorWithOptions(f.Message, activities.TypeSensorError,
		temporal.ApplicationErrorOptions{Details: []any{f.Kind}})
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
