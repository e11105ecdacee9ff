package activities

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/testsuite"
	"go.uber.org/zap"

	"github.com/attune-automation/sensors/internal/schema"
	"github.com/attune-automation/sensors/internal/sensor"
)

// inbox is what comes for a sensor, and plays the code that takes it.
type inbox struct {
	mu    sync.Mutex
	items []sensor.Item
	polls int
	fault error
}

func (b *inbox) put() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.items = append(b.items, sensor.Item{Payload: []byte(`{}`)})
}

func (b *inbox) Poll(ctx context.Context, req sensor.PollRequest) (sensor.Poll, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.polls++
	if b.fault != nil {
		return sensor.Poll{}, b.fault
	}
	items := b.items
	b.items = nil
	if len(items) == 0 {
		return sensor.Poll{Linger: true}, nil
	}
	return sensor.Poll{Linger: true}, req.Take(ctx, sensor.Part{Items: items})
}

// batches are those of one sensor, none of which any rule matches.
type batches struct {
	EventStore
	MatchStore
	broken    error          // of every commit of events
	unmatched error          // of every match
	match     func(id int64) // is called when a match begins; may be nil
	generated func(id int64) // is called when events are committed; may be nil
	done      []int64
}

func (b *batches) Batch(_ context.Context, id int64) (sensor.Batch, error) {
	return sensor.Batch{ID: id, TriggerRef: "t.a", Status: sensor.BatchStored, Count: 1, Payloads: [][]byte{[]byte(`{}`)}}, nil
}

func (b *batches) Trigger(context.Context, string) (sensor.Trigger, error) {
	return sensor.Trigger{Ref: "t.a", Enabled: true}, nil
}

func (b *batches) CommitEvents(_ context.Context, batch sensor.Batch, _ []sensor.NewEvent, _ []sensor.Rejection) ([]sensor.Event, error) {
	if b.generated != nil {
		b.generated(batch.ID)
	}
	if b.broken != nil {
		return nil, b.broken
	}
	return []sensor.Event{{ID: 10 * batch.ID, TriggerRef: "t.a"}}, nil
}

func (b *batches) EventsOfBatch(context.Context, int64) ([]sensor.Event, error) { return nil, nil }

func (b *batches) PublishEvents(context.Context, []sensor.Event) error { return nil }

func (b *batches) BatchHeader(_ context.Context, id int64) (sensor.Batch, error) {
	if b.match != nil {
		b.match(id)
	}
	return sensor.Batch{ID: id, Status: sensor.BatchMatched}, b.unmatched
}

func (b *batches) EnforcementsOfBatch(context.Context, int64) ([]sensor.Enforcement, error) {
	return nil, nil
}

func (b *batches) HeldOfBatch(context.Context, int64) (sensor.Held, error) { return sensor.Held{}, nil }

func (b *batches) PublishEnforcements(context.Context, []sensor.Enforcement) error { return nil }

func (b *batches) FinishBatch(_ context.Context, id int64) error {
	b.done = append(b.done, id)
	return nil
}

// newAttendant returns what attends one sensor.
func newAttendant(in *inbox, b *batches) *Poller {
	p := newPoller(&tailStore{turn: active()}, nil)
	p.Runner, p.Bell = in, NewBell()
	p.Drainer = &Drainer{
		Generator: &Generator{Store: b, Publisher: b, Schemas: schema.NewCache(1), Metrics: uncounted{}},
		Matcher:   NewMatcher(MatcherConfig{Store: b, Publisher: b, Metrics: uncounted{}, Logger: zap.NewNop()}),
	}
	return p
}

// attend polls as a local activity does.
func attend(t *testing.T, p *Poller) (res PollResult, err error) {
	t.Helper()
	var suite testsuite.WorkflowTestSuite
	env := suite.NewTestActivityEnvironment()
	env.SetTestTimeout(time.Minute)
	env.RegisterActivity(p)
	value, err := env.ExecuteLocalActivity(p.Poll, PollInput{SensorRef: "t.s"})
	if err == nil {
		require.NoError(t, value.Get(&res))
	}
	return res, err
}
