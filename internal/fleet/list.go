package fleet

import (
	"context"
	"fmt"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/converter"

	"github.com/attune-automation/sensors/workflows"
)

// pageSize is how many workflows one request lists: visibility requests are rationed, so pages are large.
const pageSize = 1000

// Live is what the engine's lists say of a sensor.
type Live struct {
	Ref     string
	State   workflows.State
	Version int64     // of the definition in force, or at which it failed
	Since   time.Time // when it entered the state, in whichever run that was; of one that does not run, when it ended
	running bool
}

// Running returns the definition versions of the running sensors, by ref.
func (f *Fleet) Running(ctx context.Context) (map[string]int64, error) {
	running, err := f.list(ctx, queryRunning)
	return versions(running), err
}

// Failed returns the definition versions of the sensors whose last closed run failed for good, by ref. Some may run
// again by now.
func (f *Fleet) Failed(ctx context.Context) (map[string]int64, error) {
	failed, err := f.failed(ctx)
	return versions(failed), err
}

// Live returns what is known of every sensor that runs or has failed for good, by ref.
func (f *Fleet) Live(ctx context.Context) (map[string]Live, error) {
	all, err := f.failed(ctx)
	if err != nil {
		return nil, err
	}
	running, err := f.list(ctx, queryRunning)
	if err != nil {
		return nil, err
	}
	for ref, live := range running {
		all[ref] = live
	}
	return all, nil
}

// failed leaves out sensors that were started again after they had failed and have ended in another way since.
func (f *Fleet) failed(ctx context.Context) (map[string]Live, error) {
	failed, err := f.list(ctx, queryFailed)
	if err != nil || len(failed) == 0 {
		return failed, err
	}
	ended, err := f.list(ctx, queryEnded)
	if err != nil {
		return nil, err
	}
	for ref, last := range ended {
		if last.Since.After(failed[ref].Since) {
			delete(failed, ref)
		}
	}
	return failed, nil
}

const (
	queryRunning = `WorkflowType = 'Sensor' and ExecutionStatus = 'Running'`
	queryFailed  = `WorkflowType = 'Sensor' and ExecutionStatus = 'Failed' and SensorState = 'failed'`
	queryEnded   = `WorkflowType = 'Sensor' and ExecutionStatus in ('Completed', 'Canceled', 'Terminated', 'TimedOut')`
)

func versions(all map[string]Live) map[string]int64 {
	byRef := make(map[string]int64, len(all))
	for ref, live := range all {
		byRef[ref] = live.Version
	}
	return byRef
}

// list returns the latest execution that matches the query, for each sensor.
func (f *Fleet) list(ctx context.Context, query string) (map[string]Live, error) {
	found := map[string]Live{}
	var token []byte
	for {
		page, err := f.client.ListWorkflow(ctx, &workflowservice.ListWorkflowExecutionsRequest{
			Namespace: f.namespace, PageSize: pageSize, NextPageToken: token, Query: query,
		})
		if err != nil {
			return nil, fmt.Errorf("listing the sensors' workflows: %w", err)
		}
		for _, execution := range page.Executions {
			live := read(execution)
			if known, ok := found[live.Ref]; !ok || known.Since.Before(live.Since) {
				found[live.Ref] = live
			}
		}
		token = page.NextPageToken
		if len(token) == 0 {
			return found, nil
		}
	}
}

// describe returns the sensor's last run; nil if there is none.
func (f *Fleet) describe(ctx context.Context, ref string) (*Live, error) {
	res, err := f.client.DescribeWorkflowExecution(ctx, workflows.SensorID(ref), "")
	if missing(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("describing the workflow of sensor %q: %w", ref, err)
	}
	live := read(res.WorkflowExecutionInfo)
	return &live, nil
}

// read takes what the fleet needs from an execution.
func read(e *workflowpb.WorkflowExecutionInfo) Live {
	live := Live{running: e.Status == enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING, Since: e.GetStartTime().AsTime()}
	fields := e.GetSearchAttributes().GetIndexedFields()
	attribute(fields, workflows.AttributeSince.GetName(), &live.Since)
	if !live.running && e.CloseTime != nil {
		live.Since = e.CloseTime.AsTime()
	}
	attribute(fields, workflows.AttributeRef.GetName(), &live.Ref)
	attribute(fields, workflows.AttributeState.GetName(), &live.State)
	attribute(fields, workflows.AttributeVersion.GetName(), &live.Version)
	return live
}

// attribute reads a search attribute; one that is absent or of another type leaves v as it is, which a workflow that
// was started by other means than ours may have.
func attribute(fields map[string]*commonpb.Payload, name string, v any) {
	if payload, ok := fields[name]; ok {
		_ = converter.GetDefaultDataConverter().FromPayload(payload, v)
	}
}

// Counts returns how many of the sensors with these refs are in each state: running ones by their own state, and those
// that failed for good.
func (f *Fleet) Counts(ctx context.Context, refs []string) (map[string]int64, error) {
	all, err := f.Live(ctx)
	if err != nil {
		return nil, err
	}
	counts := map[string]int64{}
	for _, state := range countedStates() {
		counts[string(state)] = 0
	}
	for _, ref := range refs {
		if live, ok := all[ref]; ok {
			counts[string(live.State)]++
		}
	}
	return counts, nil
}

// countedStates are those that Counts counts, also when no sensor is in them.
func countedStates() []workflows.State {
	return []workflows.State{
		workflows.StateRunning, workflows.StateWaiting, workflows.StatePaused, workflows.StateBackingOff, workflows.StateFailed,
	}
}
