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
	SignalWake      = "wake"       // takes activities.Brought: what a stream brought, or that something waits
	SignalClose     = "close"      // no argument, to a group: there is nothing more to wait for
	SignalReconcile = "reconcile"  // no argument, to the manager: look at all sensors at once
)

// Search attributes of a sensor's workflow.
var (
	AttributeRef     = temporal.NewSearchAttributeKeyKeyword("SensorRef")
	AttributeRuntime = temporal.NewSearchAttributeKeyKeyword("SensorRuntime")
	AttributeTrigger = temporal.NewSearchAttributeKeyKeyword("SensorTrigger")
	AttributeState   = temporal.NewSearchAttributeKeyKeyword("SensorState") // a State
	AttributeVersion = temporal.NewSearchAttributeKeyInt64("SensorVersion") // of the definition in force
	AttributeSince   = temporal.NewSearchAttributeKeyTime("SensorSince")    // when it entered the state
)

// State is what a sensor is doing.
type State string

// The states of a sensor.
const (
	StateRunning    State = "running"
	StateWaiting    State = "waiting" // its code is not run: no worker takes it, or what it depends on is not there yet
	StatePaused     State = "paused"
	StateBackingOff State = "backing_off" // after a failure, until the next attempt
	StateFailed     State = "failed"      // for good, until restarted or its definition changes
	StateStopped    State = "stopped"
	StateCompleted  State = "completed" // it has brought all that it ever will, until its definition changes
)

// Status answers QueryStatus.
type Status struct {
	Ref          string    `json:"ref"`
	State        State     `json:"state"`
	Running      bool      `json:"running"`                 // false once the workflow is closing or closed
	Failed       bool      `json:"failed"`                  // for good
	Stream       bool      `json:"stream"`                  // its code is run once and goes on for ever
	Polling      bool      `json:"polling"`                 // a poll, or work on what it brought, is going on
	PollingSince time.Time `json:"polling_since,omitzero"`  // when the code that runs was started
	FailureCount int       `json:"failure_count"`           // consecutive failures, the engine's attempts less one
	MaxAttempts  int       `json:"max_attempts"`            // consecutive failures that make it failed
	Version      int64     `json:"version"`                 // of the definition in force
	Queue        string    `json:"queue"`                   // of its polls
	PollInterval string    `json:"poll_interval,omitempty"` // as in 30s; empty: it is polled when it wants to be
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
	LastSkip     string    `json:"last_skip,omitempty"` // why a poll last brought nothing, as the code says
	LastSkipAt   time.Time `json:"last_skip_at,omitzero"`
	Waiting      string    `json:"waiting,omitempty"` // why the code is not run; empty: it is
	WaitingSince time.Time `json:"waiting_since,omitzero"`
	Host         string    `json:"host,omitempty"`    // of the worker that last ran the code
	Sandbox      string    `json:"sandbox,omitempty"` // what contained it: bwrap or none
	Warm         bool      `json:"warm,omitempty"`    // it ran in a process of an earlier poll
	Memory       int64     `json:"memory,omitempty"`  // most bytes that it took
	Polls        int64     `json:"polls"`             // of a stream: how often its code was started
	Batches      int64     `json:"batches"`
	Events       int64     `json:"events"`
	Enforcements int64     `json:"enforcements"`
	Rejected     int64     `json:"rejected"`
	Suppressed   int64     `json:"suppressed"` // payloads that were dropped because their key was there already
	Recoveries   int64     `json:"recoveries"`
}

// PollReport is what one poll brought, all its batches together.
type PollReport struct {
	Batches      int    `json:"batches"`
	Events       int    `json:"events"`
	Enforcements int    `json:"enforcements"`
	Rejected     int    `json:"rejected"`
	Suppressed   int    `json:"suppressed"`
	Skip         string `json:"skip,omitempty"`    // why the code brought nothing, as it says
	Waiting      string `json:"waiting,omitempty"` // why the code was not run; empty: it was
}

func (r *PollReport) add(t activities.Tally) {
	r.Batches += t.Batches
	r.Events += t.Events
	r.Enforcements += t.Enforcements
	r.Rejected += t.Rejected
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
