package rule

import (
	"errors"
	"fmt"
	"time"

	"github.com/attune-automation/sensors/internal/condition"
	"github.com/attune-automation/sensors/internal/sensor"
	"github.com/attune-automation/sensors/internal/window"
)

// compileTimes checks when a rule matches: its validity, and its windows, which it returns.
func compileTimes(r *sensor.Rule) (window.Windows, error) {
	var problems condition.Problems
	if r.ValidFrom != nil && r.ValidUntil != nil && !r.ValidFrom.Before(*r.ValidUntil) {
		problems = append(problems, condition.Problem{Path: "valid.until",
			Message: fmt.Sprintf("%s is not after valid.from, %s: the rule would never match", timeText(*r.ValidUntil), timeText(*r.ValidFrom))})
	}
	active, err := window.Parse(r.Active)
	found, _ := errors.AsType[window.Problems](err)
	for _, p := range found {
		problems = append(problems, condition.Problem{Path: "active" + p.Path, Message: p.Message})
	}
	if len(problems) > 0 {
		return window.Windows{}, problems
	}
	return active, nil
}

// inTime says the same as untimely, and is fast.
func (c *Compiled) inTime(at time.Time) bool {
	r := c.Rule
	return (r.ValidFrom == nil || !at.Before(*r.ValidFrom)) && (r.ValidUntil == nil || at.Before(*r.ValidUntil)) && c.active.Contains(at)
}

// untimely says how a time misses those at which the rule matches; empty: it does not.
func (c *Compiled) untimely(at time.Time) string {
	switch r := c.Rule; {
	case r.ValidFrom != nil && at.Before(*r.ValidFrom):
		return fmt.Sprintf("%s is before valid.from, %s", timeText(at), timeText(*r.ValidFrom))
	case r.ValidUntil != nil && !at.Before(*r.ValidUntil):
		return fmt.Sprintf("%s is not before valid.until, %s", timeText(at), timeText(*r.ValidUntil))
	}
	return c.active.Explain(at)
}
