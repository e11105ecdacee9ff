package messaging

import (
	"encoding/json"
	"time"
)

// Payload is what the envelope of one message type carries. IDs are those of rows in the schema `attune`; a ref outlives
// the row that it names, an ID may not.
type Payload interface {
	// MessageType returns the type of the messages that carry this payload.
	MessageType() MessageType
}

// EventCreated says that something was seen: a row of attune.event.
type EventCreated struct {
	// ID of the event.
	EventID int64 `json:"event_id"`
	// ID of its trigger; null: the trigger was gone when the event was written.
	TriggerID *int64 `json:"trigger_id"`
	// Ref of its trigger, which says what kind of event it is.
	TriggerRef string `json:"trigger_ref"`
	// ID of the sensor that saw it; null: a system event.
	SensorID *int64 `json:"sensor_id"`
	// Ref of the sensor that saw it; null: a system event.
	SensorRef *string `json:"sensor_ref"`
	// What was seen: any JSON value that the trigger's out_schema accepts.
	Payload json.RawMessage `json:"payload"`
	// Snapshot of trigger and sensor when it was seen: {"trigger": {...}, "sensor": {...} or null}.
	Config json.RawMessage `json:"config"`
	// When it happened, as the sensor's code says; absent: it does not.
	OccurredAt *time.Time `json:"occurred_at,omitempty"`
}

// MessageType implements Payload.
func (EventCreated) MessageType() MessageType { return TypeEventCreated }

// EnforcementCreated says that a rule matched an event and orders its action: a row of attune.enforcement.
type EnforcementCreated struct {
	// ID of the enforcement.
	EnforcementID int64 `json:"enforcement_id"`
	// ID of the rule that matched, which may be gone since.
	RuleID int64 `json:"rule_id"`
	// Ref of the rule that matched.
	RuleRef string `json:"rule_ref"`
	// Version of the rule that matched.
	RuleVersion int64 `json:"rule_version"`
	// ID of the event that matched.
	EventID int64 `json:"event_id"`
	// Ref of the event's trigger.
	TriggerRef string `json:"trigger_ref"`
	// What is to be done: {"action": ref, "params": {...}}, templates rendered for this event; and what it stands for, if its
	// rule groups matches: "group": {"id", "by", "count", "since", "until", "events": [...]}.
	Config json.RawMessage `json:"config"`
	// The event's payload, any JSON value.
	Payload json.RawMessage `json:"payload"`
	// ID of the replay that wrote it; absent: its event was matched when it came.
	ReplayID *int64 `json:"replay_id,omitempty"`
	// ID of the enforcement of the same event and rule that a forced replay repeats; absent: there was none.
	ReplayedFrom *int64 `json:"replayed_from,omitempty"`
}

// MessageType implements Payload.
func (EnforcementCreated) MessageType() MessageType { return TypeEnforcementCreated }

// ExecutionRequested asks for an action to be run.
type ExecutionRequested struct {
	// ID of the execution.
	ExecutionID int64 `json:"execution_id"`
	// ID of the action; null: the action is gone.
	ActionID *int64 `json:"action_id"`
	// Ref of the action.
	ActionRef string `json:"action_ref"`
	// ID of the execution of which this one is a step; null: none.
	ParentID *int64 `json:"parent_id"`
	// ID of the enforcement that ordered it; null: something else did.
	EnforcementID *int64 `json:"enforcement_id"`
	// The action's parameters, any JSON value; null: none.
	Config json.RawMessage `json:"config"`
}

// MessageType implements Payload.
func (ExecutionRequested) MessageType() MessageType { return TypeExecutionRequested }

// ExecutionStatusChanged says that an execution went from one status to another. Statuses are requested, scheduling,
// scheduled, running, completed, failed, canceling, cancelled, timeout and abandoned.
type ExecutionStatusChanged struct {
	// ID of the execution.
	ExecutionID int64 `json:"execution_id"`
	// Ref of its action.
	ActionRef string `json:"action_ref"`
	// Status that it had.
	PreviousStatus string `json:"previous_status"`
	// Status that it has now.
	NewStatus string `json:"new_status"`
	// When the status changed, RFC 3339.
	ChangedAt time.Time `json:"changed_at"`
}

// MessageType implements Payload.
func (ExecutionStatusChanged) MessageType() MessageType { return TypeExecutionStatusChanged }

// ExecutionCompleted says that an execution is over, well or badly.
type ExecutionCompleted struct {
	// ID of the execution.
	ExecutionID int64 `json:"execution_id"`
	// ID of its action.
	ActionID int64 `json:"action_id"`
	// Ref of its action.
	ActionRef string `json:"action_ref"`
	// Status in which it ended: completed, failed, cancelled, timeout or abandoned.
	Status string `json:"status"`
	// What the action returned, any JSON value; null: nothing.
	Result json.RawMessage `json:"result"`
	// When it ended, RFC 3339.
	CompletedAt time.Time `json:"completed_at"`
}

// MessageType implements Payload.
func (ExecutionCompleted) MessageType() MessageType { return TypeExecutionCompleted }

// InquiryCreated says that an execution waits for an answer from a person.
type InquiryCreated struct {
	// ID of the inquiry.
	InquiryID int64 `json:"inquiry_id"`
	// ID of the execution that waits.
	ExecutionID int64 `json:"execution_id"`
	// Question that is put to the person.
	Prompt string `json:"prompt"`
	// JSON Schema of the answer; null: any answer.
	ResponseSchema json.RawMessage `json:"response_schema"`
	// ID of the identity that is to answer; null: whoever comes first.
	AssignedTo *int64 `json:"assigned_to"`
	// When the execution stops waiting, RFC 3339; null: never.
	TimeoutAt *time.Time `json:"timeout_at"`
}

// MessageType implements Payload.
func (InquiryCreated) MessageType() MessageType { return TypeInquiryCreated }

// InquiryResponded says that an inquiry has been answered.
type InquiryResponded struct {
	// ID of the inquiry.
	InquiryID int64 `json:"inquiry_id"`
	// ID of the execution that waits.
	ExecutionID int64 `json:"execution_id"`
	// The answer, any JSON value that the inquiry's schema accepts.
	Response json.RawMessage `json:"response"`
	// ID of the identity that answered; null: not known.
	RespondedBy *int64 `json:"responded_by"`
	// When it was answered, RFC 3339.
	RespondedAt time.Time `json:"responded_at"`
}

// MessageType implements Payload.
func (InquiryResponded) MessageType() MessageType { return TypeInquiryResponded }

// NotificationCreated asks for something to be told to whoever listens on a channel.
type NotificationCreated struct {
	// ID of the notification.
	NotificationID int64 `json:"notification_id"`
	// Channel that it goes to.
	Channel string `json:"channel"`
	// What kind of thing it is about: execution, inquiry and so on.
	EntityType string `json:"entity_type"`
	// Which one of that kind it is about.
	Entity string `json:"entity"`
	// What happened to it.
	Activity string `json:"activity"`
	// Details, any JSON value; null: none.
	Content json.RawMessage `json:"content"`
}

// MessageType implements Payload.
func (NotificationCreated) MessageType() MessageType { return TypeNotificationCreated }
