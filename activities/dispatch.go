package activities

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/attune-automation/sensors/internal/sensor"
)

// DispatchStore is what Dispatch needs of the store.
type DispatchStore interface {
	// UndispatchedOf returns the enforcements of a batch whose action this service has yet to carry out, by ID.
	UndispatchedOf(ctx context.Context, batchID int64) ([]sensor.Enforcement, error)
	// Dispatched records where the action of an enforcement ended up; one that is resolved already is left as it is.
	Dispatched(ctx context.Context, enforcementID int64, link sensor.Link) error
	// DispatchFailed records why the action of an enforcement cannot be carried out; likewise.
	DispatchFailed(ctx context.Context, enforcementID int64, reason string) error
}

// Target carries out actions.
type Target interface {
	// Dispatch carries out the action of an enforcement, once however often it is called. What is wrong with the action
	// itself is sensor.ErrRefused.
	Dispatch(ctx context.Context, enforcement sensor.Enforcement, action sensor.TemporalAction) (sensor.Link, error)
}

// Dispatcher carries out the actions of enforcements that are this service's own to carry out.
type Dispatcher struct {
	Store  DispatchStore
	Target Target
}

// DispatchResult counts what became of the actions of a batch.
type DispatchResult struct {
	Dispatched int `json:"dispatched"`
	Failed     int `json:"failed"` // for good
}

// parallelDispatches is how many actions are carried out at once.
const parallelDispatches = 16

// Dispatch carries out the actions of a batch's enforcements that are not carried out yet. It fails when any of them has to
// be tried again, which does not keep the others from being done.
func (d *Dispatcher) Dispatch(ctx context.Context, in BatchInput) (DispatchResult, error) {
	defer heartbeat(ctx)()
	ctx, cancel := untilWorkerStops(ctx, stepGrace)
	defer cancel()
	enforcements, err := d.Store.UndispatchedOf(ctx, in.BatchID)
	if err != nil {
		return DispatchResult{}, translate(handedBack(ctx, err))
	}
	round := &dispatchRound{Dispatcher: d}
	next := make(chan sensor.Enforcement)
	var wg sync.WaitGroup
	for range min(parallelDispatches, len(enforcements)) {
		wg.Go(func() {
			for e := range next {
				round.note(round.one(ctx, e))
			}
		})
	}
	for _, e := range enforcements {
		next <- e
	}
	close(next)
	wg.Wait()
	return round.result, translate(handedBack(ctx, errors.Join(round.errs...)))
}

// dispatchRound is one call of Dispatch.
type dispatchRound struct {
	*Dispatcher
	mu     sync.Mutex
	result DispatchResult
	errs   []error // the first few
}

// maxDispatchErrors bounds what a failed round says.
const maxDispatchErrors = 5

func (r *dispatchRound) note(failed bool, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case err != nil:
		if len(r.errs) < maxDispatchErrors {
			r.errs = append(r.errs, err)
		}
	case failed:
		r.result.Failed++
	default:
		r.result.Dispatched++
	}
}

// one carries out one action, and says whether it failed for good.
func (r *dispatchRound) one(ctx context.Context, e sensor.Enforcement) (failed bool, err error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	link, err := r.carryOut(ctx, e)
	switch {
	case errors.Is(err, sensor.ErrRefused):
		return true, r.Store.DispatchFailed(ctx, e.ID, err.Error())
	case err != nil:
		return false, fmt.Errorf("enforcement %d of rule %s: %w", e.ID, e.RuleRef, err)
	}
	return false, r.Store.Dispatched(ctx, e.ID, link)
}

func (r *dispatchRound) carryOut(ctx context.Context, e sensor.Enforcement) (sensor.Link, error) {
	action, err := e.TemporalAction()
	if err != nil {
		return sensor.Link{}, fmt.Errorf("%w: the action's %v", sensor.ErrRefused, err) //nolint:errorlint // one sentinel is enough
	}
	return r.Target.Dispatch(ctx, e, action)
}
