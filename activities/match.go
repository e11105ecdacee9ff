package activities

import (
	"context"
	"errors"
	"slices"
	"time"

	"go.uber.org/zap"

	"github.com/attune-automation/sensors/internal/sensor"
)

// MatchStore is what MatchRules needs of the store.
type MatchStore interface {
	RulesetStore
	// TripRule takes that version of a rule out of evaluation; false: it is not in force any more.
	TripRule(ctx context.Context, ref string, version int64, reason string) (bool, error)
	// BatchHeader returns a batch without its payloads.
	BatchHeader(ctx context.Context, id int64) (sensor.Batch, error)
	// EventsOfBatch returns the batch's event rows in order.
	EventsOfBatch(ctx context.Context, batchID int64) ([]sensor.Event, error)
	// CommitEnforcements writes the batch's enforcements and the rulesets they come from, by trigger, and counts the errors
	// of rules; a batch that has been matched already is left as it is. It returns the batch's enforcement rows in order.
	CommitEnforcements(ctx context.Context, batchID int64, rulesets map[string]int64, matches []sensor.Match, errors []sensor.RuleErrors) ([]sensor.Enforcement, error)
	// EnforcementsOfBatch returns the batch's enforcement rows in order.
	EnforcementsOfBatch(ctx context.Context, batchID int64) ([]sensor.Enforcement, error)
	// HeldOfBatch returns what became of the batch's matches that were held back, and the groups that it opened.
	HeldOfBatch(ctx context.Context, batchID int64) (sensor.Held, error)
	// FinishBatch records that every message of the batch is confirmed.
	FinishBatch(ctx context.Context, id int64) error
}

// EnforcementPublisher publishes EnforcementCreated; nil means that the broker has confirmed every one.
type EnforcementPublisher interface {
	PublishEnforcements(ctx context.Context, enforcements []sensor.Enforcement) error
}

// ActionStarter has done what follows from matches and is this service's own to do. It does not wait for that.
type ActionStarter interface {
	// Dispatch makes sure that the actions of a batch's enforcements are carried out.
	Dispatch(ctx context.Context, batchID int64) error
	// StartGroup makes sure that a group is closed when its time has come.
	StartGroup(ctx context.Context, group sensor.GroupHead) error
	// OpenGroups makes sure that StartGroup is called for all groups that a batch has opened.
	OpenGroups(ctx context.Context, batchID int64) error
}

// MatcherConfig says what a Matcher works with.
type MatcherConfig struct {
	Store     MatchStore
	Publisher EnforcementPublisher
	Recent    *RecentEvents // of the Generator in the same process; nil: events are read back
	Actions   ActionStarter
	Limits    RuleLimits
	Metrics   Metrics
	Logger    *zap.Logger
}

// Matcher turns events into enforcements.
type Matcher struct {
	store     MatchStore
	publisher EnforcementPublisher
	recent    *RecentEvents
	actions   ActionStarter
	metrics   Metrics
	rules     *ruleCache
	strikes   *strikes
	complain  *complaints
	logger    *zap.Logger
}

// NewMatcher returns a Matcher; it keeps the compiled rules of each trigger until they change.
func NewMatcher(cfg MatcherConfig) *Matcher {
	return &Matcher{
		store: cfg.Store, publisher: cfg.Publisher, recent: cfg.Recent, actions: cfg.Actions, metrics: cfg.Metrics,
		rules: newRuleCache(cfg.Store, cfg.Logger), strikes: newStrikes(cfg.Limits, cfg.Metrics, cfg.Logger),
		complain: newComplaints(cfg.Logger), logger: cfg.Logger,
	}
}

// MatchResult is what came of a batch's events.
type MatchResult struct {
	Enforcements int `json:"enforcements"`
}

// MatchRules evaluates the trigger's rules on the batch's events, writes an enforcement for each match, publishes
// EnforcementCreated, and closes the batch.
func (m *Matcher) MatchRules(ctx context.Context, in BatchInput) (MatchResult, error) {
	defer heartbeat(ctx)()
	ctx, cancel := untilWorkerStops(ctx, stepGrace)
	defer cancel()
	start := time.Now()
	n, err := m.match(ctx, in.BatchID)
	err = handedBack(ctx, err)
	m.metrics.Step("match", outcome(err, n), time.Since(start))
	return MatchResult{Enforcements: n}, translate(err)
}

func (m *Matcher) match(ctx context.Context, batchID int64) (int, error) {
	found, done, err := m.results(ctx, batchID)
	enforcements := found.enforcements
	if err != nil || done {
		return len(enforcements), err
	}
	if err := publish(ctx, ordered(enforcements), m.publisher.PublishEnforcements); err != nil {
		return 0, err
	}
	if slices.ContainsFunc(enforcements, sensor.Enforcement.Undispatched) {
		if err := m.actions.Dispatch(ctx, batchID); err != nil {
			return 0, err
		}
	}
	if err := m.openGroups(ctx, batchID, found.held.Groups); err != nil {
		return 0, err
	}
	return len(enforcements), m.store.FinishBatch(ctx, batchID)
}

// matchResults is what the matches of a batch came to.
type matchResults struct {
	enforcements []sensor.Enforcement
	held         sensor.Held
}

// results returns those of a batch, which it writes unless they are written; done says that the batch is finished.
func (m *Matcher) results(ctx context.Context, batchID int64) (found matchResults, done bool, err error) {
	if events := m.recent.take(batchID); events != nil { // just generated: if somebody has matched them since, the rows say so
		found, err = m.write(ctx, batchID, events)
		return found, false, err
	}
	batch, err := m.store.BatchHeader(ctx, batchID)
	if err != nil {
		return found, false, err
	}
	if batch.Status == sensor.BatchMatched || batch.Status == sensor.BatchDone {
		done = batch.Status == sensor.BatchDone
		if found.enforcements, err = m.store.EnforcementsOfBatch(ctx, batchID); err == nil && !done {
			found.held, err = m.store.HeldOfBatch(ctx, batchID)
		}
		return found, done, err
	}
	events, err := m.store.EventsOfBatch(ctx, batchID)
	if err != nil {
		return found, false, err
	}
	found, err = m.write(ctx, batchID, events)
	return found, false, err
}

// write evaluates on each event of a batch the rules of its trigger, and writes an enforcement for each match, or what
// holds it back.
func (m *Matcher) write(ctx context.Context, batchID int64, events []sensor.Event) (found matchResults, err error) {
	if len(events) == 0 { // every payload was refused, or there was none
		return found, nil
	}
	rules, came, err := m.evaluate(ctx, events)
	if err != nil {
		return found, err
	}
	if found.enforcements, err = m.store.CommitEnforcements(ctx, batchID, rules.versions(), came.matches, came.failed.list()); err != nil {
		return found, err
	}
	if slices.ContainsFunc(came.matches, func(m sensor.Match) bool { return m.Grouping != nil }) {
		if found.held, err = m.store.HeldOfBatch(ctx, batchID); err != nil {
			return found, err
		}
	}
	written, failed := byTrigger(found.enforcements)
	for trigger := range rules {
		m.metrics.Enforcements(trigger, written[trigger])
		m.metrics.Failed(trigger, failed[trigger])
	}
	for _, h := range found.held.Counts {
		m.metrics.Held(h.TriggerRef, h.State, h.Matches)
	}
	for _, failed := range came.failed {
		m.metrics.RuleErrors(failed.why.Rule.TriggerRef, int(failed.errors))
	}
	m.complain.hear(came.failed, time.Now())
	return found, nil
}

// evaluate matches events with the rules as they are now. A rule that takes or costs too much is tripped, and the events are matched
// anew without it: no match and no miss depends on how long something took, but the ruleset says what was in force.
func (m *Matcher) evaluate(ctx context.Context, events []sensor.Event) (rulesets, evaluated, error) {
	for {
		rules, err := m.rules.of(ctx, events)
		if err != nil {
			return nil, evaluated{}, err
		}
		found, err := rules.match(ctx, events, m.strikes)
		t, slow := errors.AsType[*trip](err)
		if !slow {
			return rules, found, err
		}
		if err := m.trip(ctx, t); err != nil {
			return nil, evaluated{}, err
		}
	}
}

func (m *Matcher) trip(ctx context.Context, t *trip) error {
	tripped, err := m.store.TripRule(ctx, t.rule.Ref, t.rule.Version, t.reason)
	if err != nil || !tripped {
		return err
	}
	m.logger.Error("rule is tripped: it is not evaluated until its definition changes or `starter rule reset`",
		zap.String("rule_ref", t.rule.Ref), zap.Int64("rule_version", t.rule.Version),
		zap.String("trigger_ref", t.rule.TriggerRef), zap.String("reason", t.reason))
	return nil
}

// byTrigger counts enforcements, and those of them that failed.
func byTrigger(enforcements []sensor.Enforcement) (written, failed map[string]int) {
	written, failed = map[string]int{}, map[string]int{}
	for i := range enforcements {
		written[enforcements[i].TriggerRef]++
		if enforcements[i].Status == sensor.EnforcementFailed {
			failed[enforcements[i].TriggerRef]++
		}
	}
	return written, failed
}

// ordered returns the enforcements that somebody is to act on: without those that failed.
func ordered(enforcements []sensor.Enforcement) []sensor.Enforcement {
	failed := func(e sensor.Enforcement) bool { return e.Status == sensor.EnforcementFailed }
	if !slices.ContainsFunc(enforcements, failed) {
		return enforcements
	}
	return slices.DeleteFunc(slices.Clone(enforcements), failed)
}
