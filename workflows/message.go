package workflows

import (
	"encoding/json"
	"time"

	"go.temporal.io/sdk/temporal"

	"github.com/attune-automation/sensors/activities"
)

// Messages that a running sensor takes.
const (
	QueryStatus     = "status"     // returns Status; a closed sensor answers too while the server keeps it
	UpdatePause     = "pause"      // no argument; returns Status once no poll is running any more
	UpdateResume    = "resume"     // no argument; returns Status
	UpdatePollNow   = "poll-now"   // no argument; returns PollReport once what the poll brought is published
	UpdateSetCursor = "set-cursor" // takes CursorEdit
	SignalStop      = "stop"       // takes the reason, a string
	SignalReload    = "reload"     // no argument: the definition changed
	SignalReconcile = "reconcile"  // no argument, to the manager: look at all sensors at once
)

// Search attributes of a sensor's workflow.
var (
	AttributeRef     = temporal.NewSearchAttributeKeyKeyword("SensorRef")
	AttributeRuntime = temporal.NewSearchAttributeKeyKeyword("SensorRuntime")
	AttributeTrigger = temporal.NewSearchAttributeKeyKeyword("SensorTrigger")
	AttributeState   = temporal.NewSearchAttributeKeyKeyword("SensorState") // a State
	AttributeVersion = temporal.NewSearchAttributeKeyInt64("SensorVersion") // of the definition in force
)

// State is what a sensor is doing.
type State string

// The states of a sensor.
const (
	StateRunning    State = "running"
	StatePaused     State = "paused"
	StateBackingOff State = "backing_off" // after a failure, until the next attempt
	StateFailed     State = "failed"      // for good, until restarted or its definition changes
	StateStopped    State = "stopped"
)

// Status answers QueryStatus.
type Status struct {
	Ref          string    `json:"ref"`
	State        State     `json:"state"`
	Running      bool      `json:"running"`       // false once the workflow is closing or closed
	Failed       bool      `json:"failed"`        // for good
	Polling      bool      `json:"polling"`       // a poll, or work on its batch, is going on
	FailureCount int       `json:"failure_count"` // consecutive failures, the engine's attempts less one
	MaxAttempts  int       `json:"max_attempts"`  // consecutive failures that make it failed
	Version      int64     `json:"version"`       // of the definition in force
	PollInterval string    `json:"poll_interval"` // as in 30s
	NextPoll     time.Time `json:"next_poll,omitzero"`
	Progress
}

// Progress is what a sensor did since it was started, carried from run to run.
type Progress struct {
	StartedAt    time.Time `json:"started_at"`
	LastPoll     time.Time `json:"last_poll,omitzero"`
	LastEvents   time.Time `json:"last_events,omitzero"` // when a poll last brought any
	LastError    string    `json:"last_error,omitempty"`
	LastErrorAt  time.Time `json:"last_error_at,omitzero"`
	Polls        int64     `json:"polls"`
	Batches      int64     `json:"batches"`
	Events       int64     `json:"events"`
	Enforcements int64     `json:"enforcements"`
	Rejected     int64     `json:"rejected"`
	Recoveries   int64     `json:"recoveries"`
}

// PollReport is what one poll brought, all its batches together.
type PollReport struct {
	Batches      int `json:"batches"`
	Events       int `json:"events"`
	Enforcements int `json:"enforcements"`
	Rejected     int `json:"rejected"`
}

func (r *PollReport) add(b Processed) {
	r.Batches++
	r.Events += b.Events
	r.Enforcements += b.Enforcements
	r.Rejected += b.Rejected
}

// CursorEdit is the argument of UpdateSetCursor.
type CursorEdit struct {
	Cursor json.RawMessage `json:"cursor"` // any JSON value; null: from the beginning
}

// SensorResult is what a sensor's workflow returns when it completes.
type SensorResult struct {
	Stopped string `json:"stopped"` // why
}

// ManagerStatus answers QueryStatus of the manager.
type ManagerStatus struct {
	LastRun time.Time         `json:"last_run,omitzero"`
	Report  activities.Report `json:"report"`
}

// SensorID is the workflow ID of a sensor. It is the lock: a sensor runs at most once.
func SensorID(ref string) string { return "sensor:" + ref }
