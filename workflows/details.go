package workflows

import (
	"fmt"
	"strings"

	"go.temporal.io/sdk/workflow"
)

// show keeps the Web UI's details of the workflow up to date.
func (l *loop) show(ctx workflow.Context) { workflow.SetCurrentDetails(ctx, l.details()) }

func (l *loop) details() string {
	p := l.carry.Progress
	var b strings.Builder
	fmt.Fprintf(&b, "**%s**", strings.ReplaceAll(string(l.state), "_", " "))
	if n := l.failures(); n > 0 {
		fmt.Fprintf(&b, ", %d of %d attempts failed", n, l.spec.MaxAttempts)
	}
	if p.Waiting != "" {
		fmt.Fprintf(&b, "\n\nWaits since %s: %s", clock(p.WaitingSince), p.Waiting)
	}
	b.WriteString("\n\n| | |\n|---|---|\n")
	for _, row := range l.rows() {
		if row[1] != "" {
			fmt.Fprintf(&b, "| %s | %s |\n", row[0], row[1])
		}
	}
	if p.LastError != "" {
		fmt.Fprintf(&b, "\nLast error, %s:\n```\n%s\n```\n", moment(p.LastErrorAt), p.LastError)
	}
	return b.String()
}

// rows are what the details say, line by line; those without a value are left out.
func (l *loop) rows() [][2]string {
	p := l.carry.Progress
	var streaming, next, skip, memory string
	switch {
	case l.streaming && !l.began.IsZero():
		streaming = clock(l.began)
	case !l.closing && !l.carry.Paused && !l.streaming:
		next = moment(l.carry.NextPoll)
	}
	if p.LastSkip != "" {
		skip = fmt.Sprintf("%s: %s", clock(p.LastSkipAt), cell(p.LastSkip))
	}
	if p.Memory > 0 {
		memory = fmt.Sprintf("%.1f MiB", float64(p.Memory)/(1<<20))
	}
	return [][2]string{
		{"streaming since", streaming},
		{"last poll", moment(p.LastPoll)},
		{"last events", moment(p.LastEvents)},
		{"next poll", next},
		{"last skip", skip},
		{"queue", l.spec.Queue},
		{"host", p.Host},
		{"sandbox", p.Sandbox},
		{"memory", memory},
		{"since " + clock(p.StartedAt), fmt.Sprintf(
			"%d polls, %d batches, %d events, %d enforcements, %d rejected, %d suppressed, %d recoveries",
			p.Polls, p.Batches, p.Events, p.Enforcements, p.Rejected, p.Suppressed, p.Recoveries)},
	}
}

// cell makes a text fit for a cell of a table.
func cell(text string) string {
	return strings.NewReplacer("\n", " ", "\r", " ", "|", "\\|").Replace(text)
}
