package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
)

// within bounds what waits for a worker.
func within(ctx context.Context, timeout time.Duration, f func(ctx context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	err := f(ctx)
	if expired(ctx, err) {
		return fmt.Errorf("no answer within %s: see that a worker runs; it may still be done once one does", timeout)
	}
	return err
}

// expired says whether err is that the time of ctx is over. The client may give up a moment before ctx does.
func expired(ctx context.Context, err error) bool {
	if err == nil || errors.Is(ctx.Err(), context.Canceled) {
		return false
	}
	if ctx.Err() != nil || errors.Is(err, context.DeadlineExceeded) {
		return true
	}
	if _, ok := errors.AsType[*serviceerror.DeadlineExceeded](err); ok {
		return true
	}
	_, ok := errors.AsType[*client.WorkflowUpdateServiceTimeoutOrCanceledError](err)
	return ok
}
