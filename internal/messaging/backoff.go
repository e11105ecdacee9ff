package messaging

import "time"

const (
	minBackoff = 100 * time.Millisecond
	maxBackoff = 5 * time.Second
)

// backoff is the time to wait before connecting again: it doubles from minBackoff to maxBackoff with each connection that
// is not had or does not last.
type backoff struct {
	current time.Duration
}

// next returns the wait after a connection that lasted as given. random, in [0, 1), spreads the waits over the upper half
// of their range, so that the workers of a fleet do not all come back at once.
func (b *backoff) next(lasted time.Duration, random float64) time.Duration {
	if lasted >= maxBackoff {
		b.current = 0
	}
	b.current = min(max(2*b.current, minBackoff), maxBackoff)
	half := b.current / 2
	return half + time.Duration(random*float64(half))
}
