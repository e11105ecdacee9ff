package process

import (
	"container/list"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"
)

// pool keeps sessions between the polls of their sensors.
type pool struct {
	max    int // sessions in it, and at a poll
	idle   time.Duration
	logger *zap.Logger

	mu      sync.Mutex
	waiting map[string][]*place // by sensor, the one that was used last at the end
	order   *list.List          // of all places, the one that was used last at the end
	busy    int                 // polls that may leave a session
	closed  bool
	ends    sync.WaitGroup
}

// place is that of one session.
type place struct {
	session *session
	element *list.Element
	left    chan struct{} // closed when the session is taken out
}

func newPool(max int, idle time.Duration, logger *zap.Logger) *pool {
	return &pool{max: max, idle: idle, logger: logger, waiting: map[string][]*place{}, order: list.New()}
}

// enter begins a poll that may leave a session, and returns one for it; nil: there is none. What else waits for a poll of
// the same sensor is of no use any more: its code or its limits are new.
func (p *pool) enter(id identity) *session {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.busy++
	var found *session
	for _, place := range slices.Backward(slices.Clone(p.waiting[id.ref])) {
		switch {
		case place.session.launch.identity != id || !place.session.fit():
			p.retire(place)
		case found == nil:
			found = place.session
			p.remove(place)
		}
	}
	for p.order.Len() > 0 && p.order.Len()+p.busy > p.max {
		p.retire(p.order.Front().Value.(*place))
	}
	return found
}

// leave ends a poll that entered. A session that may do another one, if there is one, waits for it.
func (p *pool) leave(s *session) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.busy--
	if s == nil {
		return
	}
	if p.closed || p.order.Len()+p.busy >= p.max {
		p.ends.Go(func() { s.retire() })
		return
	}
	ref := s.launch.identity.ref
	one := &place{session: s, left: make(chan struct{})}
	one.element = p.order.PushBack(one)
	p.waiting[ref] = append(p.waiting[ref], one)
	p.ends.Go(func() { p.watch(one) })
}

// watch ends a session that waited too long or died.
func (p *pool) watch(one *place) {
	timer := time.NewTimer(p.idle)
	defer timer.Stop()
	select {
	case <-one.left:
		return
	case <-timer.C:
	case <-one.session.process.Exited():
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-one.left: // just now
	default:
		p.retire(one)
	}
}

// retire ends a session that waits, in the background.
func (p *pool) retire(one *place) {
	p.remove(one)
	p.ends.Go(func() {
		died := one.session.exited()
		end := one.session.retire()
		if died || end.Breach != nil {
			p.logger.Info("a warm process ended between polls", zap.String("sensor_ref", one.session.launch.identity.ref),
				zap.Any("breach", end.Breach))
		}
	})
}

func (p *pool) remove(one *place) {
	p.order.Remove(one.element)
	ref := one.session.launch.identity.ref
	rest := slices.DeleteFunc(p.waiting[ref], func(other *place) bool { return other == one })
	if p.waiting[ref] = rest; len(rest) == 0 {
		delete(p.waiting, ref)
	}
	close(one.left)
}

func (p *pool) size() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.order.Len()
}

// close ends all sessions that wait, and those that are still at a poll when they are done.
func (p *pool) close() {
	p.mu.Lock()
	p.closed = true
	for p.order.Len() > 0 {
		p.retire(p.order.Front().Value.(*place))
	}
	p.mu.Unlock()
	p.ends.Wait()
}
