package sensor

import "time"

// Delivery is one request that a webhook sensor accepted: it waits in the database until the sensor's loop turns it
// into an event.
type Delivery struct {
	ID         string    // UUIDv7, the payload's delivery_id and what the sender was answered
	SensorRef  string    // of the webhook
	Key        string    // how the sender names the delivery: a second one with the same key is a duplicate; empty: none
	Payload    []byte    // of the event, complete
	ReceivedAt time.Time // of the request
}

// Receipt is what became of a delivery that was to be stored.
type Receipt struct {
	ID        string // of the delivery, or of the first with its key
	Duplicate bool   // the sender has delivered the same before, and it was accepted then
	Err       error  // why this one is not stored; nil: it is
}
