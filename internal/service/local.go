package service

import (
	"context"
	"sync"

	"go.temporal.io/sdk/worker"
)

// localPlaces are what local activities take that run at once in this process. One that waits for its time may rest,
// and then takes none.
type localPlaces struct {
	mu    sync.Mutex
	free  int           // below 0 while some of those that rested go on all at once
	freed chan struct{} // closed when a place is given back
}

func newLocalPlaces(most int) *localPlaces {
	return &localPlaces{free: most, freed: make(chan struct{})}
}

// Rest gives a place back until done is called.
func (p *localPlaces) Rest() (done func()) {
	p.give()
	return func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.free--
	}
}

func (p *localPlaces) give() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.free++
	close(p.freed)
	p.freed = make(chan struct{})
}

// take takes a place if there is one; otherwise it returns what is closed when there may be.
func (p *localPlaces) take() (ok bool, freed <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.free <= 0 {
		return false, p.freed
	}
	p.free--
	return true, nil
}

// ReserveSlot waits for a place.
func (p *localPlaces) ReserveSlot(ctx context.Context, _ worker.SlotReservationInfo) (*worker.SlotPermit, error) {
	for {
		ok, freed := p.take()
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

// TryReserveSlot takes a place if there is one.
func (p *localPlaces) TryReserveSlot(worker.SlotReservationInfo) *worker.SlotPermit {
	if ok, _ := p.take(); ok {
		return &worker.SlotPermit{}
	}
	return nil
}

// MarkSlotUsed has nothing to note: a place is taken from when it is reserved.
func (p *localPlaces) MarkSlotUsed(worker.SlotMarkUsedInfo) {}

// ReleaseSlot is called when a local activity has ended.
func (p *localPlaces) ReleaseSlot(worker.SlotReleaseInfo) { p.give() }

// MaxSlots is 0: those that rest do not count.
func (p *localPlaces) MaxSlots() int { return 0 }
