package workflows

import (
	"fmt"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/attune-automation/sensors/internal/sensor"
)

func (l *loop) status() Status {
	s := Status{
		Ref:          l.ref,
		State:        l.state,
		Running:      !l.closing,
		Failed:       l.failed,
		Stream:       l.spec.Stream,
		Polling:      l.turn.IsLocked(),
		PollingSince: l.began,
		FailureCount: l.failures(),
		MaxAttempts:  l.spec.MaxAttempts,
		Version:      l.spec.Version,
		Queue:        l.spec.Queue,
		Progress:     l.carry.Progress,
	}
	if l.spec.Runtime != sensor.RuntimeTimer {
		s.PollInterval = l.spec.PollInterval.String()
	}
	if !l.closing && !l.carry.Paused && !l.streaming {
		s.NextPoll = l.carry.NextPoll
	}
	return s
}

// failures counts the consecutive failures so far, which is what the engine's attempt says.
func (l *loop) failures() int {
	switch {
	case l.recovered:
		return 0
	case l.fault != nil:
		return l.attempt
	}
	return l.attempt - 1
}

// refresh enters the state that follows from what is known of a sensor that is not ending.
func (l *loop) refresh(ctx workflow.Context) error {
	state := StateRunning
	switch {
	case l.closing:
		return nil
	case l.carry.Paused:
		state = StatePaused
	case l.carry.Progress.Waiting != "":
		state = StateWaiting
	case l.attempt > 1 && !l.recovered:
		state = StateBackingOff
	}
	return l.enter(ctx, state)
}

// enter records the state, and the version in force, where people and the manager look for them. Each record costs an
// event in the history, so only changes are recorded.
func (l *loop) enter(ctx workflow.Context, state State) error {
	l.state = state
	l.show(ctx)
	known := workflow.GetTypedSearchAttributes(ctx)
	knownState, _ := known.GetKeyword(AttributeState)
	knownVersion, _ := known.GetInt64(AttributeVersion)
	if knownState == string(state) && knownVersion == l.spec.Version {
		return nil
	}
	changed := []temporal.SearchAttributeUpdate{AttributeState.ValueSet(string(state)), AttributeVersion.ValueSet(l.spec.Version)}
	if knownState != string(state) {
		changed = append(changed, AttributeSince.ValueSet(workflow.Now(ctx)))
	}
	return workflow.UpsertTypedSearchAttributes(ctx, changed...)
}

func (l *loop) sleepSummary() string {
	switch {
	case l.carry.Progress.Waiting != "":
		return "until it is tried again"
	case l.attempt > 1 && !l.recovered:
		return fmt.Sprintf("back-off before attempt %d", l.attempt)
	}
	return "until the next poll"
}

func moment(t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	return clock(t)
}
