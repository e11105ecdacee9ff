package activities

import (
	"container/list"
	"sync"

	"github.com/attune-automation/sensors/internal/sensor"
)

// What RecentEvents keeps at most.
const (
	recentBatches = 4096
	recentBytes   = 32 << 20
)

// RecentEvents hands the events that were written over to who publishes and to who matches them, which mostly happens next
// and in the same process, so that they need not be read back. It is an optimization alone: what it does not have is in the
// database, and event rows never change. It is safe for concurrent use, and nil keeps nothing.
type RecentEvents struct {
	mu    sync.Mutex
	order list.List               // of recentBatch, oldest first
	byID  map[int64]*list.Element // in the list
	bytes int
}

// recentBatch is a batch whose events are written.
type recentBatch struct {
	id     int64
	count  int // of its payloads
	events []sensor.Event
	bytes  int
}

// put keeps the events of a batch until they are taken or others need the place.
func (r *RecentEvents) put(head sensor.BatchHead, events []sensor.Event) {
	if r == nil || len(events) == 0 {
		return
	}
	fresh := recentBatch{id: head.ID, count: head.Count, events: events}
	for i := range events {
		fresh.bytes += len(events[i].Payload)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.remove(r.byID[head.ID])
	if r.byID == nil {
		r.byID = map[int64]*list.Element{}
	}
	r.byID[head.ID], r.bytes = r.order.PushBack(fresh), r.bytes+fresh.bytes
	for r.order.Len() > recentBatches || r.bytes > recentBytes {
		r.remove(r.order.Front())
	}
}

// peek returns what is kept of a batch; false: nothing.
func (r *RecentEvents) peek(batchID int64) (recentBatch, bool) {
	if r == nil {
		return recentBatch{}, false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.find(batchID)
}

// take returns the events of a batch, or nil, and forgets them.
func (r *RecentEvents) take(batchID int64) []sensor.Event {
	if r == nil {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	b, _ := r.find(batchID)
	r.remove(r.byID[batchID])
	return b.events
}

func (r *RecentEvents) find(id int64) (recentBatch, bool) {
	e := r.byID[id]
	if e == nil {
		return recentBatch{}, false
	}
	return e.Value.(recentBatch), true
}

func (r *RecentEvents) remove(e *list.Element) {
	if e == nil {
		return
	}
	b := r.order.Remove(e).(recentBatch)
	delete(r.byID, b.id)
	r.bytes -= b.bytes
}
