package audit

import (
	"cmp"
	"fmt"
	"iter"
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/attune-automation/sensors/internal/messaging"
	"github.com/attune-automation/sensors/internal/sensor"
)

// row is a row that is published.
type row struct {
	kind Kind
	id   int64
}

// publication is what was published for a row.
type publication struct {
	id   uuid.UUID
	seen bool // the row is there
}

// collect reads all messages; it finds rows that were published under more than one ID.
func (a *auditor) collect(messages iter.Seq2[Message, error]) (map[row]*publication, error) {
	published := map[row]*publication{}
	for m, err := range messages {
		if err != nil {
			return nil, fmt.Errorf("reading messages: %w", err)
		}
		a.report.Messages++
		r := row{m.Kind, m.Row}
		switch known := published[r]; {
		case known == nil:
			published[r] = &publication{id: m.ID}
		case known.id != m.ID:
			a.find(3, fmt.Sprintf("%s %d", m.Kind, m.Row), "was published under two message IDs, %s and %s", known.id, m.ID)
		}
	}
	return published, nil
}

// publishedRow checks that a row was published, once its batch is done, and under its own ID.
func (a *auditor) publishedRow(r row, subject string, status sensor.BatchStatus, created time.Time) {
	if a.published == nil {
		return
	}
	p := a.published[r]
	if p == nil {
		if status == sensor.BatchDone && !created.Before(a.since) {
			a.find(3, subject, "is in a finished batch, but no message of it was seen")
		}
		return
	}
	p.seen = true
	id := messaging.EventMessageID
	if r.kind == KindEnforcement {
		id = messaging.EnforcementMessageID
	}
	if want := id(r.id, created); p.id != want {
		a.find(3, subject, "was published under message ID %s, and its own is %s", p.id, want)
	}
}

// strayMessages finds messages of rows that are not there.
func (a *auditor) strayMessages() {
	rows := slices.SortedFunc(maps.Keys(a.published), func(x, y row) int {
		return cmp.Or(cmp.Compare(x.kind, y.kind), cmp.Compare(x.id, y.id))
	})
	for _, r := range rows {
		if !a.published[r].seen {
			a.find(3, fmt.Sprintf("%s %d", r.kind, r.id), "was published as message %s, but there is no such row", a.published[r].id)
		}
	}
}
