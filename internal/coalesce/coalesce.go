// Package coalesce does as one piece of work what several callers want at the same time, and gives each its own result. While
// a piece is under way the next one gathers, so that a piece is as large as the work is slow, and a caller that comes alone
// waits for nobody.
package coalesce

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"sync/atomic"
)

// Config says what to do and how much at once.
type Config[In, Out any] struct {
	// Work does a piece of work and returns a result for each item, in order. When it fails, or panics, that is what becomes
	// of each. Its context ends when none of the callers waits any more.
	Work     func(ctx context.Context, items []In) ([]Out, error)
	Most     int // items of one piece
	Parallel int // pieces at once, of each key
	// Key returns the key of an item: the items of one piece have the same. Nil: all have.
	Key func(item In) string
}

// Gatherer gathers what callers want. It is safe for concurrent use.
type Gatherer[In, Out any] struct {
	cfg Config[In, Out]

	mu     sync.Mutex
	queues map[string]*queue[In, Out] // by key, while any of their callers waits or is worked for
}

// queue is what waits of one key.
type queue[In, Out any] struct {
	waiting []*call[In, Out] // in the order in which they came
	working int              // goroutines
}

// call is a caller that waits for its result.
type call[In, Out any] struct {
	ctx    context.Context
	item   In
	answer chan answer[Out] // has room for the only one
}

type answer[Out any] struct {
	out Out
	err error
}

// New returns a Gatherer.
func New[In, Out any](cfg Config[In, Out]) (*Gatherer[In, Out], error) {
	switch {
	case cfg.Work == nil:
		return nil, errors.New("coalesce: Work is missing")
	case cfg.Most < 1:
		return nil, fmt.Errorf("coalesce: Most is %d: use at least 1", cfg.Most)
	case cfg.Parallel < 1:
		return nil, fmt.Errorf("coalesce: Parallel is %d: use at least 1", cfg.Parallel)
	}
	if cfg.Key == nil {
		cfg.Key = func(In) string { return "" }
	}
	return &Gatherer[In, Out]{cfg: cfg, queues: map[string]*queue[In, Out]{}}, nil
}

// Do has an item worked on and returns its result. When ctx ends first, the work may be done nevertheless.
func (g *Gatherer[In, Out]) Do(ctx context.Context, item In) (out Out, err error) {
	c := &call[In, Out]{ctx: ctx, item: item, answer: make(chan answer[Out], 1)}
	g.enter(c)
	select {
	case a := <-c.answer:
		return a.out, a.err
	case <-ctx.Done():
		return out, ctx.Err()
	}
}

// Waiting returns how many callers wait for a piece that has not begun.
func (g *Gatherer[In, Out]) Waiting() (n int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, q := range g.queues {
		n += len(q.waiting)
	}
	return n
}

func (g *Gatherer[In, Out]) enter(c *call[In, Out]) {
	key := g.cfg.Key(c.item)
	g.mu.Lock()
	defer g.mu.Unlock()
	q := g.queues[key]
	if q == nil {
		q = &queue[In, Out]{}
		g.queues[key] = q
	}
	q.waiting = append(q.waiting, c)
	if q.working < g.cfg.Parallel {
		q.working++
		go g.work(key, q)
	}
}

// work does one piece of a key after the other until nobody waits.
func (g *Gatherer[In, Out]) work(key string, q *queue[In, Out]) {
	for calls := g.gather(key, q); len(calls) > 0; calls = g.gather(key, q) {
		g.do(calls)
	}
}

// gather takes the calls of the next piece, but for those whose callers have gone. When there are none, the goroutine that
// asked is counted as gone, and the queue goes with the last of them.
func (g *Gatherer[In, Out]) gather(key string, q *queue[In, Out]) []*call[In, Out] {
	g.mu.Lock()
	defer g.mu.Unlock()
	var calls []*call[In, Out]
	n := 0
	for ; n < len(q.waiting) && len(calls) < g.cfg.Most; n++ {
		if q.waiting[n].ctx.Err() == nil {
			calls = append(calls, q.waiting[n])
		}
	}
	if q.waiting = q.waiting[n:]; len(q.waiting) == 0 {
		q.waiting = nil
	}
	if len(calls) == 0 {
		if q.working--; q.working == 0 {
			delete(g.queues, key)
		}
	}
	return calls
}

func (g *Gatherer[In, Out]) do(calls []*call[In, Out]) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var left atomic.Int64 // callers
	left.Store(int64(len(calls)))
	items := make([]In, len(calls))
	for i, c := range calls {
		items[i] = c.item
		defer context.AfterFunc(c.ctx, func() {
			if left.Add(-1) == 0 {
				cancel()
			}
		})()
	}
	out, err := g.contained(ctx, items)
	for i, c := range calls {
		if err != nil {
			c.answer <- answer[Out]{err: err}
			continue
		}
		c.answer <- answer[Out]{out: out[i]}
	}
}

// contained works on items. Nobody else would recover from a panic: the goroutine is no caller's.
func (g *Gatherer[In, Out]) contained(ctx context.Context, items []In) (out []Out, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	return g.cfg.Work(ctx, items)
}
