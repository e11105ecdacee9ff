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
	// AppendEvents is Append of items that passed all checks. Mostly it makes them events in the same transaction, and
	// returns these; otherwise GenerateEvents has to.
	AppendEvents(ctx context.Context, turn sensor.Turn, part sensor.Part) (sensor.Appended, error)
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
	Reasons(ctx context.Context, trigger sensor.Trigger, items []sensor.Item) ([]error, error)
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
	Again      bool          `json:"again,omitempty"`      // the code has more to bring, or was not run: poll again at once
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
	return p.poll(ctx, in.SensorRef, nil)
}

// The names of what Poll does, for metrics.
const (
	stepPoll   = "poll"
	stepStream = "stream"
)

// poll polls once, for who attends to the sensor; nil: nobody does.
func (p *Poller) poll(ctx context.Context, ref string, attending *attendance) (res PollResult, step string, err error) {
	for {
		turn, err := p.Store.Turn(ctx, ref)
		if errors.Is(err, sensor.ErrNotFound) {
			pending, err := p.Store.Pending(ctx, ref)
			return PollResult{Inactive: inactiveRemoved}.with(pending), stepPoll, err
		}
		if err != nil {
			return PollResult{}, stepPoll, err
		}
		turn.Pending = slices.DeleteFunc(turn.Pending, attending.worksOn)
		res := PollResult{Spec: turn.Sensor.Spec(p.Settings).Fingerprint(), Inactive: inactive(turn.Sensor)}
		idle, step := res.Inactive != "", stepPoll
		switch {
		case !idle && turn.Sensor.Streams():
			step = stepStream
			res, err = p.stream(ctx, turn, res)
		case len(turn.Pending) > 0:
			res = res.with(turn.Pending)
			res.Again = !idle && turn.Sensor.Local() // only its poll knows when the next one is due
		case !idle:
			res, err = p.run(ctx, &taking{Poller: p, turn: turn, attended: attending != nil}, res)
		}
		if errors.Is(err, sensor.ErrTurnLost) {
			continue
		}
		return res, step, err
	}
}

// run runs the sensor's code, which t stores what it brings of.
func (p *Poller) run(ctx context.Context, t *taking, res PollResult) (PollResult, error) {
	t.turn.Sensor.DedupeTTL = cmp.Or(t.turn.Sensor.DedupeTTL, p.Settings.DedupeTTL)
	def := t.turn.Sensor
	res.Host = p.Host
	poll, err := p.Runner.Poll(ctx, sensor.PollRequest{
		Sensor: def, Cursor: t.turn.Cursor, Timeout: def.Spec(p.Settings).Timeout, Take: t.take,
		Seq:     func() int64 { return t.turn.TailSeq },
		Entries: func(ctx context.Context) ([]sensor.Entry, error) { return p.Store.Entries(ctx, def.Ref) },
	})
	res.Suppressed = t.suppressed
	if waiting, ok := errors.AsType[*sensor.NotReady](err); ok {
		res.Waiting, res.NextAfter = waiting.Reason, waiting.RetryAfter
		return res, nil
	}
	if errors.Is(err, sensor.ErrNotFound) {
		// The pack's code was replaced after the turn was read: the next attempt reads it anew.
		return res, fmt.Errorf("polling %q: %v", def.Ref, err) //nolint:errorlint // it is not the sensor that is missing
	}
	if err != nil {
		return res, fmt.Errorf("polling %q: %w", def.Ref, err)
	}
	if poll.Done {
		if err := p.Store.Complete(ctx, def); err != nil {
			return res, err
		}
		res.Inactive = InactiveCompleted
	}
	p.Metrics.Run(def.Runtime, poll.Warm)
	res.NextAt, res.linger = poll.NextAt, poll.Linger
	res.Again, res.NextAfter, res.Skip = poll.More, poll.NextAfter, clipText(poll.Skip, maxSkip)
	res.Sandbox, res.Warm, res.Memory = poll.Sandbox, poll.Warm, poll.Usage.Memory
	return res.with(t.heads), nil
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
