package process

import (
	"context"
	"encoding/json"
	"sync"
	"time"

	"github.com/attune-automation/sensors/internal/sensor"
)

const (
	// streamAge and pollAge are how long a checkpoint waits for others, to be stored together with them.
	streamAge = 100 * time.Millisecond
	pollAge   = time.Second
	// partEvents and partBytes are when it does not wait: what it has fills a batch.
	partEvents = sensor.MaxBatch
	partBytes  = 8 << 20
)

// takePart stores a part of what a poll brings.
type takePart func(ctx context.Context, part sensor.Part) error

// parts hands over what a poll brings, in parts that are complete.
type parts struct {
	take    takePart
	age     time.Duration
	wake    chan struct{} // receives when there is a checkpoint to be stored, or more than one waits for
	space   chan struct{} // receives when something was stored
	failed  chan struct{} // closed when take failed
	stopped chan struct{} // closed when no more is to be stored beside the reading

	mu      sync.Mutex
	open    load            // since the last checkpoint
	ready   load            // complete
	storing load            // in take's hands
	due     time.Time       // when ready is to be stored; zero: there is no new checkpoint
	set     json.RawMessage // the cursor that the code set last; nil: none
	marked  json.RawMessage // that of the last checkpoint
	kept    json.RawMessage // that is stored
	err     error           // take's
}

// load is a number of events.
type load struct {
	items []sensor.Item
	bytes int
}

func (l *load) add(more load) {
	if l.items == nil {
		l.items = more.items
	} else {
		l.items = append(l.items, more.items...)
	}
	l.bytes += more.bytes
}

func newParts(take takePart, age time.Duration, cursor json.RawMessage) *parts {
	return &parts{
		take: take, age: age, kept: cursor,
		wake: make(chan struct{}, 1), space: make(chan struct{}, 1), failed: make(chan struct{}), stopped: make(chan struct{}),
	}
}

// add takes an event.
func (p *parts) add(item sensor.Item) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.open.items = append(p.open.items, item)
	p.open.bytes += len(item.Payload)
}

func (p *parts) setCursor(cursor json.RawMessage) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.set = cursor
}

// checkpoint completes what came so far, and returns the cursor that goes with it; nil: none was set. It waits while as
// much is complete and not stored as one poll may bring.
func (p *parts) checkpoint() json.RawMessage {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.completeLocked()
	if p.due.IsZero() {
		p.due = time.Now().Add(p.age)
		notify(p.wake)
	}
	if p.ready.full() {
		notify(p.wake)
	}
	marked := p.marked
	for len(p.ready.items)+len(p.storing.items) >= maxEvents || p.ready.bytes+p.storing.bytes >= maxPollBytes {
		p.mu.Unlock()
		open := p.awaitSpace()
		p.mu.Lock()
		if !open {
			break
		}
	}
	return marked
}

func (l *load) full() bool { return len(l.items) >= partEvents || l.bytes >= partBytes }

func (p *parts) completeLocked() {
	p.ready.add(p.open)
	p.open = load{}
	p.marked = p.set
}

// awaitSpace returns false when nothing more is stored until the end.
func (p *parts) awaitSpace() bool {
	select {
	case <-p.space:
		return true
	case <-p.stopped:
	case <-p.failed:
	}
	return false
}

// run stores what is complete, until stop.
func (p *parts) run(ctx context.Context) {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		select {
		case <-p.wake:
		case <-timer.C:
		case <-p.stopped:
			return
		}
		wait, any := p.wait()
		if !any {
			continue
		}
		if wait > 0 {
			timer.Reset(wait)
			continue
		}
		if p.store(ctx) != nil {
			return
		}
	}
}

// wait returns how long what is complete is still to wait, if there is anything.
func (p *parts) wait() (time.Duration, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.due.IsZero() || p.ready.full() {
		return 0, !p.due.IsZero()
	}
	return time.Until(p.due), true
}

// store stores what is complete now.
func (p *parts) store(ctx context.Context) error {
	part, ok := p.begin()
	if !ok {
		return p.failure()
	}
	err := p.take(ctx, part)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.storing = load{}
	notify(p.space)
	if err != nil {
		p.err = err
		close(p.failed)
		return err
	}
	if part.Cursor != nil {
		p.kept = part.Cursor
	}
	return nil
}

// begin returns the part that is to be stored, if there is anything new in it.
func (p *parts) begin() (sensor.Part, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.due = time.Time{}
	p.storing, p.ready = p.ready, load{}
	part := sensor.Part{Items: p.storing.items, Cursor: p.marked}
	if sameJSON(part.Cursor, p.kept) {
		part.Cursor = nil // many programs write it every time, and a poll that brings nothing is to cost nothing
	}
	return part, p.err == nil && (len(part.Items) > 0 || part.Cursor != nil)
}

func (p *parts) failure() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.err
}

// finish stores the rest once run has returned: what is complete, or all if the poll succeeded.
func (p *parts) finish(ctx context.Context, success bool) error {
	if success {
		p.mu.Lock()
		p.completeLocked()
		p.mu.Unlock()
	}
	return p.store(ctx)
}

func notify(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
