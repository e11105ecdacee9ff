package activities

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/attune-automation/sensors/internal/schema"
	"github.com/attune-automation/sensors/internal/sensor"
)

// check sorts the payloads into those that can become events and those that can't.
func (g *Generator) check(ctx context.Context, batch sensor.Batch) ([]sensor.NewEvent, []sensor.Rejection, error) {
	trigger, err := g.Store.Trigger(ctx, batch.TriggerRef)
	if err != nil && !errors.Is(err, sensor.ErrNotFound) {
		return nil, nil, err
	}
	accept, err := g.acceptors(ctx, trigger, batch.Triggers)
	if err != nil {
		return nil, nil, err
	}
	reasons, err := checkAll(ctx, batch, accept)
	if err != nil {
		return nil, nil, err
	}
	good := make([]sensor.NewEvent, 0, len(batch.Payloads))
	var bad []sensor.Rejection
	for i := range batch.Payloads {
		item := batch.Item(i)
		if reasons[i] != nil {
			bad = append(bad, sensor.Rejection{
				Position: i, Raw: item.Payload, TriggerRef: item.TriggerRef, Reason: reasons[i].Error(),
			})
			continue
		}
		good = append(good, sensor.NewEvent{
			Position: i, Payload: item.Payload, TriggerRef: item.TriggerRef, OccurredAt: item.OccurredAt,
		})
	}
	return good, bad, nil
}

// Reasons says for each item why it cannot become an event, or nil; items that name no trigger are of the given one, as it
// was when it was read.
func (g *Generator) Reasons(ctx context.Context, trigger sensor.Trigger, items []sensor.Item) ([]error, error) {
	batch := sensor.Batch{TriggerRef: trigger.Ref}
	for _, item := range items {
		batch.Payloads = append(batch.Payloads, item.Payload)
		batch.Triggers = append(batch.Triggers, item.TriggerRef)
	}
	accept, err := g.acceptors(ctx, trigger, batch.Triggers)
	if err != nil {
		return nil, err
	}
	return checkAll(ctx, batch, accept)
}

// acceptor says why a payload cannot become an event of its trigger, or nil.
type acceptor func(payload []byte) error

// acceptors returns those of a batch's triggers, by ref, that of the batch itself under "". The sensor's state stands
// for this one: events of a sensor whose first trigger is gone or disabled by now were seen while it was not. Of the
// others nothing is known but what they are now.
func (g *Generator) acceptors(ctx context.Context, first sensor.Trigger, others []string) (accept map[string]acceptor, err error) {
	accept = map[string]acceptor{}
	if accept[""], err = g.acceptor(first); err != nil {
		return nil, err
	}
	for _, ref := range others {
		if accept[ref] != nil {
			continue
		}
		trigger, err := g.Store.Trigger(ctx, ref)
		switch {
		case errors.Is(err, sensor.ErrNotFound):
			accept[ref] = refuseAll(fmt.Errorf("trigger %q does not exist: apply the pack that defines it", ref))
		case err != nil:
			return nil, err
		case !trigger.Enabled:
			accept[ref] = refuseAll(fmt.Errorf("trigger %q is disabled: enable it in its pack, or have the sensor bring no events of it", ref))
		default:
			if accept[ref], err = g.acceptor(trigger); err != nil {
				return nil, err
			}
		}
	}
	return accept, nil
}

func refuseAll(reason error) acceptor {
	return func([]byte) error { return reason }
}

// acceptor accepts what PostgreSQL can hold and the trigger's out_schema, if it has one, allows.
func (g *Generator) acceptor(trigger sensor.Trigger) (acceptor, error) {
	if trigger.OutSchema == nil {
		return schema.CheckPayload, nil
	}
	compiled, err := g.Schemas.Get("out_schema", trigger.OutSchema)
	if err != nil {
		return nil, fmt.Errorf("out_schema of trigger %q: %w", trigger.Ref, err)
	}
	return func(payload []byte) error {
		if err := schema.CheckPayload(payload); err != nil {
			return err
		}
		return compiled.Check("payload", payload)
	}, nil
}

// checkAll checks the payloads on all cores, and returns for each why it is not acceptable, or nil.
func checkAll(ctx context.Context, batch sensor.Batch, accept map[string]acceptor) ([]error, error) {
	reasons := make([]error, len(batch.Payloads))
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), len(reasons)) {
		wg.Go(func() {
			for ctx.Err() == nil {
				i := int(next.Add(1)) - 1
				if i >= len(reasons) {
					return
				}
				item := batch.Item(i)
				reasons[i] = accept[item.TriggerRef](item.Payload)
			}
		})
	}
	wg.Wait()
	return reasons, ctx.Err()
}
