package activities

import (
	"slices"
	"sync"

	"github.com/attune-automation/sensors/internal/sensor"
)

// What RecentEvents keeps at most.
const (
	recentBatches = 64
	recentBytes   = 32 << 20
)

// RecentEvents hands the events that GenerateEvents wrote over to MatchRules, which mostly runs next and in the same
// process, so that it need not read them back. It is an optimization alone: what it does not have is in the database,
// and event rows never change. It is safe for concurrent use, and nil keeps nothing.
type RecentEvents struct {
	mu      sync.Mutex
	batches []recentBatch // oldest first
	bytes   int
}

type recentBatch struct {
	id     int64
	events []sensor.Event
	bytes  int
}

// put keeps the events of a batch until they are taken or others need the place.
func (r *RecentEvents) put(batchID int64, events []sensor.Event) {
	if r == nil || len(events) == 0 {
		return
	}
	fresh := recentBatch{id: batchID, events: events}
	for i := range events {
		fresh.bytes += len(events[i].Payload)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.batches, r.bytes = append(r.batches, fresh), r.bytes+fresh.bytes
	for len(r.batches) > recentBatches || r.bytes > recentBytes {
		r.remove(0)
	}
}

// take returns the events of a batch, or nil, and forgets them.
func (r *RecentEvents) take(batchID int64) []sensor.Event {
	if r == nil {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for i, b := range r.batches {
		if b.id == batchID {
			r.remove(i)
			return b.events
		}
	}
	return nil
}

func (r *RecentEvents) remove(i int) {
	r.bytes -= r.batches[i].bytes
	r.batches = slices.Delete(r.batches, i, i+1)
}
