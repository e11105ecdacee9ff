package ops

import (
	"context"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

const (
	censusLife    = 15 * time.Second // scrapes within this time share one count
	censusTimeout = 3 * time.Second  // a scrape does not wait longer for a count
)

// census counts things by a label, seldom: counting sensors by state is a request to Temporal, whose visibility allows few.
type census struct {
	label string
	count func(context.Context) (map[string]int64, error)

	mu     sync.Mutex
	states map[string]int64 // nil after a count that failed
	taken  time.Time
}

// observe reports the last count if it is fresh, else a new one. When counting fails the metric has no value, which
// alerts can see; the failure is remembered as long as a count is.
func (c *census) observe(ctx context.Context, o metric.Int64Observer) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now := time.Now(); c.taken.IsZero() || now.Sub(c.taken) >= censusLife {
		ctx, cancel := context.WithTimeout(ctx, censusTimeout)
		defer cancel()
		states, err := c.count(ctx)
		if err != nil {
			states = nil
		}
		c.states, c.taken = states, now
	}
	for state, n := range c.states {
		o.Observe(n, metric.WithAttributes(attribute.String(c.label, state)))
	}
	return nil
}
