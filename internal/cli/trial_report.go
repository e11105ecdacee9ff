package cli

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/attune-automation/sensors/internal/fixture"
	"github.com/attune-automation/sensors/internal/sensor"
	"github.com/attune-automation/sensors/internal/sensorlog"
)

// trialReport is what came of a test, for programs as it is.
type trialReport struct {
	Sensor      string               `json:"sensor"`
	Source      string               `json:"source"` // a folder, or database
	Mode        string               `json:"mode"`
	Config      json.RawMessage      `json:"config"` // with references to secrets as they are written
	Cursor      json.RawMessage      `json:"cursor"`
	CursorAfter json.RawMessage      `json:"cursor_after"`
	Events      []trialEvent         `json:"events"`
	Parts       []trialPart          `json:"parts"`
	Skip        string               `json:"skip,omitempty"`
	More        bool                 `json:"more"`
	NextAfter   float64              `json:"next_after_seconds,omitempty"`
	NextAt      string               `json:"next_at,omitempty"`
	Completed   bool                 `json:"completed,omitempty"` // nothing will ever come again
	Log         []sensorlog.Line     `json:"log"`
	Fault       *trialFault          `json:"fault,omitempty"`
	Sandbox     string               `json:"sandbox,omitempty"`
	Usage       *trialUsage          `json:"usage,omitempty"` // none: no code was run
	Differences []fixture.Difference `json:"differences,omitempty"`

	triggerRef string // of events that name none
	started    time.Time
}

// trialEvent is an event that the sensor would have.
type trialEvent struct {
	Payload    json.RawMessage `json:"payload"`
	Trigger    string          `json:"trigger"`
	Key        string          `json:"key,omitempty"`
	OccurredAt string          `json:"occurred_at,omitempty"`
	Refused    string          `json:"refused,omitempty"`    // why it would become a rejected event
	Suppressed string          `json:"suppressed,omitempty"` // why its key would keep it from becoming one
	Rules      []trialRule     `json:"rules,omitempty"`
}

// trialPart is what would be stored together, with the cursor that it leaves.
type trialPart struct {
	Events int             `json:"events"`
	Cursor json.RawMessage `json:"cursor"` // null: it stays as it is
	After  float64         `json:"after_seconds"`
}

type trialFault struct {
	Kind      sensor.FaultKind `json:"kind"`
	Message   string           `json:"message"`
	Traceback string           `json:"traceback,omitempty"`
}

type trialUsage struct {
	Wall   float64 `json:"wall_seconds"`
	CPU    float64 `json:"cpu_seconds"`
	Memory int64   `json:"memory_bytes"`
}

func newTrialReport(t *target) *trialReport {
	r := &trialReport{
		Sensor: t.sensor.Ref, Source: t.source, Mode: string(sensor.ModePoll), Config: t.sensor.Config, Cursor: t.cursor,
		CursorAfter: t.cursor, Events: []trialEvent{}, Parts: []trialPart{}, Log: []sensorlog.Line{},
		triggerRef: t.sensor.TriggerRef, started: time.Now(),
	}
	if t.sensor.Streams() {
		r.Mode = string(sensor.ModeStream)
	}
	if len(r.Config) == 0 {
		r.Config = json.RawMessage("{}")
	}
	return r
}

// take adds a part of the poll.
func (r *trialReport) take(part sensor.Part) {
	for _, item := range part.Items {
		e := trialEvent{Payload: item.Payload, Trigger: item.TriggerRef, Key: item.Key}
		if !item.OccurredAt.IsZero() {
			e.OccurredAt = item.OccurredAt.UTC().Format(time.RFC3339Nano)
		}
		r.add(e)
	}
	if part.Cursor != nil {
		r.CursorAfter = part.Cursor
	}
	r.Parts = append(r.Parts, trialPart{
		Events: len(part.Items), Cursor: part.Cursor, After: time.Since(r.started).Seconds(),
	})
}

func (r *trialReport) add(e trialEvent) {
	if e.Trigger == "" {
		e.Trigger = r.triggerRef
	}
	r.Events = append(r.Events, e)
}

// replay takes the events of a fixture as those of a poll.
func (r *trialReport) replay(given fixture.Fixture) error {
	for _, e := range given.Events {
		if e.OccurredAt == fixture.Any {
			e.OccurredAt = ""
		}
		r.add(trialEvent{Payload: e.Payload, Trigger: e.Trigger, Key: e.Key, OccurredAt: e.OccurredAt})
	}
	if given.CursorAfter != nil {
		r.CursorAfter = given.CursorAfter
	}
	return nil
}

// fixture returns the poll as one.
func (r *trialReport) fixture() fixture.Fixture {
	f := fixture.Fixture{
		Sensor: r.Sensor, Config: r.Config, Cursor: orNull(r.Cursor), Events: []fixture.Event{}, CursorAfter: orNull(r.CursorAfter),
	}
	for _, e := range r.Events {
		event := fixture.Event{Payload: e.Payload, Trigger: e.Trigger, Key: e.Key, OccurredAt: e.OccurredAt}
		if event.Trigger == r.triggerRef {
			event.Trigger = "" // it goes without saying
		}
		f.Events = append(f.Events, event)
	}
	if r.Skip != "" {
		f.Skip = &r.Skip
	}
	if r.More {
		f.More = &r.More
	}
	return f
}

// finish notes how the poll ended.
func (r *trialReport) finish(poll sensor.Poll) {
	r.Skip, r.More, r.NextAfter = poll.Skip, poll.More, poll.NextAfter.Seconds()
	r.NextAt, r.Completed = moment(poll.NextAt), poll.Done
	r.Sandbox = poll.Sandbox
	r.Usage = &trialUsage{Wall: poll.Usage.Wall.Seconds(), CPU: poll.Usage.CPU.Seconds(), Memory: poll.Usage.Memory}
}

// refused counts the events that would be.
func (r *trialReport) refused() (n int) {
	for _, e := range r.Events {
		if e.Refused != "" {
			n++
		}
	}
	return n
}

// verdict is what the exit code says.
func (r *trialReport) verdict(f format) error {
	var message string
	switch refused := r.refused(); {
	case r.Fault != nil:
		message = fmt.Sprintf("%s: %s", r.Fault.Kind, r.Fault.Message)
		if r.Fault.Traceback != "" {
			message += "\n" + r.Fault.Traceback
		}
	case len(r.Differences) > 0:
		message = count(len(r.Differences), "difference", "differences")
	case refused > 0:
		message = count(refused, "event", "events") + " would be refused"
	default:
		return nil
	}
	if f != formatTable {
		message = ""
	}
	return no{message}
}
