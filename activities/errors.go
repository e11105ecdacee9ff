package activities

import (
	"context"
	"errors"
	"time"

	"go.temporal.io/sdk/temporal"

	"github.com/attune-automation/sensors/internal/sensor"
)

// Types of the application errors that workflows tell apart.
const (
	// TypeSensorError is a failure of the sensor itself. Activities are never retried after it; it counts against the
	// sensor's restart policy.
	TypeSensorError = "SensorError"
	// TypeRefused is an order that cannot be carried out however often it is tried.
	TypeRefused = "Refused"
	// TypeBatchInHand refuses an edit of the cursor until the sensor's unfinished batches are worked off.
	TypeBatchInHand = "BatchInHand"
)

// handOver is when another worker is given what this one hands back. Without it, the pause would be longer each time,
// which a stream would feel that has seen many workers go.
const handOver = time.Second

// maxMessage bounds what a failure adds to a workflow's history.
const maxMessage = 16 << 10

// translate turns the error of a step into what Temporal should do about it: the sensor's own faults and refused
// orders are final, everything else is the infrastructure's and retried for ever.
func translate(err error) error {
	var fault *sensor.Fault
	switch {
	case err == nil:
		return nil
	case errors.As(err, &fault):
		return temporal.NewApplicationErrorWithOptions(clip(fault.Error()), TypeSensorError,
			temporal.ApplicationErrorOptions{NonRetryable: true, Details: []any{string(fault.Kind)}})
	case errors.Is(err, errWorkerStopping):
		return temporal.NewApplicationErrorWithOptions(err.Error(), "",
			temporal.ApplicationErrorOptions{NextRetryDelay: handOver})
	case errors.Is(err, context.Canceled):
		return err
	case errors.Is(err, sensor.ErrBatchInHand):
		return temporal.NewApplicationErrorWithOptions(clip(err.Error()), TypeBatchInHand,
			temporal.ApplicationErrorOptions{NonRetryable: true})
	case errors.Is(err, sensor.ErrNotFound), errors.Is(err, sensor.ErrDisabled), errors.Is(err, sensor.ErrRejectedPayload):
		return temporal.NewApplicationErrorWithOptions(clip(err.Error()), TypeRefused,
			temporal.ApplicationErrorOptions{NonRetryable: true})
	}
	return err
}

func clip(s string) string {
	if len(s) <= maxMessage {
		return s
	}
	const mark = "\n[...]\n"
	return s[:maxMessage/2] + mark + s[len(s)-maxMessage/2:]
}
