package messaging

import (
	"errors"
	"sync"
)

var (
	errConnecting = errors.New("the connection is being made")
	errClosed     = errors.New("the publisher is closed")
)

// status says whether messages can be published now, and tells those who wait when that changes.
type status struct {
	mu      sync.Mutex
	err     error
	changed chan struct{}
}

func newStatus() *status {
	return &status{err: errConnecting, changed: make(chan struct{})}
}

// get returns a channel that is closed at the next change, and why nothing can be published; nil: all is well.
func (s *status) get() (<-chan struct{}, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.changed, s.err
}

func (s *status) set(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = err
	close(s.changed)
	s.changed = make(chan struct{})
}
