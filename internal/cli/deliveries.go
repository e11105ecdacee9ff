package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/attune-automation/sensors/activities"
	"github.com/attune-automation/sensors/internal/runner/webhook"
	"github.com/attune-automation/sensors/internal/sensor"
	"github.com/attune-automation/sensors/internal/store"
)

// deliveryRow is a delivery as people and programs see it.
type deliveryRow struct {
	ID              string               `json:"id"`
	SensorRef       string               `json:"sensor_ref"`
	ReceivedAt      time.Time            `json:"received_at"`
	Status          store.DeliveryStatus `json:"status"`
	EventID         *int64               `json:"event_id,omitempty"`
	Reason          string               `json:"reason,omitempty"` // why it could not become an event
	Key             string               `json:"key,omitempty"`    // how the sender named it
	RedeliveredFrom string               `json:"redelivered_from,omitempty"`
	Bytes           int                  `json:"bytes"` // of the payload
}

// redelivered is what deliveries redeliver did.
type redelivered struct {
	ID              string `json:"id"`
	SensorRef       string `json:"sensor_ref"`
	RedeliveredFrom string `json:"redelivered_from"`
}

func newDeliveries(s *session) *cobra.Command {
	var filter store.DeliveryFilter
	var from since
	most := rowLimit
	status := choice{}
	for _, word := range store.DeliveryStatuses() {
		status.of = append(status.of, string(word))
	}
	c := &cobra.Command{
		Use:   "deliveries REF",
		Short: "List what a webhook accepted and what became of it, or deliver it again",
		Long: `List what the webhook of a sensor accepted, the last first, and what became of it: pending waits for a poll of the
sensor, stored is part of a batch, event is an event, rejected could not become one. Deliveries are kept for
webhooks.delivery_ttl.`,
		Example: `  starter deliveries shop.orders
  starter deliveries shop.orders --status rejected -o json | jq -r '.[].reason'`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: s.completeSensor(),
		RunE: func(c *cobra.Command, args []string) error {
			filter.SensorRef, filter.Status, filter.Since, filter.Limit = args[0], store.DeliveryStatus(status.value), from.time, int(most)
			return s.listDeliveries(c.Context(), filter)
		},
	}
	flags := c.Flags()
	flags.Var(&status, "status", "only those that have come so far")
	flags.Var(&from, "since", "only those received since then: 2026-01-31T08:00:00Z, or 15m ago")
	flags.StringVar(&filter.BeforeID, "before", "", "only those that came before the one with this `ID`, for the next page")
	flags.Var(&most, "limit", "at most this many")
	_ = c.RegisterFlagCompletionFunc("status", cobra.FixedCompletions(status.of, cobra.ShellCompDirectiveNoFileComp))
	c.AddCommand(newRedeliver(s))
	return c
}

func (s *session) listDeliveries(ctx context.Context, filter store.DeliveryFilter) error {
	if filter.BeforeID != "" && uuid.Validate(filter.BeforeID) != nil {
		return fmt.Errorf("--before %q is no ID of a delivery: `starter deliveries %s` shows them", filter.BeforeID, filter.SensorRef)
	}
	db, err := s.store(ctx)
	if err != nil {
		return err
	}
	records, err := db.Deliveries(ctx, filter)
	if err == nil && len(records) == 0 { // what is gone may have left some
		_, err = db.Sensor(ctx, filter.SensorRef)
	}
	if err != nil {
		return unknownSensor(ctx, db, filter.SensorRef, err)
	}
	rows := make([]deliveryRow, len(records))
	for i, r := range records {
		rows[i] = deliveryRow{
			ID: r.ID, SensorRef: r.SensorRef, ReceivedAt: r.ReceivedAt, Status: r.Status, EventID: r.EventID, Reason: r.Reason,
			Key: r.Key, RedeliveredFrom: r.RedeliveredFrom, Bytes: len(r.Payload),
		}
	}
	return list(s, rows,
		column[deliveryRow]{"ID", func(r deliveryRow) string { return r.ID }},
		column[deliveryRow]{"RECEIVED", func(r deliveryRow) string { return moment(r.ReceivedAt) }},
		column[deliveryRow]{"STATUS", func(r deliveryRow) string { return string(r.Status) }},
		column[deliveryRow]{"EVENT", func(r deliveryRow) string { return optionalID(r.EventID) }},
		column[deliveryRow]{"KEY", func(r deliveryRow) string { return r.Key }},
		column[deliveryRow]{"REASON", func(r deliveryRow) string { return r.Reason }},
	)
}

func newRedeliver(s *session) *cobra.Command {
	return &cobra.Command{
		Use:   "redeliver ID",
		Short: "Make a second event of a delivery",
		Long: `Make a second event of a delivery, with the same payload but for its delivery_id, and redelivered_from, which says what
it is a repetition of. Rules see it as they see any event. The request is not checked again.`,
		Example: `  starter deliveries redeliver 019bf0a4-5d2c-7e31-9c1b-3f5a0d9b7c11
  starter deliveries redeliver $(starter deliveries shop.orders --limit 1 -o json | jq -r '.[0].id')`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE:              func(c *cobra.Command, args []string) error { return s.redeliver(c.Context(), args[0]) },
	}
}

func (s *session) redeliver(ctx context.Context, id string) error {
	if uuid.Validate(id) != nil {
		return fmt.Errorf("%q is no ID of a delivery: `starter deliveries REF` shows them", id)
	}
	db, err := s.store(ctx)
	if err != nil {
		return err
	}
	first, err := db.Delivery(ctx, id)
	if errors.Is(err, sensor.ErrNotFound) {
		return fmt.Errorf("there is no delivery %s: it may have been deleted, see webhooks.delivery_ttl", id)
	} else if err != nil {
		return err
	}
	again, err := webhook.Again(sensor.Delivery{ID: first.ID, SensorRef: first.SensorRef, Payload: first.Payload}, time.Now())
	if err != nil {
		return fmt.Errorf("delivery %s: %w", id, err)
	}
	err = db.Redeliver(ctx, first.ID, again)
	if errors.Is(err, sensor.ErrNotFound) {
		return fmt.Errorf("delivery %s is of sensor %s, which is gone, or no webhook any more: apply its pack first", id, first.SensorRef)
	} else if err != nil {
		return err
	}
	if s.format != formatTable {
		if err := s.format.encode(s.env.Stdout, redelivered{again.ID, again.SensorRef, first.ID}); err != nil {
			return err
		}
	}
	s.say("delivered again to sensor %s as %s", again.SensorRef, again.ID)
	s.wake(ctx, again.SensorRef)
	return nil
}

// wake has a sensor poll at once. It would also do so without, a little later.
func (s *session) wake(ctx context.Context, ref string) {
	f, err := s.fleet(ctx)
	if err == nil {
		err = f.Wake(ctx, ref, activities.Brought{Pushed: true})
	}
	if err != nil {
		s.say("the sensor could not be woken, and will take it with its next poll: %v", err)
	}
}
