package cli

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/attune-automation/sensors/internal/cron"
)

// newTimer returns the commands for those who write timers.
func newTimer(s *session) *cobra.Command {
	c := &cobra.Command{
		Use:   "timer",
		Short: "Try out when timers are due",
		Args:  cobra.NoArgs,
		RunE:  func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(newTimerNext(s))
	return c
}

// timerNext is the flags of `timer next`.
type timerNext struct {
	cron      string
	timezone  string
	from      instant
	count     limit
	dstGap    choice
	dstRepeat choice
}

func newTimerNext(s *session) *cobra.Command {
	t := timerNext{
		count:     5,
		dstGap:    choice{value: string(cron.GapRunAfter), of: cron.Gaps()},
		dstRepeat: choice{value: string(cron.RepeatFirst), of: cron.Repeats()},
	}
	c := &cobra.Command{
		Use:   "next",
		Short: "Say when a cron expression is due next",
		Long: `Say when a cron expression is due next, as a sensor of runtime core.timer would be: five fields, or six with seconds
first, or a name such as @hourly. This needs no server and no settings.

JSON is a list of RFC 3339 instants with the offset of the time zone. The exit code is 1 if it is never due again.`,
		Example: `  starter timer next --cron '0 9 * * MON-FRI' --timezone Europe/Berlin
  starter timer next --cron '30 2 * * *' --timezone Europe/Berlin --from 2026-03-28T12:00:00Z -o json
  starter timer next --cron '0 0 18 LW * ?' --count 12`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error { return s.timerNext(t) },
	}
	flags := c.Flags()
	flags.StringVar(&t.cron, "cron", "", "the cron `EXPRESSION`")
	flags.StringVar(&t.timezone, "timezone", "UTC", "IANA `NAME` of the time zone")
	flags.Var(&t.from, "from", "say what is due after this RFC 3339 `TIME`; now, if it is left out")
	flags.Var(&t.count, "count", "how many instants, at most 10000")
	flags.Var(&t.dstGap, "dst-gap", "a fixed time that the clocks skip is due right after the gap, or not: "+t.dstGap.options())
	flags.Var(&t.dstRepeat, "dst-repeat", "a fixed time that the clocks show twice is due: "+t.dstRepeat.options())
	// It fails only for a flag that the command lacks.
	_ = c.MarkFlagRequired("cron")
	complete(c, "dst-gap", cron.Gaps()...)
	complete(c, "dst-repeat", cron.Repeats()...)
	return c
}

// due is a row of the table.
type due struct{ at, from time.Time }

// maxDue is how many instants can be asked for: all of them are held until they are shown.
const maxDue = 10_000

func (s *session) timerNext(t timerNext) error {
	if t.count > maxDue {
		return fmt.Errorf("--count: %d is too many: write at most %d, and go on with --from", t.count, maxDue)
	}
	spec, err := cron.Parse(t.cron)
	if err != nil {
		return fmt.Errorf("--cron %q: %w", t.cron, err)
	}
	location, err := cron.LoadLocation(t.timezone)
	if err != nil {
		return fmt.Errorf("--timezone: %w", err)
	}
	from := t.from.time
	if from.IsZero() {
		from = time.Now()
	}
	zone := cron.Zone{Location: location, Gap: cron.Gap(t.dstGap.value), Repeat: cron.Repeat(t.dstRepeat.value)}
	var rows []due
	for at := from; len(rows) < int(t.count); {
		next, ok := spec.Next(at, zone)
		if !ok {
			break
		}
		rows, at = append(rows, due{at: next.In(location), from: from}), next
	}
	if err := s.showDue(rows); err != nil {
		return err
	}
	if len(rows) == 0 {
		return no{fmt.Sprintf("%q is not due again after %s", spec, from.Format(time.RFC3339))}
	}
	return nil
}

func (s *session) showDue(rows []due) error {
	if s.format != formatTable {
		instants := make([]string, len(rows))
		for i, row := range rows {
			instants[i] = cron.Format(row.at, row.at.Location())
		}
		return s.format.encode(s.env.Stdout, instants)
	}
	return list(s, rows,
		column[due]{"DUE", func(d due) string { return d.at.Format("Mon ") + cron.Format(d.at, d.at.Location()) }},
		column[due]{"UTC", func(d due) string { return moment(d.at) }},
		column[due]{"AFTER", func(d due) string { return d.at.Sub(d.from).Truncate(time.Second).String() }},
	)
}

// instant is the value of a flag: an RFC 3339 time.
type instant struct{ time time.Time }

// String returns the time, or nothing.
func (v *instant) String() string { return moment(v.time) }

// Type names the flag's type for cobra.
func (v *instant) Type() string { return "time" }

// Set takes a time.
func (v *instant) Set(text string) (err error) {
	if v.time, err = time.Parse(time.RFC3339, text); err != nil {
		return errors.New("write a time with its offset, such as 2026-01-31T08:00:00Z or 2026-01-31T09:00:00+01:00")
	}
	return nil
}

// choice is the value of a flag that takes one of a few words.
type choice struct {
	value string
	of    []string
}

// String returns the word.
func (v *choice) String() string { return v.value }

// Type names the flag's type for cobra.
func (v *choice) Type() string { return "word" }

// Set takes one of the words.
func (v *choice) Set(text string) error {
	for _, word := range v.of {
		if text == word {
			v.value = word
			return nil
		}
	}
	return errors.New("write " + v.options())
}

func (v *choice) options() string { return strings.Join(v.of, " or ") }
