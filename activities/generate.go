package activities

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
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
	g.Metrics.Events(batch.TriggerRef, len(events))
	g.Metrics.Rejected(batch.TriggerRef, batch.Count-len(events))
	if err := publish(ctx, events, g.Publisher.PublishEvents); err != nil {
		return GenerateResult{}, err
	}
	return g.result(ctx, batch, events)
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

// check sorts the payloads into those that can become events and those that can't.
func (g *Generator) check(ctx context.Context, batch sensor.Batch) ([]sensor.NewEvent, []sensor.Rejection, error) {
	trigger, err := g.Store.Trigger(ctx, batch.TriggerRef)
	if err != nil && !errors.Is(err, sensor.ErrNotFound) {
		return nil, nil, err
	}
	accept := schema.CheckPayload
	if trigger.OutSchema != nil {
		compiled, err := g.Schemas.Get("out_schema", trigger.OutSchema)
		if err != nil {
			return nil, nil, fmt.Errorf("out_schema of trigger %q: %w", trigger.Ref, err)
		}
		accept = func(payload []byte) error {
			if err := schema.CheckPayload(payload); err != nil {
				return err
			}
			return compiled.Check("payload", payload)
		}
	}
	reasons, err := checkAll(ctx, batch.Payloads, accept)
	if err != nil {
		return nil, nil, err
	}
	good := make([]sensor.NewEvent, 0, len(batch.Payloads))
	var bad []sensor.Rejection
	for i, payload := range batch.Payloads {
		if reasons[i] != nil {
			bad = append(bad, sensor.Rejection{Position: i, Raw: payload, Reason: reasons[i].Error()})
			continue
		}
		good = append(good, sensor.NewEvent{Position: i, Payload: payload})
	}
	return good, bad, nil
}

// checkAll checks the payloads on all cores, and returns for each why it is not acceptable, or nil.
func checkAll(ctx context.Context, payloads [][]byte, accept func([]byte) error) ([]error, error) {
	reasons := make([]error, len(payloads))
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), len(payloads)) {
		wg.Go(func() {
			for ctx.Err() == nil {
				i := int(next.Add(1)) - 1
				if i >= len(payloads) {
					return
				}
				reasons[i] = accept(payloads[i])
			}
		})
	}
	wg.Wait()
	return reasons, ctx.Err()
}
