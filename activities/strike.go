package activities

import (
	"fmt"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/attune-automation/sensors/internal/expression"
	"github.com/attune-automation/sensors/internal/rule"
	"github.com/attune-automation/sensors/internal/sensor"
)

// RuleLimits say what the evaluation of a rule may take, and when a rule is tripped.
type RuleLimits struct {
	Evaluation time.Duration // of the processor, on one event; 0: any, and nothing is measured
	Overruns   int           // evaluations that took or cost more, on so many events; 0: no rule is tripped
	Within     time.Duration // in this time, trip the rule
}

// cutAfter is how many times what it may take an evaluation goes on before it is ended.
const cutAfter = 20

// strikes counts the evaluations of each rule that took, or cost, more than they may.
type strikes struct {
	limits  RuleLimits
	metrics Metrics
	logger  *zap.Logger

	mu    sync.Mutex
	rules map[string]*struckRule // by ref
}

// A struckRule is the latest overruns of a version of a rule.
type struckRule struct {
	version int64
	strikes []strike
}

type strike struct {
	event int64
	at    time.Time
	cost  bool // it cost more, however long it took
}

// newStrikes returns nil, which counts nothing, if there is no limit.
func newStrikes(limits RuleLimits, metrics Metrics, logger *zap.Logger) *strikes {
	if limits.Overruns <= 0 {
		return nil
	}
	return &strikes{limits: limits, metrics: metrics, logger: logger, rules: map[string]*struckRule{}}
}

func (s *strikes) limitsOfRules() rule.Limits {
	return rule.Limits{Overrun: s.limits.Evaluation, Cut: cutAfter * s.limits.Evaluation}
}

// A trip is the error of an evaluation after which a rule is to be taken out of it.
type trip struct {
	rule   *sensor.Rule
	reason string
}

func (t *trip) Error() string {
	return fmt.Sprintf("rule %q is to be tripped: %s", t.rule.Ref, t.reason)
}

// costly takes down the rules whose expressions cost more than they may on an event. The error is a *trip, if a rule has too
// many overruns.
func (s *strikes) costly(event *sensor.Event, failed []rule.Failed) error {
	if s == nil || len(failed) == 0 {
		return nil
	}
	var overruns []rule.Overrun
	for _, f := range failed {
		if f.Failure.Cause == expression.CauseCost {
			overruns = append(overruns, rule.Overrun{Rule: f.Rule, Part: rule.PartCEL, Cost: true})
		}
	}
	return s.count(event, overruns, time.Now())
}

// count takes down the overruns on an event. The error is a *trip, if a rule has too many.
func (s *strikes) count(event *sensor.Event, overruns []rule.Overrun, now time.Time) error {
	for i := range overruns {
		o := &overruns[i]
		s.metrics.Overrun(o.Rule.TriggerRef, o.Part)
		s.warn(event, o)
		late := s.strike(o, event.ID, now)
		switch {
		case o.Cut:
			return &trip{o.Rule, fmt.Sprintf("its evaluation on event %d was ended after %s, in its %s: %s are allowed",
				event.ID, o.Took.Round(time.Millisecond), o.Part, s.limits.Evaluation)}
		case len(late) >= s.limits.Overruns:
			return &trip{o.Rule, s.reason(o, event.ID, late)}
		}
	}
	return nil
}

func (s *strikes) warn(event *sensor.Event, o *rule.Overrun) {
	about := []zap.Field{
		zap.String("rule_ref", o.Rule.Ref), zap.Int64("rule_version", o.Rule.Version), zap.String("trigger_ref", o.Rule.TriggerRef),
		zap.Int64("event_id", event.ID), zap.String("part", o.Part),
	}
	if o.Cost {
		s.logger.Warn("evaluating a rule cost more than it may, and was ended", append(about, zap.Int("limit", expression.MaxCost))...)
		return
	}
	s.logger.Warn("evaluating a rule took longer than it may",
		append(about, zap.Duration("took", o.Took), zap.Bool("ended", o.Cut), zap.Duration("limit", s.limits.Evaluation))...)
}

// reason says why these overruns, of which the last one is o, trip their rule.
func (s *strikes) reason(o *rule.Overrun, event int64, late []strike) string {
	costly := func(past strike) bool { return past.cost }
	slow := func(past strike) bool { return !past.cost }
	took, cost := fmt.Sprintf("took more than %s", s.limits.Evaluation), fmt.Sprintf("cost more than %d", expression.MaxCost)
	what := took + " or " + cost
	switch {
	case !slices.ContainsFunc(late, costly):
		what = took
	case !slices.ContainsFunc(late, slow):
		what = cost
	}
	last := fmt.Sprintf("%s, on event %d, mostly in its %s", o.Took.Round(time.Millisecond), event, o.Part)
	if o.Cost {
		last = fmt.Sprintf("was ended for its cost on event %d, in its %s", event, o.Part)
	}
	return fmt.Sprintf("%d evaluations within %s %s: the last one %s", len(late), s.limits.Within, what, last)
}

// strike returns the overruns that the rule had of late, each on another event. A batch that is tried again brings the same ones.
func (s *strikes) strike(o *rule.Overrun, event int64, now time.Time) []strike {
	s.mu.Lock()
	defer s.mu.Unlock()
	of := s.rules[o.Rule.Ref]
	if of == nil || of.version != o.Rule.Version {
		of = &struckRule{version: o.Rule.Version}
		s.rules[o.Rule.Ref] = of
	}
	of.strikes = slices.DeleteFunc(of.strikes, func(past strike) bool {
		return past.event == event || now.Sub(past.at) > s.limits.Within
	})
	of.strikes = append(of.strikes, strike{event, now, o.Cost})
	return slices.Clone(of.strikes)
}
