package fleet

import (
	"context"
	"errors"
	"fmt"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/attune-automation/sensors/internal/sensor"
	"github.com/attune-automation/sensors/workflows"
)

// Run is one run of a sensor's workflow, as the engine keeps it.
type Run struct {
	RunID     string    `json:"run_id"`
	Status    string    `json:"status"`  // Running, Completed, Failed, Canceled, Terminated, ContinuedAsNew, TimedOut
	Attempt   int       `json:"attempt"` // from 1; more than 1 follows a failure
	Started   time.Time `json:"started"`
	Closed    time.Time `json:"closed,omitzero"`
	Events    int64     `json:"history_events"`
	Recovered bool      `json:"recovered"`         // this run ended a series of failures
	Failure   string    `json:"failure,omitempty"` // why it failed
}

// History returns the last runs of a sensor, newest first, at most limit.
func (f *Fleet) History(ctx context.Context, ref string, limit int) ([]Run, error) {
	if err := sensor.CheckRef(ref); err != nil { // it goes into a query
		return nil, err
	}
	page, err := f.client.ListWorkflow(ctx, &workflowservice.ListWorkflowExecutionsRequest{
		Namespace: f.namespace, PageSize: int32(limit), Query: fmt.Sprintf("WorkflowId = '%s'", workflows.SensorID(ref)),
	})
	if err != nil {
		return nil, fmt.Errorf("listing the runs of sensor %q: %w", ref, err)
	}
	runs := make([]Run, 0, len(page.Executions))
	for _, execution := range page.Executions {
		run, err := f.run(ctx, execution)
		if err != nil {
			return nil, fmt.Errorf("reading a run of sensor %q: %w", ref, err)
		}
		runs = append(runs, run)
	}
	return runs, nil
}

func (f *Fleet) run(ctx context.Context, e *workflowpb.WorkflowExecutionInfo) (Run, error) {
	run := Run{
		RunID:   e.Execution.RunId,
		Status:  e.Status.String(),
		Started: e.StartTime.AsTime(),
		Events:  e.HistoryLength,
	}
	if e.CloseTime != nil {
		run.Closed = e.CloseTime.AsTime()
	} else { // the list knows the length of closed histories only
		described, err := f.client.DescribeWorkflowExecution(ctx, e.Execution.WorkflowId, e.Execution.RunId)
		if err != nil {
			return run, err
		}
		run.Events = described.WorkflowExecutionInfo.HistoryLength
	}
	first, err := f.firstEvent(ctx, e)
	if err != nil {
		return run, err
	}
	run.Attempt = int(first.GetWorkflowExecutionStartedEventAttributes().GetAttempt())
	run.Recovered = run.Attempt > 1 && e.Status == enumspb.WORKFLOW_EXECUTION_STATUS_CONTINUED_AS_NEW
	if e.Status == enumspb.WORKFLOW_EXECUTION_STATUS_FAILED {
		last, err := f.lastEvent(ctx, e)
		if err != nil {
			return run, err
		}
		run.Failure = last.GetWorkflowExecutionFailedEventAttributes().GetFailure().GetMessage()
	}
	return run, nil
}

func (f *Fleet) firstEvent(ctx context.Context, e *workflowpb.WorkflowExecutionInfo) (*historypb.HistoryEvent, error) {
	page, err := f.client.WorkflowService().GetWorkflowExecutionHistory(ctx, &workflowservice.GetWorkflowExecutionHistoryRequest{
		Namespace: f.namespace, Execution: e.Execution, MaximumPageSize: 1,
	})
	return only(page.GetHistory(), err)
}

// lastEvent reads the history backwards: asked for the closing event of a run that was retried, the server pretends that
// the run continued as new.
func (f *Fleet) lastEvent(ctx context.Context, e *workflowpb.WorkflowExecutionInfo) (*historypb.HistoryEvent, error) {
	page, err := f.client.WorkflowService().GetWorkflowExecutionHistoryReverse(ctx, &workflowservice.GetWorkflowExecutionHistoryReverseRequest{
		Namespace: f.namespace, Execution: e.Execution, MaximumPageSize: 1,
	})
	return only(page.GetHistory(), err)
}

func only(history *historypb.History, err error) (*historypb.HistoryEvent, error) {
	if err != nil {
		return nil, err
	}
	if len(history.GetEvents()) == 0 {
		return nil, errors.New("the history is empty")
	}
	return history.Events[0], nil
}
