package process

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/attune-automation/sensors/internal/runner"
	"github.com/attune-automation/sensors/internal/runner/sdk"
	"github.com/attune-automation/sensors/internal/sensor"
)

// What one poll may bring, or a stream between two checkpoints, as the protocol's `limits` tell it.
const (
	maxEventBytes = 1 << 20 // of an event, and of a cursor
	maxKeyBytes   = 1 << 10
	maxPollBytes  = 64 << 20
	maxEvents     = 10_000
)

// request is the one line that the code's process reads on stdin for each poll.
type request struct {
	Protocol       int               `json:"protocol"`
	Sensor         requestSensor     `json:"sensor"`
	Mode           sensor.Mode       `json:"mode"`
	Config         json.RawMessage   `json:"config"`
	Secrets        map[string]string `json:"secrets"`
	Cursor         json.RawMessage   `json:"cursor"`
	Deadline       string            `json:"deadline,omitempty"`
	TimeoutSeconds float64           `json:"timeout_seconds,omitempty"`
	Limits         requestLimits     `json:"limits"`
	Triggers       []string          `json:"triggers"`
	PackDir        string            `json:"pack_dir"`
}

type requestSensor struct {
	Ref string `json:"ref"`
}

type requestLimits struct {
	EventBytes int `json:"event_bytes"`
	PollBytes  int `json:"poll_bytes"`
	Events     int `json:"events"`
}

// newRequest returns the line, with config and secrets as they were resolved. The deadline is zero for a stream.
func newRequest(req runner.Request, config json.RawMessage, secrets map[string]string, dir string, now, deadline time.Time) ([]byte, error) {
	if len(config) == 0 {
		config = json.RawMessage("{}")
	}
	r := request{
		Protocol: sdk.Protocol,
		Sensor:   requestSensor{Ref: req.Sensor.Ref},
		Mode:     sensor.ModeStream,
		Config:   config,
		Secrets:  secrets,
		Cursor:   orNull(req.Cursor),
		Limits:   requestLimits{EventBytes: maxEventBytes, PollBytes: maxPollBytes, Events: maxEvents},
		Triggers: triggersOf(req.Sensor),
		PackDir:  dir,
	}
	if !deadline.IsZero() {
		r.Mode = sensor.ModePoll
		// Milliseconds always: Python 3.9 reads no other fractions.
		r.Deadline = deadline.UTC().Format("2006-01-02T15:04:05.000Z")
		r.TimeoutSeconds = deadline.Sub(now).Round(time.Millisecond).Seconds()
	}
	line, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("request: %w", err)
	}
	return append(line, '\n'), nil
}

// triggersOf returns the triggers that the sensor's events may be of, the first for those that name none.
func triggersOf(s sensor.Sensor) []string {
	if len(s.TriggerRefs) > 0 {
		return s.TriggerRefs
	}
	return []string{s.TriggerRef}
}
