package ops

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"go.opentelemetry.io/otel/attribute"
	otelprometheus "go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/metric"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/contrib/opentelemetry"
)

// Metrics are the figures of this process, kept on a registry of their own.
type Metrics struct {
	registry *prometheus.Registry
	provider *sdkmetric.MeterProvider
	meter    metric.Meter

	steps        metric.Float64Histogram
	events       metric.Int64Counter
	enforcements metric.Int64Counter
	failed       metric.Int64Counter
	ruleErrors   metric.Int64Counter
	overruns     metric.Int64Counter
	rejected     metric.Int64Counter
	suppressed   metric.Int64Counter
	held         metric.Int64Counter
	runs         metric.Int64Counter
	published    metric.Int64Counter
	webhooks     webhookMetrics
	deliveryWait metric.Float64Histogram
}

// NewMetrics returns the metrics of a process: ours, those of Go and of the process.
func NewMetrics() (*Metrics, error) {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	exporter, err := otelprometheus.New(
		otelprometheus.WithRegisterer(registry), otelprometheus.WithoutScopeInfo(), otelprometheus.WithoutTargetInfo())
	if err != nil {
		return nil, fmt.Errorf("exporting metrics to Prometheus: %w", err)
	}
	provider := sdkmetric.NewMeterProvider(sdkmetric.WithReader(exporter), sdkmetric.WithView(durations()))
	m := &Metrics{registry: registry, provider: provider, meter: provider.Meter("attune")}
	if err := m.createInstruments(); err != nil {
		return nil, fmt.Errorf("creating metrics: %w", err)
	}
	return m, nil
}

// durations gives every duration, Temporal's too, buckets from 1 ms to 300 s.
func durations() sdkmetric.View {
	return sdkmetric.NewView(
		sdkmetric.Instrument{Kind: sdkmetric.InstrumentKindHistogram, Unit: "s"},
		sdkmetric.Stream{Aggregation: sdkmetric.AggregationExplicitBucketHistogram{
			Boundaries: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 120, 300},
		}},
	)
}

func (m *Metrics) createInstruments() error {
	var errs [12]error
	m.steps, errs[0] = m.meter.Float64Histogram("attune_step_duration", metric.WithUnit("s"),
		metric.WithDescription("Duration of the steps of a sensor's cycle."))
	m.events, errs[1] = m.meter.Int64Counter("attune_events",
		metric.WithDescription("Events written."))
	m.enforcements, errs[2] = m.meter.Int64Counter("attune_enforcements",
		metric.WithDescription("Enforcements written."))
	m.rejected, errs[3] = m.meter.Int64Counter("attune_rejected_payloads",
		metric.WithDescription("Payloads that could not become events."))
	m.published, errs[4] = m.meter.Int64Counter("attune_published_messages",
		metric.WithDescription("Messages handed to the broker, by what came of them."))
	m.suppressed, errs[5] = m.meter.Int64Counter("attune_suppressed_payloads",
		metric.WithDescription("Payloads that were dropped because their key was there already, by the first trigger of their sensor."))
	m.runs, errs[6] = m.meter.Int64Counter("attune_sensor_runs",
		metric.WithDescription("Runs of sensors' code, in a process of an earlier poll (warm) or a new one (cold)."))
	m.deliveryWait, errs[7] = m.meter.Float64Histogram("attune_delivery_wait", metric.WithUnit("s"),
		metric.WithDescription("How long what webhooks accepted waited for a poll."))
	m.failed, errs[8] = m.meter.Int64Counter("attune_failed_enforcements",
		metric.WithDescription("Enforcements written without parameters, because these could not be rendered."))
	m.overruns, errs[9] = m.meter.Int64Counter("attune_rule_overruns",
		metric.WithDescription("Evaluations of rules that took longer, or cost more, than they may, by the part that took most of it."))
	m.held, errs[10] = m.meter.Int64Counter("attune_held_matches",
		metric.WithDescription("Matches that the throttle of their rule held back, by what they came to."))
	m.ruleErrors, errs[11] = m.meter.Int64Counter("attune_rule_errors",
		metric.WithDescription("Evaluations of rules whose expression had no result for the event, which does not match then."))
	return errors.Join(append(errs[:], m.createWebhookInstruments())...)
}

// Registry holds all metrics, for /metrics.
func (m *Metrics) Registry() *prometheus.Registry { return m.registry }

// TemporalHandler returns what makes Temporal's SDK keep its own metrics here.
func (m *Metrics) TemporalHandler() client.MetricsHandler {
	return opentelemetry.NewMetricsHandler(opentelemetry.MetricsHandlerOptions{
		Meter:                m.provider.Meter("temporal-sdk-go"),
		UseMonotonicCounters: true,
		OnError:              func(error) {}, // a metric is not worth a panic
	})
}

// Step records one run of a step: poll, stream, generate, match or close. Outcomes are ok, empty, sensor_error and error.
func (m *Metrics) Step(step, outcome string, d time.Duration) {
	m.steps.Record(context.Background(), d.Seconds(),
		metric.WithAttributes(attribute.String("step", step), attribute.String("outcome", outcome)))
}

// Events counts n event rows of a trigger.
func (m *Metrics) Events(trigger string, n int) { count(m.events, "trigger", trigger, n) }

// Enforcements counts n enforcement rows of a trigger.
func (m *Metrics) Enforcements(trigger string, n int) { count(m.enforcements, "trigger", trigger, n) }

// Failed counts n enforcement rows of a trigger whose parameters could not be rendered.
func (m *Metrics) Failed(trigger string, n int) { count(m.failed, "trigger", trigger, n) }

// RuleErrors counts n evaluations of a trigger's rules whose expression had no result.
func (m *Metrics) RuleErrors(trigger string, n int) { count(m.ruleErrors, "trigger", trigger, n) }

// Overrun counts an evaluation of a trigger's rule that took or cost more than it may, by the part that took most of it.
func (m *Metrics) Overrun(trigger, part string) {
	m.overruns.Add(context.Background(), 1,
		metric.WithAttributes(attribute.String("trigger", trigger), attribute.String("part", part)))
}

// Rejected counts n payloads of a trigger that could not become events.
func (m *Metrics) Rejected(trigger string, n int) { count(m.rejected, "trigger", trigger, n) }

// Suppressed counts n payloads that were dropped because their key was there already, by their sensor's first trigger.
func (m *Metrics) Suppressed(trigger string, n int) { count(m.suppressed, "trigger", trigger, n) }

// Held counts n matches of a trigger's events that the throttle of their rule held back, by the state that they came to.
func (m *Metrics) Held(trigger, state string, n int) {
	m.held.Add(context.Background(), int64(n),
		metric.WithAttributes(attribute.String("trigger", trigger), attribute.String("state", state)))
}

// Run counts one run of a sensor's code, by its runtime and whether the process was there already.
func (m *Metrics) Run(runtime string, warm bool) {
	process := "cold"
	if warm {
		process = "warm"
	}
	m.runs.Add(context.Background(), 1,
		metric.WithAttributes(attribute.String("runtime", runtime), attribute.String("process", process)))
}

// Published counts n messages by what came of them, such as confirmed or failed.
func (m *Metrics) Published(outcome string, n int) { count(m.published, "outcome", outcome, n) }

func count(c metric.Int64Counter, label, value string, n int) {
	c.Add(context.Background(), int64(n), metric.WithAttributes(attribute.String(label, value)))
}

// ObserveSensors makes attune_sensors show how many sensors are in each state, as counts returns it.
func (m *Metrics) ObserveSensors(counts func(context.Context) (map[string]int64, error)) error {
	c := &census{label: "state", count: counts}
	_, err := m.meter.Int64ObservableGauge("attune_sensors",
		metric.WithDescription("Sensors by state."), metric.WithInt64Callback(c.observe))
	if err != nil {
		return fmt.Errorf("creating metric attune_sensors: %w", err)
	}
	return nil
}

// ObserveTrippedRules makes attune_tripped_rules show how many rules are tripped, as counts returns it by trigger.
func (m *Metrics) ObserveTrippedRules(counts func(context.Context) (map[string]int64, error)) error {
	c := &census{label: "trigger", count: counts}
	_, err := m.meter.Int64ObservableGauge("attune_tripped_rules",
		metric.WithDescription("Rules that are not evaluated because that took too long, or cost too much."), metric.WithInt64Callback(c.observe))
	if err != nil {
		return fmt.Errorf("creating metric attune_tripped_rules: %w", err)
	}
	return nil
}

// ObservePolls makes attune_polls_running and attune_poll_places show how many polls run, and how many may.
func (m *Metrics) ObservePolls(running func() int, most int) error {
	return errors.Join(
		m.observe("attune_polls_running", "Polls that run, and streams.", running),
		m.observe("attune_poll_places", "Polls that may run at once.", func() int { return most }),
	)
}

// ObserveWarmProcesses makes attune_warm_processes show how many processes stay up between polls.
func (m *Metrics) ObserveWarmProcesses(n func() int) error {
	return m.observe("attune_warm_processes", "Processes that stay up between polls.", n)
}

func (m *Metrics) observe(name, about string, value func() int) error {
	_, err := m.meter.Int64ObservableGauge(name, metric.WithDescription(about),
		metric.WithInt64Callback(func(_ context.Context, o metric.Int64Observer) error {
			o.Observe(int64(value()))
			return nil
		}))
	if err != nil {
		return fmt.Errorf("creating metric %s: %w", name, err)
	}
	return nil
}
