package workflows

import (
	"encoding/json"
	"fmt"

	"go.temporal.io/sdk/workflow"

	"github.com/attune-automation/sensors/internal/sensor"
)

// EmitInput is a system event: one that is stored already, by the ID of its batch, or one to store first, whose
// payload is the project's own and small.
type EmitInput struct {
	BatchID int64               `json:"batch_id,omitempty"`
	Event   *sensor.SystemEvent `json:"event,omitempty"`
}

// EmitResult is what became of a system event.
type EmitResult struct {
	EventID      int64  `json:"event_id,omitempty"` // 0: the payload was refused
	Enforcements int    `json:"enforcements"`
	Refused      string `json:"refused,omitempty"` // why
}

// EmitID is the workflow ID of the emission of a stored batch.
func EmitID(batchID int64) string { return fmt.Sprintf("emit:%d", batchID) }

// EmitEvent turns one system event into an event and its enforcements, by the activities that sensors use.
func EmitEvent(ctx workflow.Context, in EmitInput) (EmitResult, error) {
	id := in.BatchID
	if in.Event != nil {
		summary := "store an event of " + in.Event.TriggerRef
		if err := step(ctx, false, summary, emitter.StoreSystemEvent, &id, *in.Event); err != nil {
			return EmitResult{}, err
		}
	}
	done, err := process(ctx, id, false)
	if err != nil {
		return EmitResult{}, err
	}
	return EmitResult{EventID: done.FirstEventID, Enforcements: done.Enforcements, Refused: done.FirstReason}, nil
}

// failedEvent is the system event that tells that a sensor failed for good.
func failedEvent(ctx workflow.Context, ref string, attempts int, failure error) (sensor.SystemEvent, error) {
	info := workflow.GetInfo(ctx)
	var kind string // stays empty when it is not the sensor's own code that failed
	_ = details(failure, &kind)
	payload, err := json.Marshal(map[string]any{
		"sensor_ref":  ref,
		"kind":        kind,
		"error":       message(failure),
		"attempts":    attempts,
		"workflow_id": info.WorkflowExecution.ID,
		"run_id":      info.WorkflowExecution.RunID,
		"failed_at":   workflow.Now(ctx).UTC(),
	})
	return sensor.SystemEvent{
		TriggerRef: sensor.TriggerSensorFailed,
		Payload:    payload,
		DedupeKey:  "sensor_failed:" + info.WorkflowExecution.RunID,
	}, err
}
