package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/attune-automation/sensors/internal/fleet"
	"github.com/attune-automation/sensors/workflows"
)

// updateTimeout is how long a command waits for a running sensor to do what it is told. Most of it is for a poll that is
// going on.
const updateTimeout = 5 * time.Minute

// update is a command that tells a running sensor something. send returns what came of it, for programs and for people.
type update struct {
	name, short, long string
	send              func(ctx context.Context, f *fleet.Fleet, ref string) (result any, outcome string, err error)
}

func newPauseSensor(s *session) *cobra.Command {
	return s.newUpdate(update{
		name:  "pause-sensor",
		short: "Make a running sensor stop polling until it is resumed",
		long: "Make a running sensor stop polling until it is resumed. A poll that is going on is finished first; a stream is\n" +
			"interrupted, and goes on from its cursor when it is resumed.",
		send: func(ctx context.Context, f *fleet.Fleet, ref string) (any, string, error) {
			status, err := f.Pause(ctx, ref)
			return status, "is paused", err
		},
	})
}

func newResumeSensor(s *session) *cobra.Command {
	return s.newUpdate(update{
		name:  "resume-sensor",
		short: "Let a paused sensor poll again, at once",
		send: func(ctx context.Context, f *fleet.Fleet, ref string) (any, string, error) {
			status, err := f.Resume(ctx, ref)
			return status, "polls again", err
		},
	})
}

func newPollSensor(s *session) *cobra.Command {
	return s.newUpdate(update{
		name:  "poll-sensor",
		short: "Make a running sensor poll now, paused or not, and say what that brought",
		long: "Make a running sensor poll now, paused or not, and say what that brought. A stream is not polled: its code runs\n" +
			"all the time.",
		send: func(ctx context.Context, f *fleet.Fleet, ref string) (any, string, error) {
			r, err := f.PollNow(ctx, ref)
			return r, describeReport(r), err
		},
	})
}

// describeReport says what a poll brought.
func describeReport(r workflows.PollReport) string {
	if r.Waiting != "" {
		return "was not polled: " + r.Waiting
	}
	text := fmt.Sprintf("brought %s and %s, and %s", count(r.Events, "event", "events"),
		count(r.Enforcements, "enforcement", "enforcements"), count(r.Rejected, "refused payload", "refused payloads"))
	if r.Suppressed > 0 {
		text += fmt.Sprintf("; %s suppressed", count(r.Suppressed, "payload was", "payloads were"))
	}
	if r.Skip != "" {
		text += "; it skipped: " + r.Skip
	}
	return text
}

func (s *session) newUpdate(u update) *cobra.Command {
	var timeout time.Duration
	c := &cobra.Command{
		Use:               u.name + " REF",
		Short:             u.short,
		Long:              u.long,
		Example:           "  starter " + u.name + " examples.git_commits",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: s.completeSensor(),
		RunE: func(c *cobra.Command, args []string) error {
			return s.update(c.Context(), u, args[0], timeout)
		},
	}
	c.Flags().DurationVar(&timeout, "timeout", updateTimeout, "wait this long for the sensor")
	return c
}

func (s *session) update(ctx context.Context, u update, ref string, timeout time.Duration) error {
	f, err := s.fleet(ctx)
	if err != nil {
		return err
	}
	var result any
	var outcome string
	err = within(ctx, timeout, func(ctx context.Context) (err error) {
		result, outcome, err = u.send(ctx, f, ref)
		return err
	})
	if errors.Is(err, fleet.ErrNotRunning) {
		return s.notRunning(ctx, ref)
	}
	if err != nil {
		return err
	}
	s.say("sensor %s %s", ref, outcome)
	return s.report(result)
}

// notRunning says why a sensor does not run, and what to do.
func (s *session) notRunning(ctx context.Context, ref string) error {
	start := fmt.Sprintf("sensor %q does not run: `starter start-sensor %s` starts it", ref, ref)
	db, err := s.store(ctx)
	if err != nil {
		return errors.New(start) // it need not be known
	}
	def, err := db.Sensor(ctx, ref)
	switch {
	case err != nil:
		return unknownSensor(ctx, db, ref, err)
	case !def.Enabled:
		return fmt.Errorf("sensor %q does not run: it or its trigger is disabled in pack %q", ref, def.PackRef)
	case def.Stopped:
		return fmt.Errorf("sensor %q is stopped: `starter start-sensor %s` starts it", ref, ref)
	}
	return errors.New(start)
}
