package workflows

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/attune-automation/sensors/activities"
	"github.com/attune-automation/sensors/internal/sensor"
)

// world is what the activities of a test act on: the batches that polls bring, and what was done to them.
type world struct {
	mu         sync.Mutex
	spec       sensor.Spec
	inactive   string
	polls      func(n int) (activities.PollResult, error) // n counts from 1
	polled     int
	pollTimes  []time.Time
	pollQueues []string
	elsewhere  bool // the worker at hand declines polls
	declined   int
	token      []byte  // of the last poll, by which one that goes on is ended
	stored     []int64 // batches that Drain finds
	drained    int
	drain      func() error // fails Drain
	generated  []int64
	matched    []int64
	cursors    []string
	emitted    []sensor.SystemEvent
	generate   func(attempt int) error // fails generate-event
	attempts   int
}

func newWorld() *world {
	return &world{
		spec: sensor.Spec{Ref: "t.s", Runtime: sensor.RuntimeExec, TriggerRef: "t.t", Version: 1, Queue: "exec", PollInterval: 30 * time.Second,
			Timeout: time.Minute, MaxAttempts: 3, RestartBackoff: 10 * time.Second, MaxRestartBackoff: time.Minute},
		polls: func(int) (activities.PollResult, error) { return activities.PollResult{}, nil },
	}
}

// brings makes a poll bring a batch, and store more of them behind it.
func (w *world) brings(batch int64, more ...int64) (activities.PollResult, error) {
	w.stored = append(w.stored, more...)
	return activities.PollResult{BatchID: batch, Count: 1, More: len(more) > 0, Spec: w.spec.Fingerprint()}, nil
}

// NewEnv returns an environment that takes a workflow whose machine is busy for a slow one, not for a dead one.
func NewEnv() *testsuite.TestWorkflowEnvironment {
	var suite testsuite.WorkflowTestSuite
	return suite.NewTestWorkflowEnvironment().SetWorkerOptions(worker.Options{DeadlockDetectionTimeout: time.Minute})
}

func (w *world) env(t *testing.T) *testsuite.TestWorkflowEnvironment {
	env := NewEnv()
	env.SetTestTimeout(30 * time.Second)
	env.SetStartTime(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
	env.RegisterWorkflow(Sensor)
	env.RegisterWorkflow(EmitEvent)
	register := func(name string, f any) { env.RegisterActivityWithOptions(f, activity.RegisterOptions{Name: name}) }
	register("LoadSensor", w.load)
	register("Poll", func(ctx context.Context, in activities.PollInput) (activities.PollResult, error) {
		return w.poll(ctx, env.Now(), in)
	})
	register("Drain", w.drainAll)
	register("GenerateEvents", w.generateEvents)
	register("MatchRules", w.matchRules)
	register("SetCursor", w.setCursor)
	register("StoreSystemEvent", w.storeEvent)
	return env
}

func (w *world) load(context.Context, string) (activities.LoadResult, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return activities.LoadResult{Spec: w.spec, Fingerprint: w.spec.Fingerprint(), Inactive: w.inactive}, nil
}

func (w *world) poll(ctx context.Context, now time.Time, in activities.PollInput) (activities.PollResult, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	queue := activity.GetInfo(ctx).TaskQueue
	if in.Queue != "" && w.elsewhere {
		w.declined++
		return activities.PollResult{Elsewhere: true}, nil
	}
	w.polled++
	w.pollTimes = append(w.pollTimes, now)
	w.pollQueues = append(w.pollQueues, queue)
	w.token = activity.GetInfo(ctx).TaskToken
	return w.polls(w.polled)
}

func (w *world) drainAll(context.Context, activities.DrainInput) (activities.Drained, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.drained++
	if w.drain != nil {
		if err := w.drain(); err != nil {
			return activities.Drained{}, err
		}
	}
	n := len(w.stored)
	w.generated = append(w.generated, w.stored...)
	w.matched = append(w.matched, w.stored...)
	w.stored = nil
	return activities.Drained{Tally: activities.Tally{Batches: n, Events: n, Enforcements: 2 * n}}, nil
}

func (w *world) generateEvents(_ context.Context, in activities.BatchInput) (activities.GenerateResult, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.attempts++
	if w.generate != nil {
		if err := w.generate(w.attempts); err != nil {
			return activities.GenerateResult{}, err
		}
	}
	w.generated = append(w.generated, in.BatchID)
	return activities.GenerateResult{Events: 1, FirstEventID: in.BatchID}, nil
}

func (w *world) matchRules(_ context.Context, in activities.BatchInput) (activities.MatchResult, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.matched = append(w.matched, in.BatchID)
	return activities.MatchResult{Enforcements: 2}, nil
}

func (w *world) setCursor(_ context.Context, in activities.CursorInput) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cursors = append(w.cursors, string(in.Cursor))
	return nil
}

func (w *world) storeEvent(_ context.Context, event sensor.SystemEvent) (int64, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.emitted = append(w.emitted, event)
	return 1000, nil
}

// streams makes the sensor a stream whose code goes on until a test ends it.
func (w *world) streams() *world {
	w.spec.Stream, w.spec.Timeout = true, 0
	w.polls = func(int) (activities.PollResult, error) { return activities.PollResult{}, activity.ErrResultPending }
	return w
}

func sensorFault() error {
	return temporal.NewApplicationErrorWithOptions("exception: boom", activities.TypeSensorError,
		temporal.ApplicationErrorOptions{NonRetryable: true})
}

// stopAt stops the sensor at a moment after its start.
func stopAt(env *testsuite.TestWorkflowEnvironment, after time.Duration) {
	env.RegisterDelayedCallback(func() { env.SignalWorkflow(SignalStop, "test over") }, after)
}

func start(env *testsuite.TestWorkflowEnvironment) {
	env.ExecuteWorkflow(Sensor, SensorInput{Ref: "t.s", Carry: &Carry{}})
}

func queryStatus(t *testing.T, env *testsuite.TestWorkflowEnvironment) Status {
	t.Helper()
	value, err := env.QueryWorkflow(QueryStatus)
	require.NoError(t, err)
	var status Status
	require.NoError(t, value.Get(&status))
	return status
}

// continued returns the input of the run that follows, if this one continued as new.
func continued(env *testsuite.TestWorkflowEnvironment) (SensorInput, bool) {
	var again *workflow.ContinueAsNewError
	if !errors.As(env.GetWorkflowError(), &again) {
		return SensorInput{}, false
	}
	return carriedInput(again), true
}

func carriedInput(again *workflow.ContinueAsNewError) (in SensorInput) {
	if err := converter.GetDefaultDataConverter().FromPayloads(again.Input, &in); err != nil {
		panic(err)
	}
	return in
}
