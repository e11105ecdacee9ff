package cli

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/attune-automation/sensors/workflows"
)

// stopTimeout is how long a command waits for a sensor to finish what it has in hand.
const stopTimeout = time.Minute

// silence is how long it waits before it says what for.
const silence = 3 * time.Second

func newStopSensor(s *session) *cobra.Command {
	var timeout time.Duration
	var wait, noWait bool
	c := &cobra.Command{
		Use:   "stop-sensor REF",
		Short: "Stop a sensor and keep it stopped until it is started again",
		Long: `Stop a sensor and keep it stopped until it is started again. What it has stored becomes events and enforcements
first; a poll that is going on is cancelled, and what that would have brought comes with the next start.`,
		Example: `  starter stop-sensor examples.git_commits
  starter stop-sensor examples.git_commits --no-wait`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: s.completeSensor(),
		RunE: func(c *cobra.Command, args []string) error {
			o, err := s.operator(c.Context())
			if err != nil {
				return err
			}
			if noWait || !wait {
				timeout = 0
			}
			return o.stop(c.Context(), args[0], timeout)
		},
	}
	c.Flags().BoolVar(&wait, "wait", true, "return once the sensor has finished")
	c.Flags().BoolVar(&noWait, "no-wait", false, "return at once")
	c.Flags().DurationVar(&timeout, "timeout", stopTimeout, "wait this long for the sensor to finish")
	c.MarkFlagsMutuallyExclusive("wait", "no-wait")
	c.MarkFlagsMutuallyExclusive("no-wait", "timeout")
	return c
}

func newRestartSensor(s *session) *cobra.Command {
	var timeout time.Duration
	c := &cobra.Command{
		Use:   "restart-sensor REF",
		Short: "Stop a sensor if it runs, and start it with a clean record of failures",
		Long: `Stop a sensor if it runs, and start it with a clean record of failures. It goes on from its cursor. This is also the
way to start one that has failed for good.`,
		Example:           `  starter restart-sensor examples.git_commits`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: s.completeSensor(),
		RunE: func(c *cobra.Command, args []string) error {
			o, err := s.operator(c.Context())
			if err != nil {
				return err
			}
			return o.restart(c.Context(), args[0], timeout)
		},
	}
	c.Flags().DurationVar(&timeout, "timeout", stopTimeout, "wait this long for the sensor to finish what it has in hand")
	return c
}

// stop stops a sensor and waits for its end; not at all if timeout is 0.
func (o *operator) stop(ctx context.Context, ref string, timeout time.Duration) error {
	if err := o.store.SetStopped(ctx, ref, true); err != nil {
		return unknownSensor(ctx, o.store, ref, err)
	}
	running, err := o.fleet.Running(ctx)
	if err != nil {
		return err
	}
	// The list lags behind a little, so the sensor is told to stop even if it is not on it.
	if err := o.fleet.Stop(ctx, ref, "stopped by starter"); err != nil {
		return err
	}
	_, ran := running[ref]
	state := workflows.StateStopped
	switch {
	case timeout > 0:
		if err := o.wait(ctx, ref, timeout); err != nil {
			return err
		}
		o.say("sensor %s %s", ref, map[bool]string{true: "is stopped", false: "does not run, and stays stopped"}[ran])
	case ran:
		state = workflows.StateRunning
		o.say("sensor %s stops once it has finished what it has in hand", ref)
	default:
		o.say("sensor %s does not run, and stays stopped", ref)
	}
	return o.report(change{Ref: ref, State: string(state), Changed: ran})
}

func (o *operator) restart(ctx context.Context, ref string, timeout time.Duration) error {
	def, err := o.startable(ctx, ref)
	if err != nil {
		return err
	}
	if err := o.fleet.Stop(ctx, ref, "restarted by starter"); err != nil {
		return err
	}
	if err := o.wait(ctx, ref, timeout); err != nil {
		return err
	}
	return o.launch(ctx, def)
}

// wait returns once the sensor does not run any more.
func (o *operator) wait(ctx context.Context, ref string, timeout time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	brief, done := context.WithTimeout(ctx, silence)
	defer done()
	err := o.fleet.Wait(brief, ref)
	if expired(brief, err) && ctx.Err() == nil {
		o.say("sensor %s first finishes what it has in hand", ref)
		err = o.fleet.Wait(ctx, ref)
	}
	if expired(ctx, err) {
		return fmt.Errorf("sensor %q has not stopped within %s: it does once a worker has finished what it has in hand; "+
			"`starter status %s` shows how it is", ref, timeout, ref)
	}
	return err
}
