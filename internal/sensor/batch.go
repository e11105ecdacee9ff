package sensor

import (
	"encoding/json"
	"time"
)

// MaxBatch is the most payloads that one batch holds; a larger poll becomes several.
const MaxBatch = 1000

// BatchStatus says how far a batch has come. It only ever moves forward.
type BatchStatus string

// The statuses of a batch, in order.
const (
	BatchStored    BatchStatus = "stored"    // payloads wait to become events
	BatchGenerated BatchStatus = "generated" // event rows are committed
	BatchMatched   BatchStatus = "matched"   // enforcement rows are committed
	BatchDone      BatchStatus = "done"      // the broker has confirmed every message
)

// Batch is what one poll brought back, or part of it, or one system event.
type Batch struct {
	ID         int64
	SensorID   *int64 // nil: a system event
	SensorRef  string // empty: a system event
	TriggerRef string
	Seq        int64
	Status     BatchStatus
	Count      int
	Payloads   [][]byte        // as the sensor wrote them, in poll order; nil once they are rows
	Config     json.RawMessage // snapshot of trigger and sensor, see Snapshot
}

// BatchHead is what the workflow needs to know of a batch.
type BatchHead struct {
	ID    int64
	Count int
}

// Turn is what a poll starts from: the definition, where the sensor got to, and what an earlier poll left unfinished.
type Turn struct {
	Sensor       Sensor
	Trigger      Trigger
	CommittedSeq int64
	Cursor       json.RawMessage // nil: from the beginning
	Pending      []BatchHead     // unfinished batches in order; polling waits for them
}

// PollRequest is one order to run a sensor's code.
type PollRequest struct {
	Sensor  Sensor
	Cursor  json.RawMessage // nil: from the beginning
	Timeout time.Duration   // longest duration of the poll, defaults applied
}

// Poll is what a sensor's code brought back.
type Poll struct {
	Payloads [][]byte
	Cursor   json.RawMessage // nil: the code did not set it
}

// SystemEvent is an event that no sensor saw.
type SystemEvent struct {
	TriggerRef string
	Payload    json.RawMessage
	DedupeKey  string // storing the same key again returns the first batch; empty: none
}

// Rejection is a payload that cannot become an event.
type Rejection struct {
	Position int // in its batch, from 0
	Raw      []byte
	Reason   string
}

// NewEvent is a payload that passed all checks.
type NewEvent struct {
	Position int // in its batch, from 0
	Payload  json.RawMessage
}

// Event is one occurrence of a trigger, as stored.
type Event struct {
	ID         int64
	BatchID    int64
	Position   int
	TriggerID  *int64 // nil: the trigger was gone when the event was written
	TriggerRef string
	SensorID   *int64          // nil: a system event
	SensorRef  string          // empty: a system event
	Config     json.RawMessage // see Snapshot
	Payload    json.RawMessage
	Created    time.Time
}

// Match says that a rule matched an event.
type Match struct {
	EventID int64
	Rule    *Rule
}

// Enforcement is one rule matched by one event, as stored.
type Enforcement struct {
	ID           int64
	RuleID       int64
	RuleRef      string
	EventID      int64
	EventCreated time.Time
	TriggerRef   string
	Config       json.RawMessage // {"action": ref, "params": {...}}
	Payload      json.RawMessage // the event's
	Status       string
	Condition    string
	Conditions   json.RawMessage
	Created      time.Time
	ResolvedAt   *time.Time
}
