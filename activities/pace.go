package activities

import (
	"context"
	"time"

	"github.com/attune-automation/sensors/internal/rule"
	"github.com/attune-automation/sensors/internal/sensor"
)

// A pace has an eye on how long events take to be matched, one after the other. It belongs to one goroutine. The clock is
// read once an event, and only one that took too long by it is looked at more closely, rule by rule.
type pace struct {
	strikes *strikes
	limits  rule.Limits
	last    time.Time       // when the event before was done
	ctx     context.Context // of some events, for the time that one may take
	since   time.Time       // when that began
	cancel  context.CancelFunc
}

// pace returns what an evaluator goes by; nil: there is no limit.
func (s *strikes) pace() *pace {
	if s == nil || s.limits.Evaluation <= 0 {
		return nil
	}
	return &pace{strikes: s, limits: s.limitsOfRules(), last: time.Now(), cancel: func() {}}
}

func (p *pace) end() {
	if p != nil {
		p.cancel()
	}
}

// limited returns a context that ends when an event takes so long that its evaluation is not worth waiting for.
func (p *pace) limited(ctx context.Context) context.Context {
	if p.ctx == nil || p.last.Sub(p.since) > p.limits.Cut {
		p.cancel()
		p.ctx, p.cancel = context.WithTimeout(ctx, 2*p.limits.Cut)
		p.since = p.last
	}
	return p.ctx
}

// measured is evaluate, and takes down the rules that took too long, or cost too much.
func (v *evaluator) measured(ctx context.Context, event *sensor.Event, rules *rule.Set, doc *rule.Document) ([]sensor.Match, error) {
	p := v.pace
	if p == nil {
		matches, err := v.evaluate(ctx, event, rules, doc)
		if err == nil {
			err = v.strikes.costly(event, v.finder.Failed())
		}
		return matches, err
	}
	start, limited := p.last, p.limited(ctx)
	matches, err := v.evaluate(limited, event, rules, doc)
	p.last = time.Now()
	if p.last.Sub(start) <= p.limits.Overrun || ctx.Err() != nil {
		if err == nil {
			err = v.strikes.costly(event, v.finder.Failed())
		}
		return matches, err
	}
	overruns, failed := rules.Inspect(ctx, doc, &v.finder, p.limits)
	if failed != nil {
		return nil, failed
	}
	if failed := p.strikes.count(event, overruns, p.last); failed != nil {
		return nil, failed
	}
	if err != nil && limited.Err() != nil { // the machine was busy: no rule takes that long
		p.ctx = nil
		matches, err = v.evaluate(ctx, event, rules, doc)
	}
	p.last = time.Now()
	return matches, err
}
