// Package runner polls sensors: it hands each poll to what runs the sensor's runtime.
package runner

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/attune-automation/sensors/internal/sensor"
)

// Request asks for one poll.
type Request = sensor.PollRequest

// Runner polls sensors of one or more runtimes.
type Runner interface {
	// Poll runs the sensor once; what that brings goes to req.Take. What the sensor itself did wrong is a *sensor.Fault,
	// and with a *sensor.NotReady nobody did; any other error is Take's, or a failure of what the sensor runs on. Poll
	// returns ctx's error when ctx ended it.
	Poll(ctx context.Context, req Request) (sensor.Poll, error)
}

// Config names the runner of each runtime.
type Config struct {
	Runtimes map[string]Runner // by runtime ref, such as core.python3
}

// Mux polls every sensor with the runner of its runtime.
type Mux struct {
	runtimes map[string]Runner
}

// New returns a Mux over the given runners.
func New(cfg Config) (*Mux, error) {
	if len(cfg.Runtimes) == 0 {
		return nil, fmt.Errorf("no runtimes: a worker needs a runner for at least one")
	}
	for ref, r := range cfg.Runtimes {
		if r == nil {
			return nil, fmt.Errorf("runtime %q has no runner", ref)
		}
	}
	return &Mux{runtimes: maps.Clone(cfg.Runtimes)}, nil
}

// Poll runs the sensor once with the runner of its runtime.
func (m *Mux) Poll(ctx context.Context, req Request) (sensor.Poll, error) {
	r, ok := m.runtimes[req.Sensor.Runtime]
	if !ok {
		known := slices.Sorted(maps.Keys(m.runtimes))
		return sensor.Poll{}, &sensor.Fault{
			Kind:    sensor.FaultStart,
			Message: fmt.Sprintf("no runtime %q: set the sensor's `runtime` to one of %s", req.Sensor.Runtime, strings.Join(known, ", ")),
		}
	}
	return r.Poll(ctx, req)
}
