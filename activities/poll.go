package activities

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/attune-automation/sensors/internal/sensor"
)

// TurnStore is what Poll needs of the store.
type TurnStore interface {
	// Turn returns where the sensor stands; sensor.ErrNotFound when its definition is gone.
	Turn(ctx context.Context, sensorRef string) (sensor.Turn, error)
	// Pending returns the unfinished batches of a sensor, in order, even of one whose definition is gone.
	Pending(ctx context.Context, sensorRef string) ([]sensor.BatchHead, error)
	// SavePoll stores what a poll brought and returns the batches that it became; sensor.ErrTurnLost when another
	// poll of the sensor came first.
	SavePoll(ctx context.Context, turn sensor.Turn, poll sensor.Poll) ([]sensor.BatchHead, error)
}

// Runner runs a sensor's code once. A failure of the code is a *sensor.Fault; any other error is the runner's own.
type Runner interface {
	Poll(ctx context.Context, req sensor.PollRequest) (sensor.Poll, error)
}

// Poller polls sensors.
type Poller struct {
	Store    TurnStore
	Runner   Runner
	Settings sensor.Settings
	Grace    time.Duration // how long a poll may go on once the worker is stopping
	Metrics  Metrics
}

// PollInput says which sensor to poll.
type PollInput struct {
	SensorRef string `json:"sensor_ref"`
	DrainOnly bool   `json:"drain_only,omitempty"` // only look for unfinished batches, run no code
}

// PollResult is the batch to work on next, if there is one, and how the poll went.
type PollResult struct {
	BatchID    int64         `json:"batch_id,omitempty"`   // 0: nothing came
	Count      int           `json:"count,omitempty"`      // payloads in it; 0 with a BatchID: it only moves the cursor
	More       bool          `json:"more,omitempty"`       // there are further batches: ask again at once
	Spec       string        `json:"spec,omitempty"`       // fingerprint of the spec that was polled by
	Inactive   string        `json:"inactive,omitempty"`   // why the sensor should not run any more; empty: it should
	Again      bool          `json:"again,omitempty"`      // the code has more to bring: poll again at once
	NextAfter  time.Duration `json:"next_after,omitempty"` // when to poll next, from now; 0: at the interval
	Skip       string        `json:"skip,omitempty"`       // why the code brought nothing, as it says
	Suppressed int           `json:"suppressed,omitempty"` // payloads that were dropped because their key was there already
	Waiting    string        `json:"waiting,omitempty"`    // what the code waits for, and so was not run; look again after NextAfter
	Host       string        `json:"host,omitempty"`       // of the worker that ran the code
	Sandbox    string        `json:"sandbox,omitempty"`    // what contained the code: bwrap or none
	Warm       bool          `json:"warm,omitempty"`       // the code ran in a process of an earlier poll
	Memory     int64         `json:"memory,omitempty"`     // most bytes that the code took
}

// Poll returns the oldest unfinished batch of the sensor. If there is none, it runs the sensor's code from its cursor
// and stores what that brings before it returns.
func (p *Poller) Poll(ctx context.Context, in PollInput) (PollResult, error) {
	defer heartbeat(ctx)()
	ctx, cancel := untilWorkerStops(ctx, p.Grace)
	defer cancel()
	start := time.Now()
	res, err := p.poll(ctx, in)
	err = handedBack(ctx, err)
	p.Metrics.Step("poll", outcome(err, res.Count), time.Since(start))
	return res, translate(err)
}

func (p *Poller) poll(ctx context.Context, in PollInput) (PollResult, error) {
	for {
		turn, err := p.Store.Turn(ctx, in.SensorRef)
		if errors.Is(err, sensor.ErrNotFound) {
			pending, err := p.Store.Pending(ctx, in.SensorRef)
			return PollResult{Inactive: inactiveRemoved}.with(pending), err
		}
		if err != nil {
			return PollResult{}, err
		}
		res := PollResult{Spec: turn.Sensor.Spec(p.Settings).Fingerprint(), Inactive: inactive(turn.Sensor)}
		if len(turn.Pending) > 0 {
			return res.with(turn.Pending), nil
		}
		if in.DrainOnly || res.Inactive != "" {
			return res, nil
		}
		heads, err := p.run(ctx, turn)
		if errors.Is(err, sensor.ErrTurnLost) {
			continue
		}
		return res.with(heads), err
	}
}

// run runs the sensor's code and stores what it brought.
func (p *Poller) run(ctx context.Context, turn sensor.Turn) ([]sensor.BatchHead, error) {
	poll, err := p.Runner.Poll(ctx, sensor.PollRequest{
		Sensor: turn.Sensor, Cursor: turn.Cursor, Timeout: turn.Sensor.Spec(p.Settings).Timeout,
	})
	if err != nil {
		return nil, fmt.Errorf("polling %q: %w", turn.Sensor.Ref, err)
	}
	return p.Store.SavePoll(ctx, turn, poll)
}

func (r PollResult) with(heads []sensor.BatchHead) PollResult {
	if len(heads) > 0 {
		r.BatchID, r.Count, r.More = heads[0].ID, heads[0].Count, len(heads) > 1
	}
	return r
}

const inactiveRemoved = "its definition was removed"

func inactive(s sensor.Sensor) string {
	switch {
	case !s.Enabled:
		return "it or its trigger is disabled"
	case s.Stopped:
		return "an operator stopped it"
	}
	return ""
}
