package activities

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.temporal.io/sdk/activity"

	"github.com/attune-automation/sensors/internal/sensor"
)

// TurnStore is what Poll needs of the store.
type TurnStore interface {
	// Turn returns where the sensor stands; sensor.ErrNotFound when its definition is gone.
	Turn(ctx context.Context, sensorRef string) (sensor.Turn, error)
	// Pending returns the unfinished batches of a sensor, in order, even of one whose definition is gone.
	Pending(ctx context.Context, sensorRef string) ([]sensor.BatchHead, error)
	// Append stores a part of what a poll brought behind the turn's tail; sensor.ErrTurnLost when the tail is another
	// by now, because another poll of the sensor came first.
	Append(ctx context.Context, turn sensor.Turn, part sensor.Part) (sensor.Appended, error)
	// Entries returns what the sensor keeps besides its cursor.
	Entries(ctx context.Context, sensorRef string) ([]sensor.Entry, error)
	// Complete records that the sensor, as it is defined by now, has brought all that it ever will.
	Complete(ctx context.Context, def sensor.Sensor) error
}

// Runner runs a sensor's code once. A failure of the code is a *sensor.Fault, code that was not run is a
// *sensor.NotReady; any other error is the runner's own, or that of the request's Take.
type Runner interface {
	Poll(ctx context.Context, req sensor.PollRequest) (sensor.Poll, error)
}

// Checker says for each item why it cannot become an event, or nil.
type Checker interface {
	Reasons(ctx context.Context, triggerRef string, items []sensor.Item) ([]error, error)
}

// Poller polls sensors.
type Poller struct {
	Store    TurnStore
	Checker  Checker
	Runner   Runner
	Streams  *Follower // of what streams bring
	Drainer  *Drainer  // of what local polls bring
	Bell     *Bell     // rung when something comes for a sensor; nil: nobody does
	Places   Places    // for polls that come past the queues of this worker
	Settings sensor.Settings
	Grace    time.Duration // how long a poll may go on once the worker is stopping; a stream ends at once
	Host     string        // of this worker, for people
	Metrics  Metrics
}

// PollInput says which sensor to poll.
type PollInput struct {
	SensorRef string `json:"sensor_ref"`
	Queue     string `json:"queue,omitempty"` // decline unless this worker listens on it; empty: the poll came by its queue, or has none
	Heavy     bool   `json:"heavy,omitempty"` // of a local activity: leave what it brings to the workflow
}

// Places are what polls that run at the same time on one worker take.
type Places interface {
	// Take takes a place for a poll of the given queue until release is called; false when the worker does not listen
	// on the queue, or all places are taken.
	Take(queue string) (release func(), ok bool)
}

// PollResult is the batch to work on next, if there is one, and how the poll went.
type PollResult struct {
	BatchID    int64         `json:"batch_id,omitempty"`   // 0: nothing came
	Count      int           `json:"count,omitempty"`      // payloads in it; 0 with a BatchID: it only moves the cursor
	More       bool          `json:"more,omitempty"`       // there are further batches: ask again at once
	Elsewhere  bool          `json:"elsewhere,omitempty"`  // this worker declines: schedule the poll on the sensor's queue
	Spec       string        `json:"spec,omitempty"`       // fingerprint of the spec that was polled by
	Inactive   string        `json:"inactive,omitempty"`   // why the sensor should not run any more; empty: it should
	Again      bool          `json:"again,omitempty"`      // the code has more to bring: poll again at once
	NextAfter  time.Duration `json:"next_after,omitempty"` // when to poll next, from now; 0: at the interval
	NextAt     time.Time     `json:"next_at,omitzero"`     // when to poll next; zero: see NextAfter
	Skip       string        `json:"skip,omitempty"`       // why the code brought nothing, as it says
	Suppressed int           `json:"suppressed,omitempty"` // payloads that were dropped because their key was there already
	Waiting    string        `json:"waiting,omitempty"`    // what the code waits for, and so was not run; look again after NextAfter
	Host       string        `json:"host,omitempty"`       // of the worker that ran the code
	Sandbox    string        `json:"sandbox,omitempty"`    // what contained the code: bwrap or none
	Warm       bool          `json:"warm,omitempty"`       // the code ran in a process of an earlier poll
	Memory     int64         `json:"memory,omitempty"`     // most bytes that the code took
	Tally                    // of batches that are worked off already

	heads  []sensor.BatchHead // batches to work on, BatchID the first of them
	linger bool               // more may come any moment
}

// Poll returns the oldest unfinished batch of the sensor. If there is none, it runs the sensor's code from its cursor
// and stores what that brings, part by part, before it returns. What a part brought stays, also when the poll fails
// later: it is what the next Poll returns.
//
// As a local activity it also works off what it finds and brings, and goes on while more comes, for a short time.
//
// The code of a stream is run whether batches are unfinished or not, and goes on until it fails or the activity is
// cancelled. What it brings is worked off meanwhile.
func (p *Poller) Poll(ctx context.Context, in PollInput) (PollResult, error) {
	if in.Queue != "" {
		release, ok := p.Places.Take(in.Queue)
		if !ok {
			return PollResult{Elsewhere: true}, nil
		}
		defer release()
	}
	defer heartbeat(ctx)()
	ctx, cancel := untilWorkerStops(ctx, p.Grace)
	defer cancel()
	start := time.Now()
	res, step, err := p.order(ctx, in)
	err = handedBack(ctx, err)
	p.Metrics.Step(step, outcome(err, res.Count+res.Events+res.Rejected), time.Since(start))
	return res, translate(err)
}

func (p *Poller) order(ctx context.Context, in PollInput) (res PollResult, step string, err error) {
	if activity.GetInfo(ctx).IsLocalActivity && !in.Heavy {
		res, err = p.attend(ctx, in.SensorRef)
		return res, stepPoll, err
	}
	return p.poll(ctx, in.SensorRef, 0)
}

// The names of what Poll does, for metrics.
const (
	stepPoll   = "poll"
	stepStream = "stream"
)

// poll polls once. A batch that is in hand is somebody's who works on it beside the poll; 0: none is.
func (p *Poller) poll(ctx context.Context, ref string, inHand int64) (res PollResult, step string, err error) {
	for {
		turn, err := p.Store.Turn(ctx, ref)
		if errors.Is(err, sensor.ErrNotFound) {
			pending, err := p.Store.Pending(ctx, ref)
			return PollResult{Inactive: inactiveRemoved}.with(pending), stepPoll, err
		}
		if err != nil {
			return PollResult{}, stepPoll, err
		}
		turn.Pending = slices.DeleteFunc(turn.Pending, func(head sensor.BatchHead) bool { return head.ID == inHand })
		res := PollResult{Spec: turn.Sensor.Spec(p.Settings).Fingerprint(), Inactive: inactive(turn.Sensor)}
		idle, step := res.Inactive != "", stepPoll
		switch {
		case !idle && turn.Sensor.Streams():
			step = stepStream
			res, err = p.stream(ctx, turn, res)
		case len(turn.Pending) > 0:
			res = res.with(turn.Pending)
		case !idle:
			res, err = p.run(ctx, turn, res, nil)
		}
		if errors.Is(err, sensor.ErrTurnLost) {
			continue
		}
		return res, step, err
	}
}

// run runs the sensor's code and stores what it brings. If took is there, it is called with what became of each part;
// otherwise that is in the result.
func (p *Poller) run(ctx context.Context, turn sensor.Turn, res PollResult, took func(sensor.Appended)) (PollResult, error) {
	turn.Sensor.DedupeTTL = cmp.Or(turn.Sensor.DedupeTTL, p.Settings.DedupeTTL)
	res.Host = p.Host
	var heads []sensor.BatchHead
	take := func(ctx context.Context, part sensor.Part) error {
		part, err := p.withhold(ctx, turn.Sensor.TriggerRef, part)
		if err != nil {
			return err
		}
		appended, err := p.Store.Append(ctx, turn, part)
		if err != nil {
			return err
		}
		turn.TailSeq = appended.Seq
		if part.Cursor != nil {
			turn.Cursor = part.Cursor
		}
		if appended.Suppressed > 0 {
			p.Metrics.Suppressed(turn.Sensor.TriggerRef, appended.Suppressed)
		}
		if took != nil {
			took(appended)
			return nil
		}
		heads = append(heads, appended.Batches...)
		res.Suppressed += appended.Suppressed
		return nil
	}
	poll, err := p.Runner.Poll(ctx, sensor.PollRequest{
		Sensor: turn.Sensor, Cursor: turn.Cursor, Timeout: turn.Sensor.Spec(p.Settings).Timeout, Take: take,
		Seq:     func() int64 { return turn.TailSeq },
		Entries: func(ctx context.Context) ([]sensor.Entry, error) { return p.Store.Entries(ctx, turn.Sensor.Ref) },
	})
	if waiting, ok := errors.AsType[*sensor.NotReady](err); ok {
		res.Waiting, res.NextAfter = waiting.Reason, waiting.RetryAfter
		return res, nil
	}
	if errors.Is(err, sensor.ErrNotFound) {
		// The pack's code was replaced after the turn was read: the next attempt reads it anew.
		return res, fmt.Errorf("polling %q: %v", turn.Sensor.Ref, err) //nolint:errorlint // it is not the sensor that is missing
	}
	if err != nil {
		return res, fmt.Errorf("polling %q: %w", turn.Sensor.Ref, err)
	}
	if poll.Done {
		if err := p.Store.Complete(ctx, turn.Sensor); err != nil {
			return res, err
		}
		res.Inactive = InactiveCompleted
	}
	p.Metrics.Run(turn.Sensor.Runtime, poll.Warm)
	res.NextAt, res.linger = poll.NextAt, poll.Linger
	res.Again, res.NextAfter, res.Skip = poll.More, poll.NextAfter, clipText(poll.Skip, maxSkip)
	res.Sandbox, res.Warm, res.Memory = poll.Sandbox, poll.Warm, poll.Usage.Memory
	return res.with(heads), nil
}

// withhold takes the keys from items that will be refused: a payload that never becomes an event suppresses none.
func (p *Poller) withhold(ctx context.Context, triggerRef string, part sensor.Part) (sensor.Part, error) {
	if !slices.ContainsFunc(part.Items, func(item sensor.Item) bool { return item.Key != "" }) {
		return part, nil
	}
	reasons, err := p.Checker.Reasons(ctx, triggerRef, part.Items)
	if err != nil {
		return part, fmt.Errorf("checking events with keys: %w", err)
	}
	part.Items = slices.Clone(part.Items)
	for i, reason := range reasons {
		if reason != nil {
			part.Items[i].Key = ""
		}
	}
	return part, nil
}

// maxSkip bounds, in bytes, what the reason for a skipped poll adds to a workflow's history.
const maxSkip = 500

// clipText cuts a text off, between two characters.
func clipText(text string, limit int) string {
	const mark = "..."
	if len(text) <= limit {
		return text
	}
	return strings.ToValidUTF8(text[:limit-len(mark)], "") + mark
}

// The reasons for which a sensor should not run that are told apart from others.
const (
	InactiveCompleted = "it has brought all that it ever will"
	inactiveRemoved   = "its definition was removed"
)

func inactive(s sensor.Sensor) string {
	switch {
	case !s.Enabled:
		return "it or its trigger is disabled"
	case s.Stopped:
		return "an operator stopped it"
	case s.Completed:
		return InactiveCompleted
	}
	return ""
}
