package timer

import (
	"sync"
	"time"
)

// When many timers are due in the same second, the engine could not wake all of their workflows in it. So those of one
// process, but for the first few, are woken one after the other before it, and their polls wait for the second in the
// process.
const (
	few     = 3                       // timers of a second that are woken at their instants
	ahead   = 1500 * time.Millisecond // how long before its instant the last of the others is woken
	apart   = 5 * time.Millisecond    // between two that are woken
	maxLead = 7 * time.Second         // well within a workflow task, which lasts as long as the poll
	purge   = time.Minute             // how often what is over is forgotten
)

// crowd knows which timers this process expects in which second. It is safe for concurrent use.
type crowd struct {
	mu      sync.Mutex
	seconds map[int64]map[string]int // position of each timer, by Unix second and ref
	purged  time.Time
}

func newCrowd() *crowd { return &crowd{seconds: map[int64]map[string]int{}} }

// join expects a timer at an instant, and returns how long before it to wake the timer.
func (c *crowd) join(ref string, due, now time.Time) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now.Sub(c.purged) > purge {
		c.purged = now
		for second := range c.seconds {
			if second < now.Unix()-1 {
				delete(c.seconds, second)
			}
		}
	}
	others := c.seconds[due.Unix()]
	if others == nil {
		others = map[string]int{}
		c.seconds[due.Unix()] = others
	}
	if _, known := others[ref]; !known {
		others[ref] = len(others)
	}
	return lead(others[ref])
}

// lead returns how long before an instant the timer was to be woken; 0 if this process does not expect it.
func (c *crowd) lead(ref string, due time.Time) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	position, known := c.seconds[due.Unix()][ref]
	if !known {
		return 0
	}
	return lead(position)
}

func lead(position int) time.Duration {
	if position < few {
		return 0
	}
	return ahead + time.Duration(position-few)%((maxLead-ahead)/apart)*apart
}
