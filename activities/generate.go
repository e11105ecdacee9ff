package activities

import (
	"cmp"
	"context"
	"time"

	"github.com/attune-automation/sensors/internal/schema"
	"github.com/attune-automation/sensors/internal/sensor"
)

// EventStore is what GenerateEvents needs of the store.
type EventStore interface {
	// Batch returns a batch with its payloads.
	Batch(ctx context.Context, id int64) (sensor.Batch, error)
	// Trigger returns a trigger; sensor.ErrNotFound when it is gone.
	Trigger(ctx context.Context, ref string) (sensor.Trigger, error)
	// CommitEvents writes the batch's events and moves the sensor's cursor, both or neither; a batch that has its
	// events already is left as it is. It returns the batch's event rows in order.
	CommitEvents(ctx context.Context, b sensor.Batch, events []sensor.NewEvent, rejected []sensor.Rejection) ([]sensor.Event, error)
	// EventsOfBatch returns the batch's event rows in order.
	EventsOfBatch(ctx context.Context, batchID int64) ([]sensor.Event, error)
	// FirstRejection returns why the batch's first refused payload was refused.
	FirstRejection(ctx context.Context, batchID int64) (reason string, err error)
}

// EventPublisher publishes EventCreated; nil means that the broker has confirmed every one.
type EventPublisher interface {
	PublishEvents(ctx context.Context, events []sensor.Event) error
}

// Generator turns batches into events.
type Generator struct {
	Store     EventStore
	Publisher EventPublisher
	Schemas   *schema.Cache
	Recent    *RecentEvents // hands events over to MatchRules in the same process; nil: it reads them back
	Metrics   Metrics
}

// BatchInput names a batch.
type BatchInput struct {
	BatchID int64 `json:"batch_id"`
}

// GenerateResult is what became of a batch's payloads.
type GenerateResult struct {
	Events       int    `json:"events"`
	Rejected     int    `json:"rejected,omitempty"`
	FirstEventID int64  `json:"first_event_id,omitempty"`
	FirstReason  string `json:"first_reason,omitempty"` // why the first of the rejected ones was refused
}

// GenerateEvents writes the batch's event rows, refused payloads to rejected_event, and publishes EventCreated.
func (g *Generator) GenerateEvents(ctx context.Context, in BatchInput) (GenerateResult, error) {
	defer heartbeat(ctx)()
	ctx, cancel := untilWorkerStops(ctx, stepGrace)
	defer cancel()
	start := time.Now()
	res, err := g.generate(ctx, in.BatchID)
	err = handedBack(ctx, err)
	g.Metrics.Step("generate", outcome(err, res.Events), time.Since(start))
	return res, translate(err)
}

func (g *Generator) generate(ctx context.Context, id int64) (GenerateResult, error) {
	if recent, ok := g.Recent.peek(id); ok { // this process has just written them
		if err := publish(ctx, recent.events, g.Publisher.PublishEvents); err != nil {
			return GenerateResult{}, err
		}
		return g.result(ctx, sensor.Batch{ID: id, Count: recent.count}, recent.events)
	}
	batch, err := g.Store.Batch(ctx, id)
	if err != nil {
		return GenerateResult{}, err
	}
	if batch.Status != sensor.BatchStored {
		return g.repeat(ctx, batch)
	}
	good, bad, err := g.check(ctx, batch)
	if err != nil {
		return GenerateResult{}, err
	}
	events, err := g.Store.CommitEvents(ctx, batch, good, bad)
	if err != nil {
		return GenerateResult{}, err
	}
	g.count(batch, events)
	g.Recent.put(sensor.BatchHead{ID: batch.ID, Count: batch.Count}, events)
	if err := publish(ctx, events, g.Publisher.PublishEvents); err != nil {
		return GenerateResult{}, err
	}
	return g.result(ctx, batch, events)
}

// wrote notes that a poll has written its events itself, all of its payloads.
func (g *Generator) wrote(head sensor.BatchHead, events []sensor.Event) {
	written := map[string]int{}
	for i := range events {
		written[events[i].TriggerRef]++
	}
	for trigger, n := range written {
		g.Metrics.Events(trigger, n)
	}
	g.Recent.put(head, events)
}

// count counts what the payloads became, by trigger.
func (g *Generator) count(batch sensor.Batch, events []sensor.Event) {
	written, brought := map[string]int{}, map[string]int{}
	for i := range events {
		written[events[i].TriggerRef]++
	}
	for i := range batch.Payloads {
		brought[cmp.Or(batch.Item(i).TriggerRef, batch.TriggerRef)]++
	}
	for trigger, n := range brought {
		g.Metrics.Events(trigger, written[trigger])
		g.Metrics.Rejected(trigger, n-written[trigger])
	}
}

// repeat publishes again what an earlier attempt wrote. Beyond generated, that attempt's messages are confirmed.
func (g *Generator) repeat(ctx context.Context, batch sensor.Batch) (GenerateResult, error) {
	events, err := g.Store.EventsOfBatch(ctx, batch.ID)
	if err != nil {
		return GenerateResult{}, err
	}
	if batch.Status == sensor.BatchGenerated {
		if err := publish(ctx, events, g.Publisher.PublishEvents); err != nil {
			return GenerateResult{}, err
		}
	}
	return g.result(ctx, batch, events)
}

func (g *Generator) result(ctx context.Context, batch sensor.Batch, events []sensor.Event) (res GenerateResult, err error) {
	res.Events, res.Rejected = len(events), batch.Count-len(events)
	if len(events) > 0 {
		res.FirstEventID = events[0].ID
	}
	if res.Rejected > 0 {
		res.FirstReason, err = g.Store.FirstRejection(ctx, batch.ID)
	}
	return res, err
}
