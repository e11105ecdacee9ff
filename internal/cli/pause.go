package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"

	"github.com/attune-automation/sensors/internal/fleet"
	"github.com/attune-automation/sensors/workflows"
)

// updateTimeout is how long a command waits for a running sensor to do what it is told. Most of it is for a poll that is
// going on.
const updateTimeout = 5 * time.Minute

func newPauseSensor(s *session) *cobra.Command {
	return s.newUpdate(update{
		name:    "pause-sensor",
		short:   "Make a running sensor stop polling until it is resumed",
		long:    "Make a running sensor stop polling until it is resumed. A poll that is going on is finished first.",
		send:    sendStatus((*fleet.Fleet).Pause),
		outcome: "is paused",
	})
}

func newResumeSensor(s *session) *cobra.Command {
	return s.newUpdate(update{
		name:    "resume-sensor",
		short:   "Let a paused sensor poll again, at once",
		send:    sendStatus((*fleet.Fleet).Resume),
		outcome: "polls again",
	})
}

func newPollSensor(s *session) *cobra.Command {
	return s.newUpdate(update{
		name:  "poll-sensor",
		short: "Make a running sensor poll now, paused or not, and say what that brought",
		send: func(f *fleet.Fleet, ctx context.Context, ref string) (any, string, error) {
			r, err := f.PollNow(ctx, ref)
			return r, fmt.Sprintf("brought %s and %s, and %s", count(r.Events, "event", "events"),
				count(r.Enforcements, "enforcement", "enforcements"), count(r.Rejected, "refused payload", "refused payloads")), err
		},
	})
}

// update is a command that tells a running sensor something.
type update struct {
	name, short, long string
	send              func(f *fleet.Fleet, ctx context.Context, ref string) (result any, outcome string, err error)
	outcome           string // what is said of the sensor afterwards, unless send says it
}

// sendStatus is for updates that return the sensor's status.
func sendStatus(send func(*fleet.Fleet, context.Context, string) (workflows.Status, error)) func(*fleet.Fleet, context.Context, string) (any, string, error) {
	return func(f *fleet.Fleet, ctx context.Context, ref string) (any, string, error) {
		status, err := send(f, ctx, ref)
		return status, "", err
	}
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
	outcome := u.outcome
	err = within(ctx, timeout, func(ctx context.Context) (err error) {
		var said string
		result, said, err = u.send(f, ctx, ref)
		if said != "" {
			outcome = said
		}
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

// within bounds what waits for a worker.
func within(ctx context.Context, timeout time.Duration, f func(ctx context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	err := f(ctx)
	if expired(ctx, err) {
		return fmt.Errorf("no answer within %s: see that a worker runs; it may still be done once one does", timeout)
	}
	return err
}

// expired says whether err is that the time of ctx is over. The client may give up a moment before ctx does.
func expired(ctx context.Context, err error) bool {
	if err == nil || errors.Is(ctx.Err(), context.Canceled) {
		return false
	}
	if ctx.Err() != nil || errors.Is(err, context.DeadlineExceeded) {
		return true
	}
	if _, ok := errors.AsType[*serviceerror.DeadlineExceeded](err); ok {
		return true
	}
	_, ok := errors.AsType[*client.WorkflowUpdateServiceTimeoutOrCanceledError](err)
	return ok
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
