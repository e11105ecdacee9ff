package fleet

import (
	"context"
	"fmt"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	workflowpb "go.temporal.io/api/workflow/v1"

	"github.com/attune-automation/sensors/workflows"
)

// Step is a step of a sensor that the engine has ordered and that is not done: a poll, or one that is tried again.
type Step struct {
	Name    string    `json:"name"`              // of the activity, such as Poll
	State   string    `json:"state"`             // running, waiting (for a worker or its next attempt) or cancelling
	Attempt int       `json:"attempt"`           // from 1
	Since   time.Time `json:"since,omitzero"`    // when it last started
	Next    time.Time `json:"next,omitzero"`     // when it is tried again
	Worker  string    `json:"worker,omitempty"`  // that last took it up, process@host
	Failure string    `json:"failure,omitempty"` // of its last attempt
}

// Steps returns what a running sensor is waiting for.
func (f *Fleet) Steps(ctx context.Context, ref string) ([]Step, error) {
	res, err := f.client.DescribeWorkflowExecution(ctx, workflows.SensorID(ref), "")
	if missing(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("describing the workflow of sensor %q: %w", ref, err)
	}
	steps := make([]Step, 0, len(res.PendingActivities))
	for _, activity := range res.PendingActivities {
		steps = append(steps, readStep(activity))
	}
	return steps, nil
}

func readStep(a *workflowpb.PendingActivityInfo) Step {
	step := Step{
		Name:    a.GetActivityType().GetName(),
		Attempt: int(a.GetAttempt()),
		Worker:  name(a.GetLastWorkerIdentity()),
		Failure: a.GetLastFailure().GetMessage(),
	}
	switch a.GetState() {
	case enumspb.PENDING_ACTIVITY_STATE_STARTED:
		step.State = "running"
	case enumspb.PENDING_ACTIVITY_STATE_CANCEL_REQUESTED:
		step.State = "cancelling"
	default:
		step.State = "waiting"
	}
	if started := a.GetLastStartedTime(); started != nil {
		step.Since = started.AsTime()
	}
	if next := a.GetNextAttemptScheduleTime(); next != nil {
		step.Next = next.AsTime()
	}
	return step
}
