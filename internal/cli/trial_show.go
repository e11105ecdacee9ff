package cli

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/attune-automation/sensors/internal/rule"
	"github.com/attune-automation/sensors/internal/size"
)

const (
	shownEvents  = 20   // that are shown to people; programs get all
	shownPayload = 2000 // characters of one of them
)

// showTrial writes the report.
func (s *session) showTrial(r *trialReport, flags trial) error {
	if s.format != formatTable {
		return s.format.encode(s.env.Stdout, r)
	}
	var text strings.Builder
	for i, e := range r.Events[:min(len(r.Events), shownEvents)] {
		if err := e.write(&text, i+1, flags.match); err != nil {
			return err
		}
	}
	if more := len(r.Events) - shownEvents; more > 0 {
		fmt.Fprintf(&text, "and %s: -o json shows all\n\n", count(more, "more event", "more events"))
	}
	if len(r.Log) > 0 {
		text.WriteString("log\n")
		for _, line := range r.Log {
			fmt.Fprintf(&text, "  %-7s  %s\n", line.Source, printable(line.Text))
		}
		text.WriteString("\n")
	}
	if _, err := io.WriteString(s.env.Stdout, text.String()); err != nil {
		return err
	}
	return show(s, r, r.lines(flags)...)
}

// lines are what is said of the poll as a whole.
func (r *trialReport) lines(flags trial) []line {
	brought := count(len(r.Events), "event", "events")
	switch {
	case r.Fault != nil && len(r.Parts) > 0:
		brought += ", up to the last checkpoint before it failed"
	case r.Fault != nil:
		brought = "nothing: without a checkpoint a poll that fails keeps no event"
	}
	if refused := r.refused(); refused > 0 {
		brought += fmt.Sprintf(", %d of them refused", refused)
	}
	all := []line{
		{"sensor", r.Sensor + " of " + cmp.Or(map[bool]string{true: "the database"}[r.Source == sourceDatabase], r.Source)},
		{"brought", brought},
		{"skipped", r.Skip},
		{"cursor before", compactJSON(r.Cursor)},
		{"cursor after", compactJSON(r.CursorAfter)},
		{"next poll", r.next()},
		{"took", r.took()},
		{"sandbox", r.Sandbox},
	}
	if flags.expect != "" {
		all = append(all, line{"as expected", r.asExpected()})
	}
	return all
}

func (r *trialReport) next() string {
	switch {
	case r.More:
		return "at once: it has more"
	case r.NextAfter > 0:
		return "in " + seconds(r.NextAfter)
	case r.NextAt != "":
		return r.NextAt
	case r.Completed:
		return "never: it has brought all that it ever will"
	}
	return ""
}

func (r *trialReport) took() string {
	if r.Usage == nil || r.Usage.Wall == 0 {
		return ""
	}
	took := seconds(r.Usage.Wall)
	if r.Usage.CPU > 0 {
		took += ", " + seconds(r.Usage.CPU) + " of the processor"
	}
	if r.Usage.Memory > 0 {
		took += ", " + size.Approximate(r.Usage.Memory) + " of memory"
	}
	return took
}

func seconds(s float64) string {
	return time.Duration(s * float64(time.Second)).Round(time.Millisecond).String()
}

func (r *trialReport) asExpected() string {
	if len(r.Differences) == 0 {
		return "yes"
	}
	var text strings.Builder
	text.WriteString("no\n")
	for _, d := range r.Differences {
		fmt.Fprintf(&text, "%s\n  expected  %s\n  got       %s\n", d.Path, shorten(d.Expected), shorten(d.Actual))
	}
	return text.String()
}

// write shows one event to people.
func (e trialEvent) write(w *strings.Builder, number int, match bool) error {
	about := []string{e.Trigger}
	if e.Key != "" {
		about = append(about, "key "+printable(e.Key))
	}
	if e.OccurredAt != "" {
		about = append(about, "occurred "+e.OccurredAt)
	}
	fmt.Fprintf(w, "event %d  %s\n  %s\n", number, strings.Join(about, "  "), e.payload())
	if e.Refused != "" {
		fmt.Fprintf(w, "  would be refused: %s\n", printable(e.Refused))
	}
	if e.Suppressed != "" {
		fmt.Fprintf(w, "  would be suppressed: %s\n", e.Suppressed)
	}
	if match && e.Refused == "" && e.Suppressed == "" {
		if err := e.writeRules(w); err != nil {
			return err
		}
	}
	w.WriteString("\n")
	return nil
}

func (e trialEvent) payload() string {
	text := compactJSON(e.Payload)
	if runes := []rune(text); len(runes) > shownPayload {
		return printable(string(runes[:shownPayload])) + "… (-o json shows all of it)"
	}
	return printable(text)
}

// compactJSON writes JSON on one line; null for nothing.
func compactJSON(raw json.RawMessage) string {
	var text bytes.Buffer
	if json.Compact(&text, orNull(raw)) != nil {
		return string(raw)
	}
	return text.String()
}

func (e trialEvent) writeRules(w *strings.Builder) error {
	if len(e.Rules) == 0 {
		w.WriteString("  no rule of its trigger\n")
	}
	for _, r := range e.Rules {
		switch {
		case r.Failure != "":
			fmt.Fprintf(w, "  rule %s fires, but action %s has no parameters: %s\n", r.Rule, r.Action, printable(r.Failure))
			continue
		case r.Correlates != "":
			fmt.Fprintf(w, "  rule %s matches: %s\n", r.Rule, r.Correlates)
			continue
		case r.Fires:
			fmt.Fprintf(w, "  rule %s fires: action %s", r.Rule, r.Action)
			if params := compactJSON(r.Params); params != "{}" {
				fmt.Fprintf(w, " with %s", shorten(params))
			}
			if r.Throttle != "" {
				fmt.Fprintf(w, ", unless its throttle holds it back: %s", r.Throttle)
			}
			w.WriteString("\n")
			continue
		case r.Reason != "":
			fmt.Fprintf(w, "  rule %s does not: %s\n", r.Rule, r.Reason)
			continue
		}
		fmt.Fprintf(w, "  rule %s does not: %s of\n", r.Rule, r.Condition)
		if err := writeExplanation(w, "    ", *r.Explanation); err != nil {
			return err
		}
	}
	return nil
}

// writeExplanation shows why conditions hold or not, below each other.
func writeExplanation(w io.Writer, indent string, e rule.Explanation) error {
	var table strings.Builder
	if err := writeAligned(&table, explanationRows(e)); err != nil {
		return err
	}
	for row := range strings.Lines(table.String()) {
		if _, err := io.WriteString(w, indent+row); err != nil {
			return err
		}
	}
	return nil
}
