package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/attune-automation/sensors/internal/fixture"
)

// trial is the flags of `sensor test`.
type trial struct {
	sensor   string
	cursor   string
	config   string
	match    bool
	record   string
	replay   string
	expect   string
	duration time.Duration
	events   int
}

// defaultListen is how long a stream is listened to.
const defaultListen = 10 * time.Second

func newSensorTest(s *session) *cobra.Command {
	var t trial
	c := &cobra.Command{
		Use:   "test REF | DIR...",
		Short: "Run one poll of a sensor without touching anything, and say what came of it",
		Long: `Run one poll of a sensor without touching anything, and say what came of it: the events, which of them would be refused
or suppressed, the cursor before and after, the log, time and memory. The code runs here as a worker would run it, with
its sandbox, its limits and the secrets of this process (ATTUNE_SECRET_NAME, secret.directory).

REF takes definition, code and cursor from the database, and starts where the sensor's next poll would. DIR takes them
from a pack's folder, without any server, and starts from the beginning; the triggers and rules of further folders are
known too. A stream is listened to for a while.

A fixture is a file with a poll's config, cursor and events. --record writes one; --expect runs the poll that one says,
and compares; --replay takes the events of one instead of running code, to try rules on. In what a fixture expects,
"$any" stands for any value, and what it leaves out is not compared.

The exit code is 1 if the poll fails, if an event would be refused, or if something is not as expected.`,
		Example: `  starter sensor test packs/examples --sensor disk_usage
  starter sensor test examples.git_commits --cursor null --config '{"repository": "/srv/repo"}' --match
  starter sensor test packs/house --sensor door --record packs/house/tests/door.json
  starter sensor test packs/house --sensor door --expect packs/house/tests/door.json`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if t.duration <= 0 {
				return fmt.Errorf("--for %s: write how long to listen, such as 10s", t.duration)
			}
			if t.events < 0 {
				return fmt.Errorf("--events %d: write how many events to wait for", t.events)
			}
			return s.testSensor(c.Context(), args, t)
		},
	}
	flags := c.Flags()
	flags.StringVar(&t.sensor, "sensor", "", "`NAME` or ref of the sensor, for a folder that has several")
	flags.StringVar(&t.cursor, "cursor", "", "start from this cursor: `JSON`, @FILE, or - for the standard input")
	flags.StringVar(&t.config, "config", "", "object whose keys replace those of the config: `JSON`, @FILE, or -")
	flags.BoolVar(&t.match, "match", false, "say for each event which rules would fire, and why others would not")
	flags.StringVar(&t.record, "record", "", "write the poll to this `FILE`")
	flags.StringVar(&t.expect, "expect", "", "run the poll of this fixture `FILE`, and compare")
	flags.StringVar(&t.replay, "replay", "", "take the events of this fixture `FILE` instead of running code")
	flags.DurationVar(&t.duration, "for", defaultListen, "listen to a stream for this `DURATION`")
	flags.IntVar(&t.events, "events", 0, "stop listening to a stream after `N` events")
	for _, other := range []string{"cursor", "config", "record", "expect", "for", "events"} {
		c.MarkFlagsMutuallyExclusive("replay", other)
	}
	c.ValidArgsFunction = s.completeRefOrFolder
	return c
}

// completeRefOrFolder offers refs, and folders where none fits.
func (s *session) completeRefOrFolder(c *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
	refs, _ := s.completeRefs(sensorRefs)(c, args, begun)
	return refs, cobra.ShellCompDirectiveDefault
}

func (s *session) testSensor(ctx context.Context, args []string, t trial) error {
	given, err := t.fixture()
	if err != nil {
		return err
	}
	target, err := s.findTarget(ctx, args, t, given)
	if err != nil {
		return err
	}
	if err := s.override(target, t, given); err != nil {
		return err
	}
	report := newTrialReport(target)
	if t.replay != "" {
		err = report.replay(given)
	} else {
		err = s.runTarget(ctx, target, t, report)
	}
	if err != nil {
		return err
	}
	if err := report.judge(ctx, target, t.match); err != nil {
		return err
	}
	if t.expect != "" {
		if report.Differences, err = given.Compare(report.fixture()); err != nil {
			return err
		}
	}
	if err := s.showTrial(report, t); err != nil {
		return err
	}
	if t.record != "" && report.Fault == nil {
		if err := report.fixture().Write(t.record); err != nil {
			return fmt.Errorf("--record: %w", err)
		}
		s.say("recorded %s", t.record)
	}
	return report.verdict(s.format)
}

// fixture returns the one that the poll is to be compared with, or replayed from; an empty one if there is none.
func (t trial) fixture() (given fixture.Fixture, err error) {
	switch {
	case t.expect != "":
		if given, err = fixture.Read(t.expect); err != nil {
			return given, fmt.Errorf("--expect: %w", err)
		}
	case t.replay != "":
		if given, err = fixture.Read(t.replay); err != nil {
			return given, fmt.Errorf("--replay: %w", err)
		}
		if given.Events == nil {
			return given, errors.New("--replay: the fixture has no events")
		}
	}
	return given, nil
}
