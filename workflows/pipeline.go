package workflows

import (
	"errors"
	"fmt"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/attune-automation/sensors/activities"
)

// The activities, by the methods that implement them.
var (
	poller     *activities.Poller
	keeper     *activities.Keeper
	generator  *activities.Generator
	matcher    *activities.Matcher
	drainer    *activities.Drainer
	dispatcher *activities.Dispatcher
	opener     *activities.GroupOpener
	closer     *activities.GroupCloser
	emitter    *activities.Emitter
	reconciler *activities.Reconciler
	replayer   *activities.Replayer
)

const (
	// localTimeout keeps a local activity well within a workflow task; slower work goes the regular way.
	localTimeout = 5 * time.Second
	// heavyBatch is how many enforcements of one batch make the next one go the regular way from the start.
	heavyBatch = 20_000

	heartbeatTimeout = 30 * time.Second
	stepTimeout      = time.Hour // a regular step's bound; a dead worker shows by its heartbeat long before
)

// forEver retries what the infrastructure got wrong until it works: it shows as a pending activity in the meantime.
func forEver() *temporal.RetryPolicy {
	return &temporal.RetryPolicy{
		InitialInterval:        time.Second,
		BackoffCoefficient:     2,
		MaximumInterval:        30 * time.Second,
		NonRetryableErrorTypes: []string{activities.TypeSensorError, activities.TypeRefused, activities.TypeBatchInHand},
	}
}

// Processed is what became of one batch.
type Processed struct {
	Events       int
	Enforcements int
	Rejected     int
	FirstEventID int64
	FirstReason  string
}

// process turns a stored batch into events and those into enforcements, all of them published and confirmed.
func process(ctx workflow.Context, batchID int64, heavy bool) (Processed, error) {
	in := activities.BatchInput{BatchID: batchID}
	var generated activities.GenerateResult
	summary := fmt.Sprintf("generate events of batch %d", batchID)
	if err := step(ctx, false, summary, generator.GenerateEvents, &generated, in); err != nil {
		return Processed{}, err
	}
	var matched activities.MatchResult
	summary = fmt.Sprintf("match rules with batch %d, %d events", batchID, generated.Events)
	if err := step(ctx, heavy, summary, matcher.MatchRules, &matched, in); err != nil {
		return Processed{}, err
	}
	return Processed{
		Events:       generated.Events,
		Enforcements: matched.Enforcements,
		Rejected:     generated.Rejected,
		FirstEventID: generated.FirstEventID,
		FirstReason:  generated.FirstReason,
	}, nil
}

// step runs a short, repeatable activity as a local one, which is cheap, and when that fails as a regular one that is
// retried for ever, so that an outage shows as a pending activity and heals by itself. Heavy work is regular at once.
func step(ctx workflow.Context, heavy bool, summary string, activity, result any, args ...any) error {
	if !heavy {
		local := workflow.WithLocalActivityOptions(ctx, localOptions(summary))
		err := workflow.ExecuteLocalActivity(local, activity, args...).Get(ctx, result)
		if err == nil || final(err) {
			return err
		}
	}
	regular := workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: stepTimeout,
		HeartbeatTimeout:    heartbeatTimeout,
		RetryPolicy:         forEver(),
		Summary:             summary,
	})
	return workflow.ExecuteActivity(regular, activity, args...).Get(ctx, result)
}

// localOptions are those of a local activity that is tried once.
func localOptions(summary string) workflow.LocalActivityOptions {
	return workflow.LocalActivityOptions{
		StartToCloseTimeout: localTimeout,
		RetryPolicy:         &temporal.RetryPolicy{MaximumAttempts: 1},
		Summary:             summary,
	}
}

// final says whether trying again is pointless: the order was refused, or the workflow is cancelled.
func final(err error) bool {
	var app *temporal.ApplicationError
	if errors.As(err, &app) {
		return app.NonRetryable()
	}
	return temporal.IsCanceledError(err)
}
