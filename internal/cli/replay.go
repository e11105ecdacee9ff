package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/attune-automation/sensors/activities"
	"github.com/attune-automation/sensors/internal/fleet"
	"github.com/attune-automation/sensors/internal/sensor"
	"github.com/attune-automation/sensors/internal/store"
	"github.com/attune-automation/sensors/workflows"
)

// replayRate is how many enforcements a replay writes in a second unless --rate says otherwise.
const replayRate = 100

// replayFlags are what a replay is ordered by.
type replayFlags struct {
	since, until since
	event        int64
	trigger      string
	rules        []string
	force        bool
	dryRun       bool
	rate         int
	attach, stop int64
	detach       bool
}

func newReplay(s *session) *cobra.Command {
	var f replayFlags
	c := &cobra.Command{
		Use:   "replay",
		Short: "Match events that are there with the rules as they are now",
		Long: `Match events that are there with the rules as they are now, and order the actions of those that match: real
enforcements, which are published. One that an event has of a rule already is never doubled, unless --force repeats it.
Shadow rules order nothing here either. Rules that order by groups of events, by a throttle or a correlation, are left out.

A worker does it, as the workflow replay:ID, at most --rate enforcements a second. The command shows how far it is. It may
be interrupted: the replay goes on, --attach shows it again, and --stop ends it.`,
		Example: `  starter replay --since 24h --trigger examples.commit --dry-run
  starter replay --since 2026-01-31T08:00:00Z --until 2026-01-31T10:00:00Z --rules examples.commit_to_review
  starter replay --event 1042 --rules examples.commit_to_review --force
  starter replay --attach 7`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return s.replay(c.Context(), f) },
	}
	flags := c.Flags()
	flags.Var(&f.since, "since", "events written since then: 2026-01-31T08:00:00Z, or 24h ago")
	flags.Var(&f.until, "until", "events written before then, likewise")
	flags.Int64Var(&f.event, "event", 0, "the event with this `ID`")
	flags.StringVar(&f.trigger, "trigger", "", "only events of the trigger with this `REF`")
	flags.StringSliceVar(&f.rules, "rules", nil, "only the rules with these `REFS`, separated by commas (default all that are enabled)")
	flags.BoolVar(&f.force, "force", false, "repeat enforcements that are there")
	flags.BoolVar(&f.dryRun, "dry-run", false, "write and publish nothing, but say how many enforcements there would be")
	flags.IntVar(&f.rate, "rate", replayRate, "at most this many enforcements a second")
	flags.Int64Var(&f.attach, "attach", 0, "show the replay with this `ID`, and take it up if its workflow is gone")
	flags.Int64Var(&f.stop, "stop", 0, "end the replay with this `ID`; what it has written stays")
	flags.BoolVar(&f.detach, "detach", false, "do not wait for it")
	c.MarkFlagsMutuallyExclusive("event", "since")
	c.MarkFlagsMutuallyExclusive("event", "until")
	c.MarkFlagsOneRequired("since", "until", "event", "attach", "stop")
	for _, order := range []string{"since", "until", "event", "trigger", "rules", "force", "dry-run", "rate"} {
		c.MarkFlagsMutuallyExclusive("attach", order)
		c.MarkFlagsMutuallyExclusive("stop", order)
	}
	c.MarkFlagsMutuallyExclusive("attach", "stop")
	s.completeRefFlag(c, "trigger", triggerRefs)
	s.completeRefFlag(c, "rules", ruleRefs)
	return c
}

func (s *session) replay(ctx context.Context, f replayFlags) error {
	if f.rate < 1 {
		return fmt.Errorf("--rate %d: write at least 1", f.rate)
	}
	o, err := s.operator(ctx)
	if err != nil {
		return err
	}
	if f.stop != 0 {
		return o.stopReplay(ctx, f.stop)
	}
	order, err := o.replayOrder(ctx, f)
	if err != nil {
		return err
	}
	if err := o.fleet.StartReplay(ctx, order); err != nil {
		return fmt.Errorf("replay %d is ordered, and `starter replay --attach %[1]d` begins it: %w", order.ID, err)
	}
	if f.attach == 0 && len(f.rules) == 0 {
		if err := o.sayLeftOut(ctx, f); err != nil {
			return err
		}
	}
	if f.detach {
		s.say("replay %d of %s: `starter replay --attach %[1]d` shows it", order.ID, count(int(order.Events), "event", "events"))
		return s.report(replayReport{Replay: order.ID})
	}
	return o.followReplay(ctx, order)
}

// replayOrder stores a new order, or finds the one to show.
func (o *operator) replayOrder(ctx context.Context, f replayFlags) (sensor.Replay, error) {
	if f.attach != 0 {
		order, err := o.store.Replay(ctx, f.attach)
		if errors.Is(err, sensor.ErrNotFound) {
			return order, fmt.Errorf("there is no replay %d", f.attach)
		}
		return order, err
	}
	order := sensor.Replay{FirstEvent: f.event, Forced: f.force, DryRun: f.dryRun, Rate: f.rate, RuleRefs: f.rules}
	if !f.since.time.IsZero() {
		order.Since = &f.since.time
	}
	if !f.until.time.IsZero() {
		order.Until = &f.until.time
	}
	var err error
	if order.TriggerRefs, err = replayTriggers(ctx, o.store, f); err != nil {
		return order, err
	}
	order, err = o.store.OrderReplay(ctx, order)
	if errors.Is(err, sensor.ErrNotFound) {
		return order, no{"there is no such event: `starter events` lists the newest"}
	}
	return order, err
}

// replayTriggers returns the triggers of the rules that are chosen, or the one that is, and checks that they can match.
func replayTriggers(ctx context.Context, db *store.Store, f replayFlags) ([]string, error) {
	var triggers []string
	if f.trigger != "" {
		if _, err := db.Trigger(ctx, f.trigger); err != nil {
			return nil, unknownTrigger(ctx, db, f.trigger, err)
		}
		triggers = []string{f.trigger}
	}
	for _, ref := range f.rules {
		r, err := db.Rule(ctx, ref)
		switch {
		case err != nil:
			return nil, unknownRule(ref, err)
		case !r.Enabled:
			return nil, fmt.Errorf("rule %s is disabled and matches nothing: set enabled: true in its file and apply pack %s again", ref, r.PackRef)
		case r.Tripped != nil:
			return nil, fmt.Errorf("rule %s is tripped and matches nothing: %s; `starter rule reset %[1]s` has it evaluated again", ref, r.TripReason)
		case r.Shadow:
			return nil, fmt.Errorf("rule %s is a shadow and orders nothing: set shadow: false in its file and apply pack %s again", ref, r.PackRef)
		case len(r.Throttle) > 0:
			return nil, fmt.Errorf("rule %s has a throttle, which a replay would go against: emit what is to be acted on anew by `starter emit`, "+
				"or replay a rule without a throttle; `starter rule backtest %[1]s` says what it would have ordered", ref)
		case len(r.Correlation) > 0:
			return nil, fmt.Errorf("rule %s is part of a correlation, which orders by groups of events and not by each: emit what is to be acted on "+
				"anew by `starter emit`", ref)
		case f.trigger != "" && r.TriggerRef != f.trigger:
			return nil, fmt.Errorf("rule %s looks at events of %s, not of %s", ref, r.TriggerRef, f.trigger)
		case !slices.Contains(triggers, r.TriggerRef):
			triggers = append(triggers, r.TriggerRef)
		}
	}
	return triggers, nil
}

func (o *operator) stopReplay(ctx context.Context, id int64) error {
	err := o.fleet.StopReplay(ctx, id)
	if errors.Is(err, fleet.ErrNotRunning) {
		return no{fmt.Sprintf("replay %d does not run", id)}
	}
	if err != nil {
		return err
	}
	o.say("replay %d is to stop: `starter replay --attach %[1]d` shows what it did", id)
	return nil
}

// replayReport is a replay as people and programs see it.
type replayReport struct {
	Replay int64 `json:"replay_id"`
	DryRun bool  `json:"dry_run,omitempty"`
	workflows.ReplayStatus
}

// replayLook is how often a replay is asked how far it is.
const replayLook = time.Second

// followReplay shows how far a replay is until it is through. Interrupted, it says how to go on.
func (o *operator) followReplay(ctx context.Context, order sensor.Replay) error {
	bar := newProgress(o.env.Stderr)
	defer bar.clear()
	type outcome struct {
		status workflows.ReplayStatus
		err    error
	}
	done := make(chan outcome, 1)
	go func() {
		status, err := o.fleet.WaitReplay(ctx, order.ID)
		done <- outcome{status, err}
	}()
	look := time.NewTicker(replayLook)
	defer look.Stop()
	patience := time.NewTimer(emitTimeout)
	defer patience.Stop()
	for {
		select {
		case end := <-done:
			bar.clear()
			if ctx.Err() != nil {
				return fmt.Errorf("replay %d goes on: `starter replay --attach %[1]d` shows it, `starter replay --stop %[1]d` ends it", order.ID)
			}
			if end.err != nil {
				return end.err
			}
			return o.showReplay(order, end.status)
		case <-look.C:
			o.lookAtReplay(ctx, order, bar)
		case <-patience.C:
			if _, err := o.askReplay(ctx, order.ID); err != nil && ctx.Err() == nil {
				bar.clear()
				fmt.Fprintf(o.env.Stderr, "no worker has taken replay %d up within %s: it begins when one runs, also if this command is interrupted\n",
					order.ID, emitTimeout)
			}
		}
	}
}

// lookAtReplay draws the bar; without news it stays as it is.
func (o *operator) lookAtReplay(ctx context.Context, order sensor.Replay, bar *progress) {
	if bar.w == nil {
		return
	}
	if status, err := o.askReplay(ctx, order.ID); err == nil {
		bar.show(status.Events, order.Events, "%d of %d events, %d enforcements", status.Events, order.Events, status.Enforcements)
	}
}

func (o *operator) askReplay(ctx context.Context, id int64) (workflows.ReplayStatus, error) {
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	return o.fleet.ReplayStatus(ctx, id)
}

// sayLeftOut names the rules that a replay of all rules leaves out although they are enabled.
func (o *operator) sayLeftOut(ctx context.Context, f replayFlags) error {
	filter := store.RuleFilter{TriggerRef: f.trigger}
	if f.event != 0 {
		event, err := o.store.Event(ctx, f.event)
		if err != nil {
			return err
		}
		filter.TriggerRef = event.TriggerRef
	}
	rules, err := o.store.Rules(ctx, filter)
	if err != nil {
		return err
	}
	var refs []string
	for _, r := range rules {
		if ref := sensor.WholeOf(r.Ref); r.Enabled && !r.Shadow && len(r.Throttle)+len(r.Correlation) > 0 && !slices.Contains(refs, ref) {
			refs = append(refs, ref)
		}
	}
	if len(refs) > 0 {
		o.say("left out, since they order by groups of events: %s", shorten(strings.Join(refs, ", ")))
	}
	return nil
}

func (o *operator) showReplay(order sensor.Replay, status workflows.ReplayStatus) error {
	if o.format != formatTable {
		return o.format.encode(o.env.Stdout, replayReport{order.ID, order.DryRun, status})
	}
	what, verb := fmt.Sprintf("replay %d", order.ID), "wrote"
	switch {
	case order.DryRun:
		what, verb = "dry run of a replay", "would write"
	case status.Stopped:
		what += ", stopped before its end,"
	}
	o.say("%s %s %s of %s; %s had one already", what, verb, count(int(status.Enforcements), "enforcement", "enforcements"),
		count(int(status.Events), "event", "events"), count(int(status.Existing), "match", "matches"))
	if len(status.Rules) == 0 {
		return nil
	}
	return list(o.session, status.Rules,
		column[activities.RuleCount]{"RULE", func(r activities.RuleCount) string { return r.RuleRef }},
		column[activities.RuleCount]{"ENFORCEMENTS", func(r activities.RuleCount) string { return strconv.FormatInt(r.Enforcements, 10) }},
	)
}
