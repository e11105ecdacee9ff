package activities

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"

	"github.com/attune-automation/sensors/internal/sensor"
)

// work is a batch of a sensor that is attended, on its way to events and enforcements.
type work struct {
	head      sensor.BatchHead
	generated GenerateResult
	matched   MatchResult

	unpublished error         // why its events are not published, once published is closed
	published   chan struct{} // closed when they are, or cannot be
	unmatched   error         // why it is not matched, once ended is closed
	ended       chan struct{}
}

func newWork(head sensor.BatchHead) *work {
	return &work{head: head, published: make(chan struct{}), ended: make(chan struct{})}
}

// errBehind is why a batch is left alone: the one before it has failed, and messages are in the order of batches.
var errBehind = errors.New("the batch before it is not worked off")

// do works the batch off, each step once the batch before it, if there is one in hand, has done the same.
func (w *work) do(ctx context.Context, d *Drainer, before *work) {
	defer close(w.ended)
	in := BatchInput{BatchID: w.head.ID}
	if before != nil {
		<-before.published
	}
	if before != nil && before.unpublished != nil {
		w.unpublished = errBehind
	} else {
		w.generated, w.unpublished = contained(ctx, in, d.Generator.GenerateEvents)
	}
	close(w.published)
	if before != nil {
		<-before.ended
	}
	switch {
	case w.unpublished != nil:
	case before != nil && before.unmatched != nil:
		w.unmatched = errBehind
	default:
		w.matched, w.unmatched = contained(ctx, in, d.Matcher.MatchRules)
	}
}

// contained does a step. A panic is its failure: nobody else would recover from one in a goroutine of our own, and the worker
// would end, with all that it does for others. The workflow does the step once more, where the engine shows what it is.
func contained[R any](ctx context.Context, in BatchInput, step func(context.Context, BatchInput) (R, error)) (res R, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	return step(ctx, in)
}

func (w *work) hasEnded() bool {
	select {
	case <-w.ended:
		return true
	default:
		return false
	}
}

func (w *work) tally() Tally {
	return Tally{Batches: 1, Events: w.generated.Events, Enforcements: w.matched.Enforcements, Rejected: w.generated.Rejected}
}
