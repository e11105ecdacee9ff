package activities

import (
	"fmt"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/attune-automation/sensors/internal/rule"
	"github.com/attune-automation/sensors/internal/sensor"
)

// RuleLimits say what the evaluation of a rule may take, and when a rule is tripped.
type RuleLimits struct {
	Evaluation time.Duration // of the processor, on one event; 0: any, and nothing is measured
	Overruns   int           // evaluations that took more, on so many events,
	Within     time.Duration // in this time, trip the rule
}

// cutAfter is how many times what it may take an evaluation goes on before it is ended.
const cutAfter = 20

// strikes counts the evaluations of each rule that took more than they may.
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
}

// newStrikes returns nil, which counts nothing, if there is no limit.
func newStrikes(limits RuleLimits, metrics Metrics, logger *zap.Logger) *strikes {
	if limits.Evaluation <= 0 {
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

// count takes down the overruns on an event. The error is a *trip, if a rule has too many.
func (s *strikes) count(event *sensor.Event, overruns []rule.Overrun, now time.Time) error {
	for i := range overruns {
		o := &overruns[i]
		s.metrics.Overrun(o.Rule.TriggerRef, o.Part)
		s.logger.Warn("evaluating a rule took longer than it may",
			zap.String("rule_ref", o.Rule.Ref), zap.Int64("rule_version", o.Rule.Version), zap.String("trigger_ref", o.Rule.TriggerRef),
			zap.Int64("event_id", event.ID), zap.String("part", o.Part), zap.Duration("took", o.Took), zap.Bool("ended", o.Cut),
			zap.Duration("limit", s.limits.Evaluation))
		n := s.strike(o.Rule, event.ID, now)
		switch took := o.Took.Round(time.Millisecond); {
		case o.Cut:
			return &trip{o.Rule, fmt.Sprintf("its evaluation on event %d was ended after %s, in its %s: %s are allowed",
				event.ID, took, o.Part, s.limits.Evaluation)}
		case n >= s.limits.Overruns:
			return &trip{o.Rule, fmt.Sprintf("%d evaluations within %s took more than %s: the last one %s, on event %d, mostly in its %s",
				n, s.limits.Within, s.limits.Evaluation, took, event.ID, o.Part)}
		}
	}
	return nil
}

// strike returns on how many events the rule had an overrun of late. A batch that is tried again brings the same ones.
func (s *strikes) strike(r *sensor.Rule, event int64, now time.Time) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	of := s.rules[r.Ref]
	if of == nil || of.version != r.Version {
		of = &struckRule{version: r.Version}
		s.rules[r.Ref] = of
	}
	of.strikes = slices.DeleteFunc(of.strikes, func(past strike) bool {
		return past.event == event || now.Sub(past.at) > s.limits.Within
	})
	of.strikes = append(of.strikes, strike{event, now})
	return len(of.strikes)
}
