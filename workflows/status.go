package workflows

import (
	"fmt"
	"strings"
	"time"

	"go.temporal.io/sdk/workflow"
)

func (l *loop) status() Status {
	s := Status{
		Ref:          l.ref,
		State:        l.state,
		Running:      !l.closing,
		Failed:       l.failed,
		Polling:      l.turn.IsLocked(),
		FailureCount: l.failures(),
		MaxAttempts:  l.spec.MaxAttempts,
		Version:      l.spec.Version,
		PollInterval: l.spec.PollInterval.String(),
		Progress:     l.carry.Progress,
	}
	if !l.closing && !l.carry.Paused {
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
	return workflow.UpsertTypedSearchAttributes(ctx,
		AttributeState.ValueSet(string(state)), AttributeVersion.ValueSet(l.spec.Version))
}

// show keeps the Web UI's details of the workflow up to date.
func (l *loop) show(ctx workflow.Context) { workflow.SetCurrentDetails(ctx, l.details()) }

func (l *loop) details() string {
	p := l.carry.Progress
	var b strings.Builder
	fmt.Fprintf(&b, "**%s**", strings.ReplaceAll(string(l.state), "_", " "))
	if n := l.failures(); n > 0 {
		fmt.Fprintf(&b, ", %d of %d attempts failed", n, l.spec.MaxAttempts)
	}
	b.WriteString("\n\n| | |\n|---|---|\n")
	row := func(name, value string) { fmt.Fprintf(&b, "| %s | %s |\n", name, value) }
	row("last poll", moment(p.LastPoll))
	row("last events", moment(p.LastEvents))
	if !l.closing && !l.carry.Paused {
		row("next poll", moment(l.carry.NextPoll))
	}
	row("since "+clock(p.StartedAt), fmt.Sprintf("%d polls, %d batches, %d events, %d enforcements, %d rejected, %d recoveries",
		p.Polls, p.Batches, p.Events, p.Enforcements, p.Rejected, p.Recoveries))
	if p.LastError != "" {
		fmt.Fprintf(&b, "\nLast error, %s:\n```\n%s\n```\n", moment(p.LastErrorAt), p.LastError)
	}
	return b.String()
}

func (l *loop) sleepSummary() string {
	if l.attempt > 1 && !l.recovered {
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
