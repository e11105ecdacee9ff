package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/attune-automation/sensors/internal/sensor"
	"github.com/attune-automation/sensors/workflows"
)

// emitTimeout is how long emit waits for a worker to do its part.
const emitTimeout = 30 * time.Second

// emitted is what became of an event.
type emitted struct {
	BatchID int64 `json:"batch_id"`
	workflows.EmitResult
}

func newEmit(s *session) *cobra.Command {
	var payload string
	var event sensor.SystemEvent
	var timeout time.Duration
	c := &cobra.Command{
		Use:   "emit TRIGGER",
		Short: "Emit an event that no sensor saw",
		Long: `Emit an event that no sensor saw. It is stored, checked, matched by rules and published as any other. The exit code
is 1 if the payload is refused, and 2 if no worker was there in time; then the event is stored all the same, and emitted
as soon as a worker runs.`,
		Example: `  starter emit deploy.finished --payload '{"version": "1.4.2"}'
  starter emit deploy.finished --payload @event.json --dedupe-key deploy-1.4.2
  echo '{}' | starter emit deploy.finished --payload - -o json`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: s.completeRefs(triggerRefs),
		RunE: func(c *cobra.Command, args []string) (err error) {
			event.TriggerRef = args[0]
			if event.Payload, err = s.readJSON("--payload", payload); err != nil {
				return err
			}
			return s.emit(c.Context(), event, timeout)
		},
	}
	flags := c.Flags()
	flags.StringVar(&payload, "payload", "", "payload of the event: `JSON`, @FILE, or - for the standard input")
	flags.StringVar(&event.DedupeKey, "dedupe-key", "", "the same `KEY` again is the same event, and emits no second one")
	flags.DurationVar(&timeout, "timeout", emitTimeout, "wait this long for a worker")
	_ = c.MarkFlagRequired("payload") // it fails only for a flag that the command lacks
	return c
}

func (s *session) emit(ctx context.Context, event sensor.SystemEvent, timeout time.Duration) error {
	o, err := s.operator(ctx)
	if err != nil {
		return err
	}
	batch, err := o.storeEvent(ctx, event)
	if err != nil {
		return err
	}
	waiting, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	result, err := o.fleet.Emit(waiting, batch)
	if err != nil {
		why := err.Error()
		if expired(waiting, err) {
			why = fmt.Sprintf("no worker has taken it up within %s", timeout)
		}
		return fmt.Errorf("the event is stored as batch %d and will be emitted when a worker runs; do not emit it again: %s", batch, why)
	}
	if result.Refused == "" {
		s.say("event %d of %s is emitted, with %s", result.EventID, event.TriggerRef,
			count(result.Enforcements, "enforcement", "enforcements"))
	}
	if err := s.report(emitted{BatchID: batch, EmitResult: result}); err != nil {
		return err
	}
	if result.Refused != "" {
		return no{fmt.Sprintf("the payload is refused: %s", result.Refused)}
	}
	return nil
}

func (o *operator) storeEvent(ctx context.Context, event sensor.SystemEvent) (batch int64, err error) {
	batch, err = o.store.StoreSystemEvent(ctx, event)
	if errors.Is(err, sensor.ErrDisabled) {
		return 0, fmt.Errorf("trigger %q is disabled: set enabled: true in its file and apply pack %q again",
			event.TriggerRef, sensor.PackOf(event.TriggerRef))
	}
	return batch, unknownTrigger(ctx, o.store, event.TriggerRef, err)
}
