package service

import (
	"context"
	"slices"
	"sync"

	"go.temporal.io/sdk/worker"
)

// places are what the polls take that run at once in this process, whichever way they came. A worker has to hold a place
// before it asks a queue for a poll. So that no queue starves, each may hold one as long as any place is free: at times,
// that makes one poll more for each queue but the first.
type places struct {
	most   int
	queues []string // that this process listens on

	mu    sync.Mutex
	used  int            // by polls
	held  map[string]int // for polls that may come, by queue
	freed chan struct{}  // closed when a place is given back
}

func newPlaces(most int, queues []string) *places {
	return &places{most: most, queues: queues, held: map[string]int{}, freed: make(chan struct{})}
}

// Take takes a place for a poll that came past the queues; see activities.Places.
func (p *places) Take(queue string) (release func(), ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !slices.Contains(p.queues, queue) || p.taken() >= p.most {
		return nil, false
	}
	p.used++
	return func() { p.give(&p.used) }, true
}

// running returns how many polls run.
func (p *places) running() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.used
}

// taken is called with the lock held.
func (p *places) taken() int {
	n := p.used
	for _, held := range p.held {
		n += held
	}
	return n
}

// hold holds a place for a queue, if it may have one; otherwise it returns what is closed when that may have changed.
func (p *places) hold(queue string) (ok bool, freed <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.used < p.most && (p.taken() < p.most || p.held[queue] == 0) {
		p.held[queue]++
		return true, nil
	}
	return false, p.freed
}

// use turns a place that is held into one that is used.
func (p *places) use(queue string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.held[queue]--
	p.used++
}

// letGo gives back a place that is held.
func (p *places) letGo(queue string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.held[queue]--
	p.wake()
}

func (p *places) give(n *int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	*n--
	p.wake()
}

func (p *places) wake() {
	close(p.freed)
	p.freed = make(chan struct{})
}

// queuePlaces are the places as the worker of one queue asks for them.
type queuePlaces struct {
	*places
	queue string
}

// inUse is what a permit carries once a poll has come.
type inUse struct{}

// ReserveSlot waits for a place to hold.
func (q queuePlaces) ReserveSlot(ctx context.Context, _ worker.SlotReservationInfo) (*worker.SlotPermit, error) {
	for {
		ok, freed := q.hold(q.queue)
		if ok {
			return &worker.SlotPermit{}, nil
		}
		select {
		case <-freed:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// TryReserveSlot holds a place if there is one.
func (q queuePlaces) TryReserveSlot(worker.SlotReservationInfo) *worker.SlotPermit {
	if ok, _ := q.hold(q.queue); ok {
		return &worker.SlotPermit{}
	}
	return nil
}

// MarkSlotUsed is called when a poll has come.
func (q queuePlaces) MarkSlotUsed(info worker.SlotMarkUsedInfo) {
	info.Permit().UserData = inUse{}
	q.use(q.queue)
}

// ReleaseSlot is called when a poll has ended, or none has come.
func (q queuePlaces) ReleaseSlot(info worker.SlotReleaseInfo) {
	if info.Permit().UserData == (inUse{}) {
		q.give(&q.used)
		return
	}
	q.letGo(q.queue)
}

// MaxSlots is 0: the worker of one queue cannot tell how many places there are for it.
func (q queuePlaces) MaxSlots() int { return 0 }
