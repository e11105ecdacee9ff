package webhook

import (
	"encoding/json"
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/attune-automation/sensors/internal/sensor"
)

// Again returns a delivery that is another one of the same request: its payload has an ID of its own as delivery_id, and
// that of the other one as redelivered_from. It has no key, since it is a second event on purpose.
func Again(first sensor.Delivery, now time.Time) (sensor.Delivery, error) {
	var payload map[string]json.RawMessage
	if err := json.Unmarshal(first.Payload, &payload); err != nil || payload == nil {
		return sensor.Delivery{}, errors.New("its payload is no JSON object: it is none that the receiver made")
	}
	id, err := uuid.NewV7()
	if err != nil {
		return sensor.Delivery{}, err
	}
	payload["delivery_id"], payload["redelivered_from"] = encode(id.String()), encode(first.ID)
	return sensor.Delivery{ID: id.String(), SensorRef: first.SensorRef, Payload: encode(payload), ReceivedAt: now.UTC()}, nil
}
