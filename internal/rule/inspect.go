package rule

import (
	"context"
	"runtime"
	"time"

	"golang.org/x/sys/unix"

	"github.com/attune-automation/sensors/internal/expression"
	"github.com/attune-automation/sensors/internal/sensor"
)

// Limits are what the evaluation of one rule on one event may take.
type Limits struct {
	// Overrun is the time of the processor beyond which an evaluation is an overrun; 0: there is no limit.
	Overrun time.Duration
	// Cut is the time of the processor after which an evaluation is ended, as far as it can be.
	Cut time.Duration
}

// The parts of a rule whose evaluation may take long.
const (
	PartConditions = "conditions"
	PartCEL        = "cel" // with the conditions before it
	PartParams     = "params"
)

// Overrun is an evaluation of a rule that took, or cost, more than it may.
type Overrun struct {
	Rule *sensor.Rule
	Part string        // what took most of it
	Took time.Duration // of the processor, not counting what others had of it meanwhile
	Cut  bool          // it was ended, and nobody knows whether the rule matches
	Cost bool          // its expression cost more than it may, and has no result
}

// Inspect evaluates the rules that can match the event one by one, with the parameters of those that do, and returns those
// that take or cost more than they may. It goes by the time of its thread: what a busy machine takes away is nobody's overrun. The
// error is that of the context.
func (s *Set) Inspect(ctx context.Context, doc *Document, f *Finder, limits Limits) ([]Overrun, error) {
	if s == nil {
		return nil, nil
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	start := threadTime()
	rules := s.candidates(doc, f)
	if threadTime()-start > limits.Overrun { // finding them evaluates clauses, even of rules that are not found then
		rules = s.all()
	}
	var overruns []Overrun
	for _, r := range rules {
		o, err := r.inspect(ctx, doc, limits)
		if err != nil {
			return nil, err
		}
		if o.Took > limits.Overrun || o.Cost {
			overruns = append(overruns, o)
		}
	}
	return overruns, nil
}

func (s *Set) candidates(doc *Document, f *Finder) []*Compiled {
	var rules []*Compiled
	for _, number := range s.index.Find(&doc.Values, &f.candidates) {
		rules = append(rules, s.rule(number))
	}
	return rules
}

func (s *Set) all() []*Compiled {
	var rules []*Compiled
	for _, c := range s.chunks {
		for _, r := range c {
			if r != nil {
				rules = append(rules, r)
			}
		}
	}
	return rules
}

// inspect says what a rule takes, whether or not that is too much.
func (c *Compiled) inspect(ctx context.Context, doc *Document, limits Limits) (Overrun, error) {
	o := Overrun{Rule: c.Rule, Part: PartConditions}
	if c.cel != nil {
		o.Part = PartCEL
	}
	matched := false
	var err error
	o.Took, o.Cut, err = measure(ctx, limits.Cut, func(ctx context.Context) (err error) {
		var failure *expression.Failure
		matched, failure, err = c.Evaluate(ctx, doc)
		o.Cost = failure != nil && failure.Cause == expression.CauseCost
		return err
	})
	if err != nil || o.Cut || !matched || c.params == nil || c.Rule.Shadow {
		return o, err
	}
	took, cut, err := measure(ctx, limits.Cut, func(ctx context.Context) error {
		_, _, err := c.Params(ctx, doc)
		return err
	})
	if took > o.Took {
		o.Part = PartParams
	}
	o.Took, o.Cut = o.Took+took, cut
	return o, err
}

// measure says what f takes of the processor, and whether it was ended because that was as much as limit. What was ended
// after so long by the clock, while others had the processor, has another try with twice the time.
func measure(ctx context.Context, limit time.Duration, f func(context.Context) error) (took time.Duration, cut bool, err error) {
	for wall := limit + limit/4; ; wall *= 2 {
		limited, cancel := context.WithTimeout(ctx, wall)
		start := threadTime()
		err = f(limited)
		took = threadTime() - start
		ended := limited.Err() != nil
		cancel()
		switch {
		case err == nil:
			return took, false, nil
		case ctx.Err() != nil:
			return took, false, ctx.Err()
		case !ended: // the error has another cause
			return took, false, err
		case took >= limit:
			return took, true, nil
		}
	}
}

// threadTime is what the calling thread has had of the processor.
func threadTime() time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &t); err != nil {
		panic("rule: the system has no clock of a thread's time: " + err.Error())
	}
	return time.Duration(t.Nano())
}
