package filewatch

import (
	"context"
	"maps"
	"slices"

	"github.com/attune-automation/sensors/internal/sensor"
)

// What one part holds at most, and one poll.
const (
	partItems   = sensor.MaxBatch
	partEntries = 10_000
	partBytes   = 4 << 20
	pollItems   = 10_000
)

// ledger puts items, and what is kept of the files that they are of, into parts: what is stored together is an item and
// the knowledge that it has been brought.
type ledger struct {
	take    func(context.Context, sensor.Part) error
	part    sensor.Part
	entries map[string]sensor.Entry
	bytes   int
	items   int // of the poll
}

func newLedger(take func(context.Context, sensor.Part) error) *ledger {
	return &ledger{take: take, entries: map[string]sensor.Entry{}}
}

// keep notes what is kept from now on.
func (l *ledger) keep(entries ...sensor.Entry) {
	for _, e := range entries {
		l.bytes += len(e.Value)
		l.entries[e.Key] = e
	}
}

// add notes an item.
func (l *ledger) add(item sensor.Item) {
	l.bytes += len(item.Payload)
	l.part.Items = append(l.part.Items, item)
	l.items++
}

// ready says whether what was noted is enough for a part.
func (l *ledger) ready() bool {
	return len(l.part.Items) >= partItems || len(l.entries) >= partEntries || l.bytes >= partBytes
}

// settle stores what was noted when it is enough for a part. It is called when items and entries fit to each other.
func (l *ledger) settle(ctx context.Context) error {
	if !l.ready() {
		return ctx.Err()
	}
	return l.flush(ctx)
}

// flush stores what was noted.
func (l *ledger) flush(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if len(l.part.Items) == 0 && len(l.entries) == 0 && l.part.Cursor == nil && !l.part.ResetEntries {
		return nil
	}
	l.part.Entries = slices.Collect(maps.Values(l.entries))
	part := l.part
	l.part, l.bytes = sensor.Part{}, 0
	clear(l.entries)
	return l.take(ctx, part)
}

// full says whether the poll has brought so much that the rest is for the next.
func (l *ledger) full() bool { return l.items >= pollItems }
