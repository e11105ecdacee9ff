package ops

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// webhookMetrics are what the receiver of webhooks counts.
type webhookMetrics struct {
	requests     metric.Float64Histogram
	deliveries   metric.Int64Counter
	refused      metric.Int64Counter
	certificates metric.Int64Counter
}

func (m *Metrics) createWebhookInstruments() error {
	var errs [4]error
	m.webhooks.requests, errs[0] = m.meter.Float64Histogram("attune_webhook_request_duration", metric.WithUnit("s"),
		metric.WithDescription("Duration of requests to webhooks, from the last header to the answer, by the answer's status."))
	m.webhooks.deliveries, errs[1] = m.meter.Int64Counter("attune_webhook_deliveries",
		metric.WithDescription("Deliveries that were accepted, new ones and repetitions."))
	m.webhooks.refused, errs[2] = m.meter.Int64Counter("attune_webhook_refused",
		metric.WithDescription("Requests to webhooks that were refused, by the reason."))
	m.webhooks.certificates, errs[3] = m.meter.Int64Counter("attune_webhook_certificate_changes",
		metric.WithDescription("New certificates of webhooks that were loaded, or were no good."))
	return errors.Join(errs[:]...)
}

// WebhookRequest records one request to a webhook, by the status of its answer.
func (m *Metrics) WebhookRequest(status int, took time.Duration) {
	m.webhooks.requests.Record(context.Background(), took.Seconds(), metric.WithAttributes(attribute.String("status", strconv.Itoa(status))))
}

// WebhookDelivery counts one delivery that was accepted.
func (m *Metrics) WebhookDelivery(sensorRef string, duplicate bool) {
	outcome := "new"
	if duplicate {
		outcome = "duplicate"
	}
	m.webhooks.deliveries.Add(context.Background(), 1,
		metric.WithAttributes(attribute.String("sensor", sensorRef), attribute.String("outcome", outcome)))
}

// WebhookRefused counts one request that was refused; the sensor is empty if the request is for none.
func (m *Metrics) WebhookRefused(sensorRef, reason string) {
	m.webhooks.refused.Add(context.Background(), 1,
		metric.WithAttributes(attribute.String("sensor", sensorRef), attribute.String("reason", reason)))
}

// WebhookCertificate counts one change of the certificate: loaded, or failed.
func (m *Metrics) WebhookCertificate(outcome string) {
	count(m.webhooks.certificates, "outcome", outcome, 1)
}

// ObserveWebhooks makes attune_webhooks show how many webhooks are in each state, as states returns it.
func (m *Metrics) ObserveWebhooks(states func() map[string]int64) error {
	_, err := m.meter.Int64ObservableGauge("attune_webhooks",
		metric.WithDescription("Webhooks that this worker serves, or that refuse everything because something is wrong."),
		metric.WithInt64Callback(func(_ context.Context, o metric.Int64Observer) error {
			for state, n := range states() {
				o.Observe(n, metric.WithAttributes(attribute.String("state", state)))
			}
			return nil
		}))
	if err != nil {
		return fmt.Errorf("creating metric attune_webhooks: %w", err)
	}
	return nil
}
