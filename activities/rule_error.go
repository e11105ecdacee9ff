package activities

import (
	"slices"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/attune-automation/sensors/internal/rule"
	"github.com/attune-automation/sensors/internal/sensor"
)

// failedRules are the rules whose expressions have no result for some events. It is nil as long as there is none.
// They are kept by their refs.
type failedRules map[string]*failedRule

// A failedRule is on how many events the expression of a rule has no result, and which rule that was on the last of them, and why.
type failedRule struct {
	errors int64
	last   int64 // event
	why    rule.Failed
}

// add counts what an event brought.
func (f *failedRules) add(event int64, failed []rule.Failed) {
	for _, why := range failed {
		f.put(failedRule{1, event, why})
	}
}

// merge counts what others brought.
func (f *failedRules) merge(others failedRules) {
	for _, other := range others {
		f.put(*other)
	}
}

func (f *failedRules) put(more failedRule) {
	if *f == nil {
		*f = failedRules{}
	}
	ref := more.why.Rule.Ref
	all := (*f)[ref]
	if all == nil {
		(*f)[ref] = &more
		return
	}
	all.errors += more.errors
	if more.last > all.last {
		all.last, all.why = more.last, more.why
	}
}

// list returns the errors of each rule, by its ref.
func (f failedRules) list() []sensor.RuleErrors {
	var all []sensor.RuleErrors
	for _, failed := range f {
		all = append(all, sensor.RuleErrors{Rule: failed.why.Rule, Count: failed.errors, LastEvent: failed.last, LastReason: failed.why.Failure.Message})
	}
	slices.SortFunc(all, func(a, b sensor.RuleErrors) int { return strings.Compare(a.Rule.Ref, b.Rule.Ref) })
	return all
}

// complainEvery is how often the log says at most that evaluations of a rule fail.
const complainEvery = time.Minute

// complaints has the log name rules whose evaluations fail, each now and then.
type complaints struct {
	logger *zap.Logger

	mu    sync.Mutex
	rules map[string]*complaint // by ref
}

// A complaint is what the log said of a version of a rule, and has not said yet.
type complaint struct {
	version int64
	at      time.Time
	since   int64 // errors
}

func newComplaints(logger *zap.Logger) *complaints {
	return &complaints{logger: logger, rules: map[string]*complaint{}}
}

// hear takes note of errors that are written. What the log says quotes no payload: the reason in full is where payloads are.
func (c *complaints) hear(failed failedRules, now time.Time) {
	for _, f := range failed {
		r := f.why.Rule
		errors := c.due(r, f.errors, now)
		if errors == 0 {
			continue
		}
		c.logger.Warn("the expression of a rule has no result for events, which do not match it: see `starter event ID --why`",
			zap.String("rule_ref", r.Ref), zap.Int64("rule_version", r.Version), zap.String("trigger_ref", r.TriggerRef),
			zap.Int64("event_id", f.last), zap.String("cause", string(f.why.Failure.Cause)), zap.String("part", f.why.Failure.Part),
			zap.Int64("errors", errors))
	}
}

// due counts errors of a rule in, and returns how many there have been since the log said so; 0: it is too early to say so again.
func (c *complaints) due(r *sensor.Rule, errors int64, now time.Time) int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	of := c.rules[r.Ref]
	if of == nil || of.version != r.Version {
		of = &complaint{version: r.Version}
		c.rules[r.Ref] = of
	}
	of.since += errors
	if now.Sub(of.at) < complainEvery {
		return 0
	}
	errors, of.since, of.at = of.since, 0, now
	return errors
}
