package activities

import (
	"context"
	"sync"
	"time"
)

// Bell tells polls of this process that something came for their sensors, so that the engine need not be told. It is safe
// for concurrent use; nobody hears a nil one.
type Bell struct {
	mu        sync.Mutex
	listeners map[string][]*listener
}

// NewBell returns a Bell.
func NewBell() *Bell { return &Bell{listeners: map[string][]*listener{}} }

// Ring says that something came for a sensor. It returns true if a poll of this process will look for it, and false if
// the sensor has to be told in another way.
func (b *Bell) Ring(sensorRef string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, l := range b.listeners[sensorRef] {
		l.ring()
	}
	return len(b.listeners[sensorRef]) > 0
}

// listener is a poll that will look once more before it ends if the bell rings meanwhile.
type listener struct {
	bell *Bell
	ref  string
	rung chan struct{} // has room for one: any number of rings are one
}

func (b *Bell) listen(sensorRef string) *listener {
	l := &listener{bell: b, ref: sensorRef, rung: make(chan struct{}, 1)}
	if b == nil {
		return l
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.listeners[sensorRef] = append(b.listeners[sensorRef], l)
	return l
}

// heard says whether the bell has rung since the last poll that answered it.
func (l *listener) heard() bool { return len(l.rung) > 0 }

// answer says that a poll is about to look for all that the bell has rung for so far.
func (l *listener) answer() {
	select {
	case <-l.rung:
	default:
	}
}

// wait returns when there is a ring to answer, or the time is over.
func (l *listener) wait(ctx context.Context, most time.Duration) {
	timer := time.NewTimer(most)
	defer timer.Stop()
	select {
	case <-l.rung:
		l.ring()
	case <-timer.C:
	case <-ctx.Done():
	}
}

// ring leaves a ring to be answered.
func (l *listener) ring() {
	select {
	case l.rung <- struct{}{}:
	default: // there is one
	}
}

// end stops listening, and says whether a ring is left that no poll has answered.
func (l *listener) end() (rung bool) {
	if l.bell != nil {
		l.bell.mu.Lock()
		defer l.bell.mu.Unlock()
		rest := l.bell.listeners[l.ref][:0:0]
		for _, other := range l.bell.listeners[l.ref] {
			if other != l {
				rest = append(rest, other)
			}
		}
		if l.bell.listeners[l.ref] = rest; len(rest) == 0 {
			delete(l.bell.listeners, l.ref)
		}
	}
	return l.heard()
}
