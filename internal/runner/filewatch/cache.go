package filewatch

import (
	"sync"
	"time"
)

// maxKept is how many sensors' states are kept in memory. The others read theirs from the database at each poll.
const maxKept = 500

// kept is what a poll leaves for the next.
type kept struct {
	seq   int64  // the sensor's number when the state was as it is
	scope string // of the config
	state any
	at    time.Time
}

// cache keeps states between polls. Who takes one owns it: a second poll of the same sensor finds none and reads its own.
type cache struct {
	mu     sync.Mutex
	states map[string]kept
}

func (c *cache) take(ref string) (kept, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	k, ok := c.states[ref]
	delete(c.states, ref)
	return k, ok
}

func (c *cache) put(ref string, k kept) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.states == nil {
		c.states = map[string]kept{}
	}
	c.states[ref] = k
	if len(c.states) <= maxKept {
		return
	}
	oldest := ref
	for other, o := range c.states {
		if o.at.Before(c.states[oldest].at) {
			oldest = other
		}
	}
	delete(c.states, oldest)
}
