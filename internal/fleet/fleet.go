// Package fleet is the sensors' workflows as seen from outside: it starts, stops, lists and asks them through a
// Temporal client. The manager's reconciliation and the command line share it.
package fleet

import (
	"context"
	"errors"
	"fmt"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"github.com/attune-automation/sensors/activities"
	"github.com/attune-automation/sensors/internal/sensor"
	"github.com/attune-automation/sensors/workflows"
)

// ErrNotRunning: the sensor has no running workflow.
var ErrNotRunning = errors.New("not running")

// Config is what a Fleet needs.
type Config struct {
	Client    client.Client
	Namespace string
	TaskQueue string
}

// Fleet is the sensors' workflows of one namespace.
type Fleet struct {
	client    client.Client
	namespace string
	queue     string
}

// New returns a Fleet.
func New(c Config) (*Fleet, error) {
	switch {
	case c.Client == nil:
		return nil, errors.New("fleet: Client is missing")
	case c.Namespace == "":
		return nil, errors.New("fleet: Namespace is empty")
	case c.TaskQueue == "":
		return nil, errors.New("fleet: TaskQueue is empty")
	}
	return &Fleet{client: c.Client, namespace: c.Namespace, queue: c.TaskQueue}, nil
}

// Start starts a sensor unless it runs already or its last run failed for good at this very version of its definition.
// It says whether it did.
func (f *Fleet) Start(ctx context.Context, spec sensor.Spec) (bool, error) {
	last, err := f.describe(ctx, spec.Ref)
	if err != nil {
		return false, err
	}
	if last != nil && (last.running || (last.State == workflows.StateFailed && last.Version == spec.Version)) {
		return false, nil
	}
	return f.Launch(ctx, spec)
}

// Launch starts a sensor whatever its last run came to, and says whether it did: false means that it runs already.
func (f *Fleet) Launch(ctx context.Context, spec sensor.Spec) (bool, error) {
	_, err := f.client.ExecuteWorkflow(ctx, client.StartWorkflowOptions{
		ID:                                       workflows.SensorID(spec.Ref),
		TaskQueue:                                f.queue,
		WorkflowIDReusePolicy:                    enumspb.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE,
		WorkflowIDConflictPolicy:                 enumspb.WORKFLOW_ID_CONFLICT_POLICY_FAIL,
		WorkflowExecutionErrorWhenAlreadyStarted: true,
		RetryPolicy:                              workflows.RetryPolicy(spec.MaxAttempts),
		TypedSearchAttributes: temporal.NewSearchAttributes(
			workflows.AttributeRef.ValueSet(spec.Ref),
			workflows.AttributeRuntime.ValueSet(spec.Runtime),
			workflows.AttributeTrigger.ValueSet(spec.TriggerRef),
			workflows.AttributeState.ValueSet(string(workflows.StateRunning)),
			workflows.AttributeVersion.ValueSet(spec.Version),
			workflows.AttributeSince.ValueSet(time.Now()),
		),
		StaticSummary: fmt.Sprintf("%s watches for %s", spec.Ref, spec.TriggerRef),
		StaticDetails: about(spec),
	}, workflows.Sensor, workflows.SensorInput{Ref: spec.Ref})
	if already(err) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("starting the workflow of sensor %q: %w", spec.Ref, err)
	}
	return true, nil
}

func about(spec sensor.Spec) string {
	how := fmt.Sprintf("polled every %s", spec.PollInterval)
	switch {
	case spec.Stream:
		how = "a stream"
	case spec.Runtime == sensor.RuntimeTimer:
		how = "polled at each tick"
	}
	if spec.Queue != "" {
		how += fmt.Sprintf(", by queue `%s`", spec.Queue)
	}
	return fmt.Sprintf("Runtime `%s`, %s; gives up after %d failures in a row.", spec.Runtime, how, spec.MaxAttempts)
}

// Stop asks a running sensor to finish what it has in hand and complete. A sensor that does not run is left alone.
func (f *Fleet) Stop(ctx context.Context, ref, reason string) error {
	return f.signal(ctx, ref, workflows.SignalStop, reason)
}

// Reload tells a running sensor that its definition changed. A sensor that does not run is left alone.
func (f *Fleet) Reload(ctx context.Context, ref string) error {
	return f.signal(ctx, ref, workflows.SignalReload, nil)
}

// Wake tells a running sensor what its stream brought, or that it has batches in hand. A sensor that does not run is left
// alone.
func (f *Fleet) Wake(ctx context.Context, ref string, news activities.Brought) error {
	return f.signal(ctx, ref, workflows.SignalWake, news)
}

func (f *Fleet) signal(ctx context.Context, ref, name string, arg any) error {
	err := f.client.SignalWorkflow(ctx, workflows.SensorID(ref), "", name, arg)
	if err != nil && !missing(err) {
		return fmt.Errorf("sending %s to sensor %q: %w", name, ref, err)
	}
	return nil
}

// Wait returns once the sensor's workflow is closed, at once if it is.
func (f *Fleet) Wait(ctx context.Context, ref string) error {
	err := f.client.GetWorkflow(ctx, workflows.SensorID(ref), "").Get(ctx, nil)
	if ctx.Err() != nil {
		return fmt.Errorf("waiting for sensor %q to stop: %w", ref, ctx.Err())
	}
	var closed *temporal.WorkflowExecutionError
	if err == nil || missing(err) || errors.As(err, &closed) {
		return nil
	}
	return fmt.Errorf("waiting for sensor %q to stop: %w", ref, err)
}

// Terminate ends a sensor's workflow at once. Nothing is lost: the next start goes on from the database.
func (f *Fleet) Terminate(ctx context.Context, ref, reason string) error {
	err := f.client.TerminateWorkflow(ctx, workflows.SensorID(ref), "", reason)
	if err != nil && !missing(err) {
		return fmt.Errorf("terminating sensor %q: %w", ref, err)
	}
	return nil
}

func already(err error) bool {
	var started *serviceerror.WorkflowExecutionAlreadyStarted
	return errors.As(err, &started)
}

func missing(err error) bool {
	var notFound *serviceerror.NotFound
	return errors.As(err, &notFound)
}
