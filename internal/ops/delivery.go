package ops

import (
	"context"
	"fmt"
	"time"

	"go.opentelemetry.io/otel/metric"
)

// DeliveryWaited records how long what a webhook accepted waited for a poll of its sensor.
func (m *Metrics) DeliveryWaited(waited time.Duration) {
	m.deliveryWait.Record(context.Background(), waited.Seconds())
}

// ObserveDeliveries makes attune_pending_deliveries show how many deliveries wait for a poll, as counts returns it by
// sensor.
func (m *Metrics) ObserveDeliveries(counts func(context.Context) (map[string]int64, error)) error {
	c := &census{label: "sensor", count: counts}
	_, err := m.meter.Int64ObservableGauge("attune_pending_deliveries",
		metric.WithDescription("What webhooks accepted and no poll has taken, by sensor."), metric.WithInt64Callback(c.observe))
	if err != nil {
		return fmt.Errorf("creating metric attune_pending_deliveries: %w", err)
	}
	return nil
}
