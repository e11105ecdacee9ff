package timer

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/attune-automation/sensors/internal/cron"
	"github.com/attune-automation/sensors/internal/sensor"
)

// longestSleep is after how long a timer is looked at again even if nothing is due: rules of time zones change.
const longestSleep = 24 * time.Hour

// linger is how much too early a poll may be to wait for the tick instead of coming again: the engine's clock may be ahead
// of the worker's.
const linger = 250 * time.Millisecond

// Runner polls timers. It is safe for concurrent use.
type Runner struct {
	clock func() time.Time
	rest  func() (done func())
	crowd *crowd

	mu     sync.Mutex
	timers map[string]versioned // by ref
}

type versioned struct {
	version int64
	timer   *Timer
}

// Config is what a Runner needs.
type Config struct {
	Clock func() time.Time     // nil: time.Now
	Rest  func() (done func()) // called while a poll waits for a tick and needs nothing; nil: nobody wants to know
}

// New returns a Runner.
func New(cfg Config) *Runner {
	if cfg.Clock == nil {
		cfg.Clock = time.Now
	}
	if cfg.Rest == nil {
		cfg.Rest = func() func() { return func() {} }
	}
	return &Runner{clock: cfg.Clock, rest: cfg.Rest, crowd: newCrowd(), timers: map[string]versioned{}}
}

// Poll fires the ticks that are due by now, and says when the next is.
func (r *Runner) Poll(ctx context.Context, req sensor.PollRequest) (sensor.Poll, error) {
	t, err := r.timer(req.Sensor)
	if err != nil {
		return sensor.Poll{}, &sensor.Fault{Kind: sensor.FaultConfig, Message: err.Error()}
	}
	cursor, err := readCursor(req.Cursor)
	if err != nil {
		return sensor.Poll{}, &sensor.Fault{Kind: sensor.FaultConfig, Message: err.Error()}
	}
	p, now, err := r.await(ctx, t, req.Sensor.Ref, cursor)
	if err != nil {
		return sensor.Poll{}, err
	}
	if err := t.take(ctx, req, cursor, p, now); err != nil {
		return sensor.Poll{}, err
	}
	return sensor.Poll{More: p.more, NextAt: r.wake(req.Sensor.Ref, p.next, now), Done: !p.more && p.next.IsZero()}, nil
}

// await plans what to do now, or at the next tick if the poll came for that and is a little early.
func (r *Runner) await(ctx context.Context, t *Timer, ref string, c *Cursor) (p plan, now time.Time, err error) {
	now = r.clock()
	p = t.plan(ref, c, now)
	if c == nil || p.passed || p.next.IsZero() || !slices.Equal(c.Schedules, t.ids()) {
		return p, now, nil
	}
	early := p.next.Sub(now)
	if early > r.crowd.lead(ref, p.next)+linger {
		return p, now, nil
	}
	if err := r.sleep(ctx, early); err != nil {
		return p, now, err
	}
	now = p.next
	if clock := r.clock(); clock.After(now) {
		now = clock
	}
	return t.plan(ref, c, now), now, nil
}

// wake returns when to poll for the next tick, or to look at the timer again.
func (r *Runner) wake(ref string, next, now time.Time) time.Time {
	if next.IsZero() {
		return next
	}
	if latest := now.Add(longestSleep); next.After(latest) {
		return latest
	}
	at := next.Add(-r.crowd.join(ref, next, now))
	if at.Before(now) {
		return now
	}
	return at
}

// sleep waits, but no longer than ctx.
func (r *Runner) sleep(ctx context.Context, d time.Duration) error {
	defer r.rest()()
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// timer returns what the sensor's config says.
func (r *Runner) timer(def sensor.Sensor) (*Timer, error) {
	r.mu.Lock()
	known, ok := r.timers[def.Ref]
	r.mu.Unlock()
	if ok && known.version == def.Version {
		return known.timer, nil
	}
	t, err := Parse(def.Config)
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.timers[def.Ref] = versioned{def.Version, t}
	return t, nil
}

// take stores the ticks with the cursor behind them, or the cursor alone if it has to move.
func (t *Timer) take(ctx context.Context, req sensor.PollRequest, c *Cursor, p plan, now time.Time) error {
	next := Cursor{Until: p.until.UTC()}
	if c != nil {
		next.Sequence, next.Schedules = c.Sequence, c.Schedules
	}
	if p.all {
		next.Schedules = t.ids()
	}
	if !p.passed && c != nil && slices.Equal(c.Schedules, next.Schedules) {
		return nil
	}
	part := sensor.Part{}
	for _, fired := range p.ticks {
		next.Sequence++
		item, err := t.item(req.Sensor.Ref, fired, next.Sequence, now)
		if err != nil {
			return err
		}
		part.Items = append(part.Items, item)
	}
	var err error
	if part.Cursor, err = json.Marshal(next); err != nil {
		return fmt.Errorf("writing the cursor: %w", err)
	}
	return req.Take(ctx, part)
}

// ids returns the IDs of the schedules, in order.
func (t *Timer) ids() []string {
	ids := make([]string, len(t.Schedules))
	for i, s := range t.Schedules {
		ids[i] = s.id
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

// Payload is that of an event of a timer.
type Payload struct {
	ScheduledAt string `json:"scheduled_at"` // RFC 3339, with the offset of the time zone
	FiredAt     string `json:"fired_at"`     // RFC 3339, in UTC
	Timezone    string `json:"timezone"`
	LateMS      int64  `json:"late_ms"` // from the moment that it should have fired at, which jitter may put behind scheduled_at
	CatchUp     bool   `json:"catch_up"`
	Sequence    int64  `json:"sequence"`
	Schedule    string `json:"schedule"` // name, or expression
	Index       int    `json:"index"`    // in the list of schedules
}

// item makes the event of a tick. Its key is the instant: a tick never fires twice, whatever becomes of the cursor.
func (t *Timer) item(ref string, fired tick, sequence int64, now time.Time) (sensor.Item, error) {
	s := t.Schedules[fired.schedule]
	payload, err := json.Marshal(Payload{
		ScheduledAt: cron.Format(fired.at, s.location),
		FiredAt:     now.UTC().Format("2006-01-02T15:04:05.000Z"),
		Timezone:    s.Timezone,
		LateMS:      now.Sub(t.due(ref, fired.at)).Milliseconds(),
		CatchUp:     fired.caughtUp,
		Sequence:    sequence,
		Schedule:    s.Name,
		Index:       fired.schedule,
	})
	if err != nil {
		return sensor.Item{}, fmt.Errorf("writing the payload: %w", err)
	}
	return sensor.Item{Payload: payload, Key: fired.at.UTC().Format(time.RFC3339), OccurredAt: fired.at}, nil
}

// readCursor reads a cursor; nil for none.
func readCursor(raw json.RawMessage) (*Cursor, error) {
	if len(raw) == 0 || string(raw) == "null" {
		return nil, nil
	}
	var c Cursor
	if err := json.Unmarshal(raw, &c); err != nil || c.Until.IsZero() {
		return nil, fmt.Errorf(`the cursor %.200s is none of a timer: set it to {"until": "2026-12-01T09:00:00Z"}, or to null to begin anew`, raw)
	}
	return &c, nil
}
