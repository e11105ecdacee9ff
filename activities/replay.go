package activities

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/attune-automation/sensors/internal/sensor"
)

// ReplayStore is what a Replayer needs of the store.
type ReplayStore interface {
	// Replay returns an order; sensor.ErrNotFound if there is none.
	Replay(ctx context.Context, id int64) (sensor.Replay, error)
	// ReplayEvents returns the next of the events that are taken, in the order of their IDs.
	ReplayEvents(ctx context.Context, r sensor.Replay, after int64, limit int) ([]sensor.Event, error)
	// CommitReplay writes the enforcements of a span, and returns all that the replay has there.
	CommitReplay(ctx context.Context, r sensor.Replay, span sensor.Span, matches []sensor.Match) (sensor.Replayed, error)
	// UnpublishedReplay returns the enforcements that the replay has beyond an event.
	UnpublishedReplay(ctx context.Context, id, after int64) ([]sensor.Enforcement, error)
	// FinishReplay notes that the replay is through, or stopped.
	FinishReplay(ctx context.Context, id int64) error
}

// Replayer matches events that are there with the rules as they are now.
type Replayer struct {
	Store   ReplayStore
	Matcher *Matcher // whose rules and publisher it works with
}

// ReplayOrder says where a replay is to go on.
type ReplayOrder struct {
	ReplayID int64 `json:"replay_id"`
	After    int64 `json:"after"` // the last event that is done
}

// ReplayCounts are what came of the events of a replay.
type ReplayCounts struct {
	Events       int64 `json:"events"`
	Enforcements int64 `json:"enforcements"`       // written; of a dry run, those that would be
	Existing     int64 `json:"existing,omitempty"` // matches that have an enforcement already
	// Rules has how many enforcements each rule has of these, of at most maxReplayRules rules.
	Rules []RuleCount `json:"rules,omitempty"`
}

// RuleCount is how many enforcements a rule has.
type RuleCount struct {
	RuleRef      string `json:"rule_ref"`
	Enforcements int64  `json:"enforcements"`
}

// maxReplayRules bounds what a replay tells of single rules, which passes through its history.
const maxReplayRules = 100

// Add counts what came of further events.
func (c *ReplayCounts) Add(more ReplayCounts) {
	c.Events += more.Events
	c.Enforcements += more.Enforcements
	c.Existing += more.Existing
	for _, r := range more.Rules {
		c.addRule(r.RuleRef, r.Enforcements)
	}
}

func (c *ReplayCounts) addRule(ref string, n int64) {
	for i := range c.Rules {
		if c.Rules[i].RuleRef == ref {
			c.Rules[i].Enforcements += n
			return
		}
	}
	if len(c.Rules) < maxReplayRules {
		c.Rules = append(c.Rules, RuleCount{ref, n})
	}
}

// ReplayPart is what a call of ReplayEvents did.
type ReplayPart struct {
	ReplayCounts
	After int64 `json:"after"` // the last event that is done
	Total int64 `json:"total"` // events of the replay, when it was ordered
	Done  bool  `json:"done"`  // there are no more
}

const (
	// replayCall is how long a call goes on: what people see of a replay is that old at most.
	replayCall = 3 * time.Second
	// replayPage is how many events are read at a time.
	replayPage = 200
	// replayBurst is the most matches that are written at a time; those of one event stay together.
	replayBurst = 500
)

// ReplayEvents goes on with a replay for some seconds. What it wrote, and whether that was published, does not depend on
// its result: when it is repeated, it finds its rows and publishes them again, under the same message IDs.
func (r *Replayer) ReplayEvents(ctx context.Context, in ReplayOrder) (ReplayPart, error) {
	defer heartbeat(ctx)()
	ctx, cancel := untilWorkerStops(ctx, stepGrace)
	defer cancel()
	part, err := r.replay(ctx, in)
	if err = handedBack(ctx, err); errors.Is(err, errWorkerStopping) && part.After > in.After {
		return part, nil
	}
	return part, translate(err)
}

func (r *Replayer) replay(ctx context.Context, in ReplayOrder) (ReplayPart, error) {
	part := ReplayPart{After: in.After}
	order, err := r.Store.Replay(ctx, in.ReplayID)
	if err != nil {
		return part, err
	}
	part.Total = order.Events
	for deadline := time.Now().Add(replayCall); !part.Done && time.Now().Before(deadline); {
		events, err := r.Store.ReplayEvents(ctx, order, part.After, replayPage)
		if err != nil {
			return part, err
		}
		if err := r.page(ctx, order, events, &part); err != nil {
			return part, err
		}
		part.Done = len(events) < replayPage
	}
	if !part.Done {
		return part, nil
	}
	return part, r.Store.FinishReplay(ctx, order.ID)
}

// page works off some events, a burst of matches at a time.
func (r *Replayer) page(ctx context.Context, order sensor.Replay, events []sensor.Event, part *ReplayPart) error {
	if len(events) == 0 {
		return nil
	}
	_, found, err := r.Matcher.evaluate(ctx, events)
	if err != nil {
		return err
	}
	matches := slices.DeleteFunc(found.matches, func(m sensor.Match) bool {
		return m.Rule.Shadow || m.Grouping != nil || len(order.RuleRefs) > 0 && !slices.Contains(order.RuleRefs, m.Rule.Ref)
	})
	most := min(order.Rate, replayBurst)
	for len(events) > 0 {
		n, burst := 0, 0
		for n < len(events) && (n == 0 || burst < most) {
			for burst < len(matches) && matches[burst].Event.ID == events[n].ID {
				burst++
			}
			n++
		}
		if err := r.burst(ctx, order, events[:n], matches[:burst], part); err != nil {
			return err
		}
		events, matches = events[n:], matches[burst:]
	}
	return nil
}

// burst writes and publishes the matches of some events, and then waits as long as the rate asks for.
func (r *Replayer) burst(ctx context.Context, order sensor.Replay, events []sensor.Event, matches []sensor.Match, part *ReplayPart) error {
	span := sensor.Span{After: part.After, Last: events[len(events)-1].ID}
	done, err := r.Store.CommitReplay(ctx, order, span, matches)
	if err != nil {
		return err
	}
	n := len(done.Enforcements)
	if !order.DryRun && n > 0 {
		if err := publish(ctx, ordered(done.Enforcements), r.Matcher.publisher.PublishEnforcements); err != nil {
			return err
		}
		r.count(done.Enforcements)
	}
	part.After = span.Last
	part.Events += int64(len(events))
	part.Enforcements += int64(n)
	part.Existing += int64(done.Existing)
	for i := range done.Enforcements {
		part.addRule(done.Enforcements[i].RuleRef, 1)
	}
	if order.DryRun || n == 0 {
		return nil
	}
	pause(ctx, time.Duration(n)*time.Second/time.Duration(order.Rate))
	return ctx.Err()
}

// count counts enforcements by trigger.
func (r *Replayer) count(enforcements []sensor.Enforcement) {
	written, failed := byTrigger(enforcements)
	for trigger, n := range written {
		r.Matcher.metrics.Enforcements(trigger, n)
		r.Matcher.metrics.Failed(trigger, failed[trigger])
	}
}

// SettleReplay ends a replay that is stopped: what it wrote beyond its last report is published, so that every row is.
func (r *Replayer) SettleReplay(ctx context.Context, in ReplayOrder) (ReplayCounts, error) {
	defer heartbeat(ctx)()
	counts, err := r.settle(ctx, in)
	return counts, translate(err)
}

func (r *Replayer) settle(ctx context.Context, in ReplayOrder) (ReplayCounts, error) {
	left, err := r.Store.UnpublishedReplay(ctx, in.ReplayID, in.After)
	if err != nil {
		return ReplayCounts{}, err
	}
	if err := publish(ctx, ordered(left), r.Matcher.publisher.PublishEnforcements); err != nil {
		return ReplayCounts{}, err
	}
	return ReplayCounts{Enforcements: int64(len(left))}, r.Store.FinishReplay(ctx, in.ReplayID)
}
