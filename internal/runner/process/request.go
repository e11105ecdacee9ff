package process

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/attune-automation/sensors/internal/runner"
)

// protocolVersion is the version of docs/sensor-protocol.md that this program speaks.
const protocolVersion = 1

// What one poll may write, as the protocol's `limits` tell it.
const (
	maxEventBytes = 1 << 20
	maxPollBytes  = 64 << 20
	maxEvents     = 10_000
)

// request is the one line that a child reads on stdin.
type request struct {
	Protocol       int             `json:"protocol"`
	Sensor         requestSensor   `json:"sensor"`
	Config         json.RawMessage `json:"config"`
	Cursor         json.RawMessage `json:"cursor"`
	Deadline       string          `json:"deadline"`
	TimeoutSeconds float64         `json:"timeout_seconds"`
	Limits         requestLimits   `json:"limits"`
	PackDir        string          `json:"pack_dir"`
}

type requestSensor struct {
	Ref string `json:"ref"`
}

type requestLimits struct {
	EventBytes int `json:"event_bytes"`
	PollBytes  int `json:"poll_bytes"`
	Events     int `json:"events"`
}

func newRequest(req runner.Request, dir string, now time.Time) ([]byte, error) {
	config, cursor := req.Sensor.Config, req.Cursor
	if len(config) == 0 {
		config = json.RawMessage("{}")
	}
	if len(cursor) == 0 {
		cursor = json.RawMessage("null")
	}
	line, err := json.Marshal(request{
		Protocol: protocolVersion,
		Sensor:   requestSensor{Ref: req.Sensor.Ref},
		Config:   config,
		Cursor:   cursor,
		// Milliseconds always: Python 3.9 reads no other fractions.
		Deadline:       now.Add(req.Timeout).UTC().Format("2006-01-02T15:04:05.000Z"),
		TimeoutSeconds: req.Timeout.Seconds(),
		Limits:         requestLimits{EventBytes: maxEventBytes, PollBytes: maxPollBytes, Events: maxEvents},
		PackDir:        dir,
	})
	if err != nil {
		return nil, fmt.Errorf("request: %w", err)
	}
	return append(line, '\n'), nil
}
