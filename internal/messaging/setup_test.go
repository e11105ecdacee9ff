package messaging

import (
	"context"
	"encoding/json"
	"net"
	"net/url"
	"sync"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap/zaptest"

	"github.com/attune-automation/sensors/internal/sensor"
	"github.com/attune-automation/sensors/internal/testenv"
)

// patience is how long tests wait for what must happen.
const patience = 30 * time.Second

// bundle is an exchange and queues of the test's own on the real broker.
type bundle struct {
	cfg     Config
	counted *counter
	admin   *amqp.Channel
}

// setup returns a configuration whose exchange and queues go with the test.
func setup(t testing.TB) *bundle {
	t.Helper()
	b := &bundle{counted: &counter{outcomes: map[string]int{}}}
	b.cfg = Config{
		URL:               testenv.BrokerURL(t),
		Exchange:          testenv.Name(t, "test.exchange"),
		EventsQueue:       testenv.Name(t, "test.events"),
		EnforcementsQueue: testenv.Name(t, "test.enforcements"),
		DeclareQueues:     true,
		ConfirmTimeout:    10 * time.Second,
		Logger:            zaptest.NewLogger(t),
		Metrics:           b.counted,
	}
	b.admin = channel(t, b.cfg.URL)
	cfg := b.cfg
	t.Cleanup(func() {
		c := channel(t, cfg.URL)
		for _, q := range []string{cfg.EventsQueue, cfg.EnforcementsQueue} {
			_, err := c.QueueDelete(q, false, false, false)
			require.NoError(t, err)
		}
		require.NoError(t, c.ExchangeDelete(cfg.Exchange, false, false))
	})
	return b
}

// start returns a publisher that is closed with the test.
func (b *bundle) start(t testing.TB) *Publisher {
	t.Helper()
	p, err := New(b.cfg)
	require.NoError(t, err)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		require.NoError(t, p.Close(ctx))
	})
	return p
}

// healthy waits until the publisher can publish.
func healthy(t testing.TB, p *Publisher) {
	t.Helper()
	require.Eventually(t, func() bool { return p.Health(t.Context()) == nil }, patience, 10*time.Millisecond)
}

// messages takes n messages from a queue, in order.
func (b *bundle) messages(t testing.TB, queue string, n int) []amqp.Delivery {
	t.Helper()
	c := channel(t, b.cfg.URL)
	deliveries, err := c.Consume(queue, "", true, false, false, false, nil)
	require.NoError(t, err)
	got := make([]amqp.Delivery, 0, n)
	for late := time.After(patience); len(got) < n; {
		select {
		case d, ok := <-deliveries:
			require.True(t, ok, "the queue is gone")
			got = append(got, d)
		case <-late:
			require.FailNowf(t, "messages missing", "%d of %d came", len(got), n)
		}
	}
	return got
}

// channel opens a connection of the test's own to the broker.
func channel(t testing.TB, url string) *amqp.Channel {
	t.Helper()
	connection, err := amqp.Dial(url)
	require.NoError(t, err)
	t.Cleanup(func() { _ = connection.Close() })
	c, err := connection.Channel()
	require.NoError(t, err)
	return c
}

// through returns the URL with another host and port.
func through(t testing.TB, raw, address string) string {
	t.Helper()
	u, err := url.Parse(raw)
	require.NoError(t, err)
	u.Host = address
	return u.String()
}

// deadAddress returns a loopback address on which nobody listens.
func deadAddress(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, l.Close())
	return l.Addr().String()
}

// events returns n events with ids from first.
func events(first, n int) []sensor.Event {
	trigger, source := int64(3), int64(5)
	list := make([]sensor.Event, n)
	for i := range list {
		list[i] = sensor.Event{
			ID:         int64(first + i),
			TriggerID:  &trigger,
			TriggerRef: "examples.commit",
			SensorID:   &source,
			SensorRef:  "examples.git_log",
			Config:     json.RawMessage(`{"trigger": {"ref": "examples.commit", "label": "Commit"}, "sensor": null}`),
			Payload:    json.RawMessage(`{"hash": "2f1c9ab", "subject": "a < b && c > d", "insertions": 9007199254740993, "ratio": 1.50}`),
			Created:    time.Date(2026, 3, 14, 15, 9, 26, 535897000, time.UTC),
		}
	}
	return list
}

func enforcements(first, n int) []sensor.Enforcement {
	list := make([]sensor.Enforcement, n)
	for i, e := range events(first, n) {
		list[i] = sensor.Enforcement{
			ID:           e.ID,
			RuleID:       8,
			RuleRef:      "examples.big_commit",
			EventID:      e.ID,
			EventCreated: e.Created,
			TriggerRef:   e.TriggerRef,
			Payload:      e.Payload,
			Created:      e.Created.Add(time.Second),
		}
	}
	return list
}

// counter is a Metrics that remembers.
type counter struct {
	mu       sync.Mutex
	outcomes map[string]int
}

func (c *counter) Published(outcome string, n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.outcomes[outcome] += n
}

func (c *counter) of(outcome string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.outcomes[outcome]
}

// distinct takes messages from a queue until it has n different message IDs.
func (b *bundle) distinct(t testing.TB, queue string, n int) map[string]bool {
	t.Helper()
	deliveries, err := channel(t, testenv.BrokerURL(t)).Consume(queue, "", true, false, false, false, nil)
	require.NoError(t, err)
	got := map[string]bool{}
	for late := time.After(patience); len(got) < n; {
		select {
		case d := <-deliveries:
			got[d.MessageId] = true
		case <-late:
			require.FailNowf(t, "messages missing", "%d of %d came", len(got), n)
		}
	}
	return got
}

// ids returns the message IDs of events(first, n).
func ids(first, n int) map[string]bool {
	set := map[string]bool{}
	for _, e := range events(first, n) {
		set[EventMessageID(e.ID, e.Created).String()] = true
	}
	return set
}
