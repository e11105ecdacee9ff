package dispatch

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	taskqueuepb "go.temporal.io/api/taskqueue/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"

	"github.com/attune-automation/sensors/internal/sensor"
)

// order is one action to carry out. The SDK's own calls make a new request ID each time, so most of it goes to the
// service itself.
type order struct {
	connection
	action    sensor.TemporalAction
	id        string
	own       bool // the ID is the enforcement's own: no other order has it
	requestID string
}

// identity is how the server's histories name who did it.
const identity = "attune-sensors"

func (o order) carryOut(ctx context.Context) (sensor.Link, error) {
	switch o.action.Operation {
	case sensor.OperationStart:
		return o.start(ctx)
	case sensor.OperationSignal:
		return o.signal(ctx)
	case sensor.OperationSignalWithStart:
		return o.signalWithStart(ctx)
	default:
		return o.updateWithStart(ctx)
	}
}

func (o order) start(ctx context.Context) (sensor.Link, error) {
	input, err := payloads(o.action.Input)
	if err != nil {
		return sensor.Link{}, err
	}
	conflict := enumspb.WORKFLOW_ID_CONFLICT_POLICY_FAIL
	if o.action.OnConflict == sensor.UseExisting {
		conflict = enumspb.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING
	}
	res, err := o.client.WorkflowService().StartWorkflowExecution(ctx, &workflowservice.StartWorkflowExecutionRequest{
		Namespace: o.namespace, WorkflowId: o.id, WorkflowType: &commonpb.WorkflowType{Name: o.action.Workflow},
		TaskQueue: taskQueue(o.action.TaskQueue), Input: input, Identity: identity, RequestId: o.requestID,
		WorkflowIdReusePolicy: o.reuse(), WorkflowIdConflictPolicy: conflict,
	})
	var started *serviceerror.WorkflowExecutionAlreadyStarted
	switch {
	case err == nil:
		return o.link(res.GetRunId()), nil
	case errors.As(err, &started) && (o.own || started.StartRequestId == o.requestID):
		return o.link(started.RunId), nil // an earlier try did it
	}
	return sensor.Link{}, err
}

func (o order) signal(ctx context.Context) (sensor.Link, error) {
	input, err := payloads(o.action.Input)
	if err != nil {
		return sensor.Link{}, err
	}
	_, err = o.client.WorkflowService().SignalWorkflowExecution(ctx, &workflowservice.SignalWorkflowExecutionRequest{
		Namespace: o.namespace, WorkflowExecution: &commonpb.WorkflowExecution{WorkflowId: o.id}, SignalName: o.action.Name,
		Input: input, Identity: identity, RequestId: o.requestID,
	})
	return o.link(""), err
}

func (o order) signalWithStart(ctx context.Context) (sensor.Link, error) {
	input, err := payloads(o.action.Input)
	if err != nil {
		return sensor.Link{}, err
	}
	startInput, err := payloads(o.action.StartInput)
	if err != nil {
		return sensor.Link{}, err
	}
	res, err := o.client.WorkflowService().SignalWithStartWorkflowExecution(ctx, &workflowservice.SignalWithStartWorkflowExecutionRequest{
		Namespace: o.namespace, WorkflowId: o.id, WorkflowType: &commonpb.WorkflowType{Name: o.action.Workflow},
		TaskQueue: taskQueue(o.action.TaskQueue), Input: startInput, Identity: identity, RequestId: o.requestID,
		SignalName: o.action.Name, SignalInput: input, WorkflowIdReusePolicy: o.reuse(),
		WorkflowIdConflictPolicy: enumspb.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING,
	})
	var started *serviceerror.WorkflowExecutionAlreadyStarted
	if errors.As(err, &started) && o.own {
		return o.link(started.RunId), nil // an earlier try did it, and the workflow has ended since
	}
	return o.link(res.GetRunId()), err
}

func (o order) updateWithStart(ctx context.Context) (sensor.Link, error) {
	start := o.client.NewWithStartWorkflowOperation(client.StartWorkflowOptions{
		ID: o.id, TaskQueue: o.action.TaskQueue, WorkflowIDReusePolicy: o.reuse(),
		WorkflowIDConflictPolicy: enumspb.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING,
	}, o.action.Workflow, arguments(o.action.StartInput)...)
	handle, err := o.client.UpdateWithStartWorkflow(ctx, client.UpdateWithStartWorkflowOptions{
		StartWorkflowOperation: start,
		UpdateOptions: client.UpdateWorkflowOptions{
			UpdateID: o.requestID, UpdateName: o.action.Name, Args: arguments(o.action.Input),
			WaitForStage: client.WorkflowUpdateStageAccepted,
		},
	})
	var started *serviceerror.WorkflowExecutionAlreadyStarted
	switch {
	case err == nil:
		return o.link(handle.RunID()), nil
	case errors.As(err, &started) && o.own:
		return o.link(started.RunId), nil
	}
	return sensor.Link{}, err
}

// reuse lets an ID that the rule gives be started again once its run has ended; the enforcement's own is for one run.
func (o order) reuse() enumspb.WorkflowIdReusePolicy {
	if o.own {
		return enumspb.WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE
	}
	return enumspb.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE
}

func (o order) link(runID string) sensor.Link {
	return sensor.Link{Namespace: o.namespace, WorkflowID: o.id, RunID: runID}
}

func taskQueue(name string) *taskqueuepb.TaskQueue {
	return &taskqueuepb.TaskQueue{Name: name, Kind: enumspb.TASK_QUEUE_KIND_NORMAL}
}

// arguments are what a workflow, signal or update is called with: one JSON value, or nothing.
func arguments(input json.RawMessage) []any {
	if input == nil {
		return nil
	}
	return []any{input}
}

func payloads(input json.RawMessage) (*commonpb.Payloads, error) {
	if input == nil {
		return nil, nil
	}
	encoded, err := converter.GetDefaultDataConverter().ToPayloads(input)
	if err != nil {
		return nil, fmt.Errorf("%w: input: %v", sensor.ErrRefused, err) //nolint:errorlint // one sentinel is enough
	}
	return encoded, nil
}

// explain tells what will never work from what may: a server that is away, or does not know us or the namespace yet.
func explain(err error) error {
	var (
		invalid *serviceerror.InvalidArgument
		missing *serviceerror.NotFound
		started *serviceerror.WorkflowExecutionAlreadyStarted
		failed  *serviceerror.FailedPrecondition
	)
	switch {
	case errors.As(err, &started):
		return fmt.Errorf("%w: it runs already, or has run: write on_conflict: use_existing, or another id", sensor.ErrRefused)
	case errors.As(err, &missing):
		return fmt.Errorf("%w: no such workflow runs: write signal_with_start, or see that it does", sensor.ErrRefused)
	case errors.As(err, &invalid), errors.As(err, &failed):
		return fmt.Errorf("%w: %v", sensor.ErrRefused, err) //nolint:errorlint // one sentinel is enough
	}
	return err
}
