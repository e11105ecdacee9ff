package workflows

import (
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/attune-automation/sensors/activities"
	"github.com/attune-automation/sensors/internal/sensor"
)

// SensorInput starts the workflow of a sensor.
type SensorInput struct {
	Ref      string `json:"ref"`
	Carry    *Carry `json:"carry,omitempty"`     // nil at the first start
	RunLimit int    `json:"run_limit,omitempty"` // polls of a run before it continues as new; 0: by size of the history
}

// Carry is what one run hands to the next, whether it continues as new or fails.
type Carry struct {
	Progress Progress  `json:"progress"`
	Paused   bool      `json:"paused,omitempty"`
	NextPoll time.Time `json:"next_poll,omitzero"`
	Stored   bool      `json:"stored,omitempty"`  // batches are stored that nobody works on
	Pushed   bool      `json:"pushed,omitempty"`  // something waits for the next poll
	Failure  *Failure  `json:"failure,omitempty"` // ended the run before, which had recovered: this one fails with it
}

// Failure is a failure of a sensor's code.
type Failure struct {
	Message string `json:"message"`
	Kind    string `json:"kind,omitempty"` // a sensor.FaultKind; empty: it was not the code that failed
}

// Sensor is the life of one sensor: poll, turn what that brought into events and enforcements, sleep, until it is
// stopped. A failure of the sensor's code fails the run; the workflow's retry policy makes the next attempt, and the
// first good poll after a failure continues as new, which sets the engine's count of attempts back.
func Sensor(ctx workflow.Context, in SensorInput) (SensorResult, error) {
	l := newLoop(ctx, in)
	if err := l.register(ctx); err != nil {
		return SensorResult{}, err
	}
	if err := l.load(ctx); err != nil {
		return SensorResult{}, err
	}
	if err := l.begin(ctx); err != nil {
		return SensorResult{}, err
	}
	if failure := l.carry.Failure; failure != nil {
		l.carry.Failure = nil
		return l.fail(ctx, failure.err())
	}
	return l.run(ctx)
}

// loop is the state of one run of a sensor's workflow.
type loop struct {
	ref         string
	limit       int
	attempt     int // the engine's, from 1
	allowed     int // attempts that the engine makes, from the retry policy in force
	spec        sensor.Spec
	fingerprint string // of the spec, as the activities reckon it
	state       State
	carry       Carry

	turn      workflow.Mutex // held by a cycle, and by an edit of the cursor
	edits     int            // edits of the cursor that have or want the turn
	polls     int            // of this run, and what streams told of
	remote    bool           // the worker at hand does not take the sensor's polls
	recovered bool           // a poll went well after a failure
	failed    bool           // for good
	heavy     bool           // the last batch made so many enforcements that matching goes the regular way
	reload    bool           // the definition changed
	renew     bool           // it changed so that the retry policy in force is not right any more
	stopping  string         // why to stop; empty: go on
	closing   bool           // nothing more is started in this run

	pollNow bool       // an operator wants a poll
	started int        // whole polls begun
	ended   int        // whole polls ended
	began   time.Time  // when the code that runs was started; zero: none does
	last    PollReport // of the last poll, or of the one going on
	fault   error      // what failed this run

	streaming bool // the code runs as a stream
	brought   bool // the stream has brought something since it was ordered
	news      bool // its worker has told something

	stop     workflow.ReceiveChannel
	reloaded workflow.ReceiveChannel
	wake     workflow.ReceiveChannel
}

func newLoop(ctx workflow.Context, in SensorInput) *loop {
	info := workflow.GetInfo(ctx)
	l := &loop{
		ref:      in.Ref,
		limit:    in.RunLimit,
		attempt:  int(info.Attempt),
		carry:    carried(ctx, in),
		turn:     workflow.NewMutex(ctx),
		stop:     workflow.GetSignalChannel(ctx, SignalStop),
		reloaded: workflow.GetSignalChannel(ctx, SignalReload),
		wake:     workflow.GetSignalChannel(ctx, SignalWake),
	}
	if info.RetryPolicy != nil {
		l.allowed = int(info.RetryPolicy.MaximumAttempts)
	}
	if l.carry.Progress.StartedAt.IsZero() {
		l.carry.Progress.StartedAt = workflow.Now(ctx)
	}
	return l
}

// carried returns what the previous run handed over: by its failure, or else by this run's input.
func carried(ctx workflow.Context, in SensorInput) Carry {
	var carry Carry
	if workflow.GetInfo(ctx).Attempt > 1 && details(workflow.GetLastError(ctx), &carry) == nil {
		return carry
	}
	if in.Carry != nil {
		return *in.Carry
	}
	return Carry{}
}

// load reads the definition.
func (l *loop) load(ctx workflow.Context) error {
	l.reload = false
	var loaded activities.LoadResult
	if err := step(ctx, false, "load the definition", keeper.LoadSensor, &loaded, l.ref); err != nil {
		return err
	}
	l.spec, l.fingerprint = loaded.Spec, loaded.Fingerprint
	if loaded.Inactive != "" {
		l.stopping = loaded.Inactive
	}
	return nil
}

// change takes over a changed definition, or changed defaults, which take effect at once.
func (l *loop) change(ctx workflow.Context) error {
	known := l.fingerprint
	if err := l.load(ctx); err != nil || known == l.fingerprint {
		return err
	}
	l.renew = l.allowed != l.spec.MaxAttempts
	l.carry.NextPoll = workflow.Now(ctx)
	return l.refresh(ctx)
}

// begin decides when the first poll of this run is due.
func (l *loop) begin(ctx workflow.Context) error {
	now := workflow.Now(ctx)
	switch {
	case l.attempt > 1:
		l.carry.NextPoll = now.Add(backoff(l.spec, l.attempt))
	case l.carry.NextPoll.IsZero():
		l.carry.NextPoll = now
	}
	return l.refresh(ctx)
}
