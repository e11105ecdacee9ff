package sensor

import (
	"context"
	"encoding/json"
	"time"
)

// MaxBatch is the most payloads that one batch holds; a larger poll becomes several.
const MaxBatch = 1000

// MaxKey is the most bytes that the key of an event has.
const MaxKey = 1024

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
	Count      int             // 0: it only moves the cursor
	Payloads   [][]byte        // as the sensor wrote them, in poll order; nil once they are rows
	Triggers   []string        // of each payload, empty: TriggerRef; nil: all are of TriggerRef
	Occurred   []*time.Time    // when each happened, nil: not known; nil: of none
	Config     json.RawMessage // snapshot of trigger and sensor, see Snapshot
}

// Item returns what the poll said of the payload at a position.
func (b Batch) Item(position int) Item {
	item := Item{Payload: b.Payloads[position]}
	if b.Triggers != nil {
		item.TriggerRef = b.Triggers[position]
	}
	if b.Occurred != nil && b.Occurred[position] != nil {
		item.OccurredAt = *b.Occurred[position]
	}
	return item
}

// BatchHead is what the workflow needs to know of a batch.
type BatchHead struct {
	ID    int64
	Count int
}

// Turn is what a poll starts from: the definition, where the sensor got to, and what an earlier poll left unfinished.
type Turn struct {
	Sensor  Sensor
	Trigger Trigger         // the first of the sensor's
	TailSeq int64           // number of the sensor's last batch or change of the cursor; whoever appends goes on from it
	Cursor  json.RawMessage // as the last batch leaves it; nil: from the beginning
	Pending []BatchHead     // unfinished batches in order
}

// Appended is what became of a part of a poll.
type Appended struct {
	Batches    []BatchHead // in order
	Seq        int64       // the tail by now: the next part of the same poll goes on from it
	Suppressed int         // items that were dropped because their key is there already
	Events     []Event     // of the only batch, whose rows are written; nil: the batches wait to become events
}

// PollRequest is one order to run a sensor's code.
type PollRequest struct {
	Sensor  Sensor
	Cursor  json.RawMessage // nil: from the beginning
	Timeout time.Duration   // longest duration of the poll, defaults applied; 0: none, the sensor is a stream

	// Seq returns the number of the sensor's last change: of the one that the poll starts from, and after Take of that
	// part. A poll that starts from the number that another left finds all as that left it, cursor and entries.
	Seq func() int64
	// Entries reads what the sensor keeps besides its cursor, in no order.
	Entries func(ctx context.Context) ([]Entry, error)

	// Take stores a part of what the poll brings, which is then kept whatever becomes of the rest of the poll. It is
	// called for the parts in order, one at a time. Its error ends the poll and is the poll's error.
	Take func(ctx context.Context, part Part) error
}

// Part is what a poll brought up to a checkpoint, or up to its successful end.
type Part struct {
	Items  []Item
	Cursor json.RawMessage // nil: it stays as it is

	// Entries are what changes of what the sensor keeps besides its cursor, each key once. They are written with the part.
	Entries []Entry
	// ResetEntries deletes what is kept so far, before Entries are written.
	ResetEntries bool
	// Deliveries are the IDs of the webhook deliveries that the items come from. They are marked with the part.
	Deliveries []string
}

// Item is one event as a sensor's code yielded it.
type Item struct {
	Payload    []byte    // as the code wrote it
	Key        string    // suppresses later events of the sensor with the same key; empty: none
	TriggerRef string    // one of the sensor's triggers; empty: the first of them
	OccurredAt time.Time // when it happened, as the code says; zero: it does not
}

// Poll is how a poll ended; what it brought went through PollRequest.Take.
type Poll struct {
	More      bool          // the code has more to bring: poll again at once
	NextAfter time.Duration // when the code wants the next poll, from now; 0: at the sensor's interval
	NextAt    time.Time     // when the next poll is due, whatever the interval; zero: see NextAfter
	Done      bool          // nothing will ever come again: the sensor has completed
	Linger    bool          // more may come any moment: whoever polled may stay for a moment, and poll again
	Skip      string        // why it brought nothing, as the code says
	Usage     Usage
	Sandbox   string // what contained the code: bwrap or none; empty: it was no process
	Warm      bool   // the code ran in a process of an earlier poll
}

// Usage is what a poll took.
type Usage struct {
	Wall   time.Duration
	CPU    time.Duration // of all of its processes
	Memory int64         // most bytes in memory that were seen
}

// SystemEvent is an event that no sensor saw.
type SystemEvent struct {
	TriggerRef string
	Payload    json.RawMessage
	DedupeKey  string // storing the same key again returns the first batch; empty: none
}

// Rejection is a payload that cannot become an event.
type Rejection struct {
	Position   int // in its batch, from 0
	Raw        []byte
	TriggerRef string // empty: the batch's
	Reason     string
}

// NewEvent is a payload that passed all checks.
type NewEvent struct {
	Position   int // in its batch, from 0
	Payload    json.RawMessage
	TriggerRef string    // empty: the batch's
	OccurredAt time.Time // zero: not known
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
	OccurredAt *time.Time // as the sensor's code says; nil: it does not
	Created    time.Time
}

// At is when the event happened, as far as rules are concerned: as the sensor's code says, or else when its row was
// written. It never changes, so that whoever asks again finds the same.
func (e *Event) At() time.Time {
	if e.OccurredAt != nil {
		return *e.OccurredAt
	}
	return e.Created
}

// Match says that a rule matched an event.
type Match struct {
	Event  *Event
	Rule   *Rule
	Params json.RawMessage // the action's, for this event; nil: those of the rule
	Reason string          // why there are none, which makes the enforcement fail; empty: there are

	Grouping *Grouping       // of a rule that holds back matches; nil: the match orders
	Group    json.RawMessage // what the enforcement's config says of its group, see Group; nil: it has none
}

// RuleErrors is on how many events of a batch the expression of a rule has no result, though all else about the rule holds.
// None of them matches it.
type RuleErrors struct {
	Rule       *Rule
	Count      int64  // events, at least 1
	LastEvent  int64  // the highest of their IDs
	LastReason string // why there is no result for that one
}

// The statuses that an enforcement is written with. Others are for who acts on it.
const (
	EnforcementCreated = "created" // ordered
	EnforcementFailed  = "failed"  // it has no parameters, and nobody is told of it, or what it orders was refused; Reason says why
)

// Enforcement is one rule matched by one event, as stored.
type Enforcement struct {
	ID           int64
	RuleID       int64
	RuleRef      string
	RuleVersion  int64
	EventID      int64
	EventCreated time.Time
	TriggerRef   string
	Config       json.RawMessage // {"action": ref, "params": {...}, "group": {...}}; params is null if it failed, group absent if it has none
	Payload      json.RawMessage // the event's
	Status       string
	Reason       string // why it failed; empty: it did not
	Link         *Link  // where an action of this service's own ended up; nil: it has none, or is not dispatched
	Condition    string
	Conditions   json.RawMessage
	CEL          string
	Created      time.Time
	ResolvedAt   *time.Time
	Replay       *int64 // the replay that wrote it; nil: its event was matched
	ReplayedFrom *int64 // the enforcement that a forced replay repeats; nil: there was none
}
