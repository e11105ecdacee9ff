package fleet

import (
	"context"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/attune-automation/sensors/activities"
)

const (
	// wakePause is the shortest time between two signals to the same sensor: what comes meanwhile shares the second.
	wakePause = 50 * time.Millisecond
	// Between tries to send a signal while the engine is away.
	minWakeRetry = 200 * time.Millisecond
	maxWakeRetry = 5 * time.Second
	// wakeTimeout bounds one try.
	wakeTimeout = 10 * time.Second
)

// Signaler tells the workflow of a sensor what happened.
type Signaler interface {
	Wake(ctx context.Context, sensorRef string, news activities.Brought) error
}

// Waker tells sensors that something waits for them, so that they poll at once. Any number of calls for a sensor become
// few signals, and at least one after the last call, however long the engine is away.
type Waker struct {
	signaler Signaler
	bell     *activities.Bell
	logger   *zap.Logger
	ctx      context.Context //nolint:containedctx // that of the signals in the background, until Close
	cancel   context.CancelFunc

	mu      sync.Mutex
	wanted  map[string]bool // sensors that somebody takes care of; true: a further signal is due
	working sync.WaitGroup
}

// NewWaker returns a Waker, which sends no signal when a poll of its own process hears the bell. Close it.
func NewWaker(signaler Signaler, bell *activities.Bell, logger *zap.Logger) *Waker {
	ctx, cancel := context.WithCancel(context.Background())
	return &Waker{signaler: signaler, bell: bell, logger: logger, ctx: ctx, cancel: cancel, wanted: map[string]bool{}}
}

// Wake has the sensor poll soon. It does not wait for that, and may be called any number of times.
func (w *Waker) Wake(ref string) {
	if w.bell.Ring(ref) {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.ctx.Err() != nil {
		return
	}
	if _, cared := w.wanted[ref]; cared {
		w.wanted[ref] = true
		return
	}
	w.wanted[ref] = false
	w.working.Go(func() { w.care(ref) })
}

// Close gives up what is not sent yet, and returns when nothing is going on any more.
func (w *Waker) Close() {
	w.mu.Lock()
	w.cancel()
	w.mu.Unlock()
	w.working.Wait()
}

// care sends signals to a sensor until no further one is due.
func (w *Waker) care(ref string) {
	for more := true; more; more = w.more(ref) {
		w.send(ref)
		w.sleep(wakePause)
	}
}

// more says whether a further signal is due. If not, the next Wake has to take care of the sensor anew.
func (w *Waker) more(ref string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.wanted[ref] && w.ctx.Err() == nil {
		w.wanted[ref] = false
		return true
	}
	delete(w.wanted, ref)
	return false
}

// send sends one signal, as often as it takes.
func (w *Waker) send(ref string) {
	for pause := minWakeRetry; w.ctx.Err() == nil; pause = min(2*pause, maxWakeRetry) {
		ctx, cancel := context.WithTimeout(w.ctx, wakeTimeout)
		err := w.signaler.Wake(ctx, ref, activities.Brought{Pushed: true})
		cancel()
		if err == nil {
			return
		}
		if pause == minWakeRetry {
			w.logger.Warn("a sensor cannot be woken; trying again", zap.String("sensor_ref", ref), zap.Error(err))
		}
		w.sleep(pause)
	}
}

func (w *Waker) sleep(d time.Duration) {
	select {
	case <-time.After(d):
	case <-w.ctx.Done():
	}
}
