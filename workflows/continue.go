package workflows

import (
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"
)

// restless says whether this run should continue as new now: it has recovered from a failure, the definition asks for
// another retry policy, or its history is long; and no update is being handled. A stream that has recovered is left in
// peace: see fail.
func (l *loop) restless(ctx workflow.Context) bool {
	due := (l.recovered && !l.streaming) ||
		(l.renew && l.attempt == 1) ||
		(l.limit > 0 && l.polls >= l.limit) ||
		l.long(ctx)
	return due && workflow.AllHandlersFinished(ctx)
}

// long says whether the history is long. To continue as new restarts a stream, so that one may grow longer, although
// the server suggests otherwise: below the length at which it warns.
func (l *loop) long(ctx workflow.Context) bool {
	info := workflow.GetInfo(ctx)
	if l.spec.Stream {
		return info.GetCurrentHistoryLength() > streamFactor*historyLimit(l.ref)
	}
	return info.GetContinueAsNewSuggested() || info.GetCurrentHistoryLength() > historyLimit(l.ref)
}

// continueAsNew hands over to a fresh run: attempt 1, an empty history, and the definition's own retry policy.
func (l *loop) continueAsNew(ctx workflow.Context) error {
	carry := l.carry
	return workflow.NewContinueAsNewErrorWithOptions(ctx, workflow.ContinueAsNewErrorOptions{
		RetryPolicy: RetryPolicy(l.spec.MaxAttempts),
	}, Sensor, SensorInput{Ref: l.ref, Carry: &carry, RunLimit: l.limit})
}

// RetryPolicy makes the engine restart a sensor that fails, up to the given number of consecutive failures. Its own
// interval is short, because queries fail and signals wait meanwhile; the real back-off is a timer in the next attempt.
func RetryPolicy(attempts int) *temporal.RetryPolicy {
	return &temporal.RetryPolicy{
		InitialInterval:    time.Second,
		BackoffCoefficient: 1,
		MaximumInterval:    time.Second,
		MaximumAttempts:    int32(attempts),
	}
}
