package activities

import (
	"context"
	"errors"
	"sync"
	"time"

	"go.temporal.io/sdk/activity"
)

// heartbeatEvery is also how soon a running activity learns that its workflow wants it to stop.
const heartbeatEvery = 5 * time.Second

// heartbeat keeps telling the server that the activity is alive until the returned function is called. In a local
// activity it does nothing.
func heartbeat(ctx context.Context) (stop func()) {
	done := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		tick := time.NewTicker(heartbeatEvery)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				activity.RecordHeartbeat(ctx)
			case <-done:
				return
			}
		}
	})
	return func() {
		close(done)
		wg.Wait()
	}
}

// errWorkerStopping hands an activity back to Temporal, which gives it to another worker.
var errWorkerStopping = errors.New("the worker is shutting down; this is handed to another one")

// stepGrace is how long work on a batch may go on once the worker is stopping. It takes that long only when the database
// or the broker is away.
const stepGrace = 2 * time.Second

// untilWorkerStops returns a context that ends, with errWorkerStopping as its cause, once the worker has been
// stopping for longer than grace.
func untilWorkerStops(ctx context.Context, grace time.Duration) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	go func() {
		select {
		case <-activity.GetWorkerStopChannel(ctx):
		case <-ctx.Done():
			return
		}
		select {
		case <-time.After(grace):
			cancel(errWorkerStopping)
		case <-ctx.Done():
		}
	}()
	return ctx, func() { cancel(nil) }
}

// handedBack returns errWorkerStopping in place of an error that came of it.
func handedBack(ctx context.Context, err error) error {
	if err != nil && errors.Is(context.Cause(ctx), errWorkerStopping) {
		return errWorkerStopping
	}
	return err
}
