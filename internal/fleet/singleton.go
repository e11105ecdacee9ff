package fleet

import (
	"context"
	"errors"
	"fmt"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"

	"github.com/attune-automation/sensors/workflows"
)

// once are the options of a workflow of which at most one runs: to start it again while it does changes nothing.
func (f *Fleet) once(id, summary string) client.StartWorkflowOptions {
	return client.StartWorkflowOptions{
		ID:                       id,
		TaskQueue:                f.queue,
		WorkflowIDReusePolicy:    enumspb.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE,
		WorkflowIDConflictPolicy: enumspb.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING,
		StaticSummary:            summary,
	}
}

// EnsureManager makes sure that the manager runs.
func (f *Fleet) EnsureManager(ctx context.Context) error {
	options := f.once(workflows.ManagerID, "keeps the enabled sensors running")
	if _, err := f.client.ExecuteWorkflow(ctx, options, workflows.SensorManager); err != nil {
		return fmt.Errorf("starting the sensor manager: %w", err)
	}
	return nil
}

// Poke makes the manager look at all sensors at once. Without a manager nothing happens: a worker starts one.
func (f *Fleet) Poke(ctx context.Context) error {
	err := f.client.SignalWorkflow(ctx, workflows.ManagerID, "", workflows.SignalReconcile, nil)
	if err != nil && !missing(err) {
		return fmt.Errorf("sending %s to the sensor manager: %w", workflows.SignalReconcile, err)
	}
	return nil
}

// ResumeEmit makes sure that a stored system event is worked on.
func (f *Fleet) ResumeEmit(ctx context.Context, batchID int64) error {
	_, err := f.emit(ctx, batchID)
	return err
}

// Emit turns a stored system event into an event and its enforcements, and returns once they are published.
func (f *Fleet) Emit(ctx context.Context, batchID int64) (workflows.EmitResult, error) {
	var result workflows.EmitResult
	run, err := f.emit(ctx, batchID)
	if err == nil {
		err = run.Get(ctx, &result)
	}
	if err != nil {
		return result, fmt.Errorf("emitting the event: %w", err)
	}
	return result, nil
}

func (f *Fleet) emit(ctx context.Context, batchID int64) (client.WorkflowRun, error) {
	options := f.once(workflows.EmitID(batchID), fmt.Sprintf("emits the system event of batch %d", batchID))
	return f.client.ExecuteWorkflow(ctx, options, workflows.EmitEvent, workflows.EmitInput{BatchID: batchID})
}

var attributes = map[string]enumspb.IndexedValueType{
	workflows.AttributeRef.GetName():     enumspb.INDEXED_VALUE_TYPE_KEYWORD,
	workflows.AttributeRuntime.GetName(): enumspb.INDEXED_VALUE_TYPE_KEYWORD,
	workflows.AttributeTrigger.GetName(): enumspb.INDEXED_VALUE_TYPE_KEYWORD,
	workflows.AttributeState.GetName():   enumspb.INDEXED_VALUE_TYPE_KEYWORD,
	workflows.AttributeVersion.GetName(): enumspb.INDEXED_VALUE_TYPE_INT,
	workflows.AttributeSince.GetName():   enumspb.INDEXED_VALUE_TYPE_DATETIME,
}

// EnsureSearchAttributes registers the search attributes of sensors in the namespace, and returns once the server can
// be asked for them.
func (f *Fleet) EnsureSearchAttributes(ctx context.Context) error {
	operator := f.client.OperatorService()
	list := func() (map[string]enumspb.IndexedValueType, error) {
		res, err := operator.ListSearchAttributes(ctx, &operatorservice.ListSearchAttributesRequest{Namespace: f.namespace})
		if err != nil {
			return nil, fmt.Errorf("listing the search attributes of namespace %q: %w", f.namespace, err)
		}
		return res.CustomAttributes, nil
	}
	known, err := list()
	if err != nil {
		return err
	}
	lacking, err := compare(known)
	if err != nil || len(lacking) == 0 {
		return err
	}
	_, err = operator.AddSearchAttributes(ctx, &operatorservice.AddSearchAttributesRequest{Namespace: f.namespace, SearchAttributes: lacking})
	var exists *serviceerror.AlreadyExists
	if err != nil && !errors.As(err, &exists) {
		return fmt.Errorf("adding search attributes to namespace %q (needs an admin's permission once): %w", f.namespace, err)
	}
	return f.usable(ctx)
}

// usable waits until the frontend takes the attributes in queries: it keeps a copy that lags.
func (f *Fleet) usable(ctx context.Context) error {
	for {
		_, err := f.list(ctx, queryFailed+` and SensorSince is not null`)
		var invalid *serviceerror.InvalidArgument
		if !errors.As(err, &invalid) {
			return err
		}
		select {
		case <-time.After(queryPause):
		case <-ctx.Done():
			return fmt.Errorf("waiting for the search attributes of namespace %q: %w", f.namespace, err)
		}
	}
}

// compare returns the attributes that the namespace lacks; one of another type is an error.
func compare(known map[string]enumspb.IndexedValueType) (map[string]enumspb.IndexedValueType, error) {
	lacking := map[string]enumspb.IndexedValueType{}
	for name, want := range attributes {
		have, ok := known[name]
		switch {
		case !ok:
			lacking[name] = want
		case have != want:
			return nil, fmt.Errorf("search attribute %s is a %s in this namespace and must be a %s: remove it or use another namespace", name, have, want)
		}
	}
	return lacking, nil
}
