package backtest

import (
	"context"
	"slices"
	"time"

	"github.com/attune-automation/sensors/internal/correlation"
	"github.com/attune-automation/sensors/internal/expression"
	"github.com/attune-automation/sensors/internal/rule"
	"github.com/attune-automation/sensors/internal/sensor"
	"github.com/attune-automation/sensors/internal/throttle"
)

// A subject is a rule that is tested, with the further parts of a correlation, and what it would have ordered so far.
type subject struct {
	parts      []*rule.Compiled // the rule itself is the first
	throttled  *throttle.Simulation
	correlated *correlation.Simulation // nil: it is none
}

func newSubject(whole *sensor.Rule, further []sensor.Rule) (*subject, error) {
	compiled, err := rule.Compile(whole)
	if err != nil {
		return nil, err
	}
	s := &subject{parts: []*rule.Compiled{compiled}, throttled: throttle.NewSimulation(compiled.Throttle())}
	if d, _ := compiled.Correlation(); d != nil {
		s.correlated = correlation.NewSimulation(d)
	}
	for i := range further {
		if compiled, err = rule.Compile(&further[i]); err != nil {
			return nil, err
		}
		s.parts = append(s.parts, compiled)
	}
	return s, nil
}

// groups says whether not each match orders by itself.
func (s *subject) groups() bool { return s.correlated != nil || s.parts[0].Throttle() != nil }

// orders returns how many enforcements there would be at a time.
func (s *subject) orders(now time.Time) *int64 {
	n := s.throttled.Orders()
	if s.correlated != nil {
		n = s.correlated.Orders(now)
	}
	return &n
}

// evaluate says whether a part matches the event, and counts that in. The failure is that of a part whose expression has no
// result.
func (s *subject) evaluate(ctx context.Context, doc *rule.Document, e *sensor.Event) (matched bool, failure *expression.Failure, err error) {
	for _, r := range slices.Backward(s.parts) { // in the order of correlation.Match.Compare
		if r.Rule.TriggerRef != e.TriggerRef {
			continue
		}
		matches, failed, err := r.Evaluate(ctx, doc)
		if err != nil {
			return false, nil, err
		}
		if failed != nil {
			failure = failed
		}
		if matches {
			matched = true
			s.count(r, doc, e)
		}
	}
	return matched, failure, nil
}

// count counts a match in.
func (s *subject) count(r *rule.Compiled, doc *rule.Document, e *sensor.Event) {
	key := ""
	if g := r.Grouping(doc); g != nil {
		key = g.Key
	}
	if s.correlated == nil {
		s.throttled.Add(key, throttle.Match{Event: e.ID, At: e.Created})
		return
	}
	_, part := r.Correlation()
	s.correlated.Add(key, correlation.Match{Part: part, Event: e.ID, At: e.Created})
}
