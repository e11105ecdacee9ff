package receiver_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/attune-automation/sensors/internal/receiver"
	"github.com/attune-automation/sensors/internal/sensor"
)

// wait is how long a test waits for what must come to be, on a loaded machine.
const wait = 20 * time.Second

// bundle is a receiver that listens, with all that it depends on.
type bundle struct {
	*receiver.Receiver
	url     string
	inbox   *inbox
	catalog *catalog
	secrets *secrets
	metrics *metrics
	waker   *waker
	logs    *observer.ObservedLogs
}

// setup starts a receiver of sensors, after change has had its way with the config.
func setup(t *testing.T, change func(*receiver.Config), sensors ...sensor.Sensor) *bundle {
	t.Helper()
	b := &bundle{inbox: newInbox(), catalog: &catalog{}, secrets: &secrets{values: map[string]string{"A": "open sesame", "B": "sesame, open"}}, metrics: newMetrics(), waker: &waker{}}
	b.catalog.set(sensors...)
	core, logs := observer.New(zapcore.DebugLevel)
	b.logs = logs
	config := receiver.Config{
		Address: "127.0.0.1:0", BasePath: "/webhooks", MaxBody: 64 << 10, MaxHeader: 16 << 10, MaxRequests: 100,
		HeaderTimeout: wait, ReadTimeout: wait, AcceptTimeout: wait,
		RouteInterval: 10 * time.Millisecond, SecretInterval: 10 * time.Millisecond,
		Inbox: b.inbox, Waker: b.waker, Catalog: b.catalog, Secrets: b.secrets, Metrics: b.metrics, Logger: zap.New(core),
	}
	if change != nil {
		change(&config)
	}
	scheme := "http://"
	if config.CertificateFile != "" {
		scheme = "https://"
	}
	var err error
	b.Receiver, err = receiver.New(config)
	require.NoError(t, err)
	address, err := b.Start()
	require.NoError(t, err)
	b.url = scheme + address + config.BasePath + "/"
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), wait)
		defer cancel()
		require.NoError(t, b.Shutdown(ctx))
	})
	if !b.catalog.away() {
		require.Eventually(t, func() bool { return b.Ready(t.Context()) == nil }, wait, time.Millisecond)
	}
	return b
}

// hook is a webhook sensor with a config.
func hook(ref, config string) sensor.Sensor {
	return sensor.Sensor{ID: int64(len(ref)), Ref: ref, Runtime: sensor.RuntimeWebhook, Enabled: true, Version: 1, Config: json.RawMessage(config)}
}

// reply is what a sender gets.
type reply struct {
	status int
	header http.Header
	body   string
}

// post sends a request with headers, given as names and values.
func (b *bundle) post(t *testing.T, path, body string, header ...string) reply {
	t.Helper()
	return b.send(t, http.MethodPost, path, body, header...)
}

func (b *bundle) send(t *testing.T, method, path, body string, header ...string) reply {
	t.Helper()
	got, err := b.try(t.Context(), http.DefaultClient, method, path, body, header...)
	require.NoError(t, err)
	return got
}

func (b *bundle) try(ctx context.Context, client *http.Client, method, path, body string, header ...string) (reply, error) {
	r, err := http.NewRequestWithContext(ctx, method, b.url+path, strings.NewReader(body))
	if err != nil {
		return reply{}, err
	}
	r.Header.Set("Content-Type", "application/json")
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	answer, err := client.Do(r)
	if err != nil {
		return reply{}, err
	}
	defer func() { _ = answer.Body.Close() }()
	text, err := io.ReadAll(answer.Body)
	return reply{answer.StatusCode, answer.Header, string(text)}, err
}

// id returns the ID in an answer.
func (r reply) id(t *testing.T) string {
	t.Helper()
	require.Equal(t, http.StatusAccepted, r.status, r.body)
	var body struct {
		ID string `json:"delivery_id"`
	}
	require.NoError(t, json.Unmarshal([]byte(r.body), &body))
	return body.ID
}

// inbox keeps deliveries in memory.
type inbox struct {
	mu         sync.Mutex
	deliveries []sensor.Delivery
	first      map[string]string // ID, by sensor and key
	fail       error
	gate       chan struct{} // when not nil, nothing is accepted before it is closed
	entered    chan struct{} // gets one for each that waits at the gate
}

func newInbox() *inbox { return &inbox{first: map[string]string{}, entered: make(chan struct{}, 1000)} }

func (in *inbox) Accept(ctx context.Context, d sensor.Delivery) (string, bool, error) {
	in.mu.Lock()
	gate, fail := in.gate, in.fail
	in.mu.Unlock()
	if gate != nil {
		in.entered <- struct{}{}
		select {
		case <-gate:
		case <-ctx.Done():
			return "", false, ctx.Err()
		}
	}
	if fail != nil {
		return "", false, fail
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	if id, seen := in.first[d.SensorRef+" "+d.Key]; seen && d.Key != "" {
		return id, true, nil
	}
	in.first[d.SensorRef+" "+d.Key] = d.ID
	in.deliveries = append(in.deliveries, d)
	return d.ID, false, nil
}

func (in *inbox) set(fail error, gate chan struct{}) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.fail, in.gate = fail, gate
}

func (in *inbox) all() []sensor.Delivery {
	in.mu.Lock()
	defer in.mu.Unlock()
	return append([]sensor.Delivery{}, in.deliveries...)
}

// payload decodes the payload of the last delivery.
func (in *inbox) payload(t *testing.T) map[string]any {
	t.Helper()
	all := in.all()
	require.NotEmpty(t, all)
	var payload map[string]any
	require.NoError(t, json.Unmarshal(all[len(all)-1].Payload, &payload))
	return payload
}

// catalog is a list of sensors that changes.
type catalog struct {
	mu      sync.Mutex
	sensors []sensor.Sensor
	down    bool
}

func (c *catalog) Webhooks(context.Context) ([]sensor.Sensor, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.down {
		return nil, errors.New("the database is away")
	}
	return c.sensors, nil
}

func (c *catalog) set(sensors ...sensor.Sensor) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sensors, c.down = sensors, sensors == nil
}

func (c *catalog) away() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.down
}

// secrets change, too.
type secrets struct {
	mu     sync.Mutex
	values map[string]string
}

func (s *secrets) Lookup(name string) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if value, ok := s.values[name]; ok {
		return value, nil
	}
	return "", fmt.Errorf("there is no secret %q", name)
}

func (s *secrets) set(name, value string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.values[name] = value
	if value == "" {
		delete(s.values, name)
	}
}

// metrics count by name.
type metrics struct {
	mu     sync.Mutex
	counts map[string]int
}

func newMetrics() *metrics { return &metrics{counts: map[string]int{}} }

func (m *metrics) count(name string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.counts[name]++
}

func (m *metrics) get(name string) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.counts[name]
}

func (m *metrics) WebhookRequest(status int, _ time.Duration) { m.count(fmt.Sprint("status ", status)) }
func (m *metrics) WebhookDelivery(ref string, duplicate bool) {
	m.count(fmt.Sprint("delivery ", ref, " ", duplicate))
}
func (m *metrics) WebhookRefused(ref, reason string) { m.count("refused " + ref + " " + reason) }
func (m *metrics) WebhookCertificate(outcome string) { m.count("certificate " + outcome) }

// waker notes who was woken.
type waker struct {
	mu   sync.Mutex
	refs []string
}

func (w *waker) Wake(ref string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.refs = append(w.refs, ref)
}

func (w *waker) woken() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]string{}, w.refs...)
}
