package messaging

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/attune-automation/sensors/internal/sensor"
)

func TestBrokerAway(t *testing.T) {
	t.Parallel()
	address := deadAddress(t)
	core, logs := observer.New(zap.DebugLevel)
	counted := &counter{outcomes: map[string]int{}}
	p, err := New(Config{URL: "amqp://somebody:hunter2@" + address, Logger: zap.New(core), Metrics: counted})
	require.NoError(t, err, "the broker may come later")

	err = p.Health(t.Context())
	require.ErrorContains(t, err, "connecting to the broker at "+address)
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	begun := time.Now()
	err = p.PublishEvents(ctx, events(1, 4))
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.ErrorContains(t, err, "connecting to the broker at "+address, "the caller learns what it waited for")
	require.Less(t, time.Since(begun), patience/2)
	require.Equal(t, 4, counted.of(OutcomeFailed))
	require.NoError(t, p.Close(t.Context()))
	for _, entry := range logs.All() {
		line := entry.Message
		for key, value := range entry.ContextMap() {
			line += " " + key + "=" + fmt.Sprint(value)
		}
		require.NotContains(t, line, "hunter2")
	}
	require.NotContains(t, err.Error(), "hunter2")
}

func TestWrongPassword(t *testing.T) {
	t.Parallel()
	b := setup(t)
	uri, err := amqp.ParseURI(b.cfg.URL)
	require.NoError(t, err)
	uri.Password = "wrong-" + uri.Password
	p, err := New(Config{URL: uri.String()})
	require.NoError(t, err)
	err = p.Health(t.Context())
	require.ErrorContains(t, err, "it ended the log-in: check user and password in message_queue.url")
	require.NotContains(t, err.Error(), uri.Password)
	require.NoError(t, p.Close(t.Context()))
}

func TestHealthComesBackByItself(t *testing.T) {
	t.Parallel()
	b := setup(t)
	proxy, url := startProxy(t, b.cfg.URL)
	b.cfg.URL = url
	p := b.start(t)
	require.NoError(t, p.Health(t.Context()), "it waits for the first attempt")
	proxy.cut()
	require.Eventually(t, func() bool { return proxy.connections() > 1 && p.Health(t.Context()) == nil },
		patience, time.Millisecond)
	require.NoError(t, p.PublishEvents(t.Context(), events(1, 1)))
}

// TestCutWhilePublishing cuts the connection again and again in the middle of publishing: every call that said nil has
// all its messages in the queue, every other said why, and repeating heals.
func TestCutWhilePublishing(t *testing.T) {
	t.Parallel()
	b := setup(t)
	proxy, url := startProxy(t, b.cfg.URL)
	b.cfg.URL = url
	p := b.start(t)
	want := map[string]bool{}
	failures := 0
	for round := range 5 {
		healthy(t, p)
		batch := events(1000*(round+1), 300)
		proxy.cutAfter(50_000 * (round%3 + 1))
		err := p.PublishEvents(t.Context(), batch)
		for attempt := 0; err != nil; attempt++ {
			require.Less(t, attempt, 20)
			require.ErrorContains(t, err, p.broker.address)
			failures++
			err = p.PublishEvents(t.Context(), batch)
		}
		for _, e := range batch {
			want[EventMessageID(e.ID, e.Created).String()] = true
		}
	}
	require.NotZero(t, failures)
	require.NotZero(t, b.counted.of(OutcomeFailed))
	require.Equal(t, want, b.distinct(t, b.cfg.EventsQueue, len(want)))
}

// TestLostConfirms has the broker take the messages and its answers vanish: that is no success.
func TestLostConfirms(t *testing.T) {
	t.Parallel()
	b := setup(t)
	proxy, url := startProxy(t, b.cfg.URL)
	b.cfg.URL = url
	b.cfg.ConfirmTimeout = 500 * time.Millisecond
	p := b.start(t)
	healthy(t, p)
	proxy.lose()
	err := p.PublishEvents(t.Context(), events(1, 5))
	require.ErrorContains(t, err, "has not confirmed a message within 500ms")
	require.ErrorContains(t, err, p.broker.address)
	require.Equal(t, 5, b.counted.of(OutcomeFailed))
	require.NotZero(t, proxy.bytesHeard())
	proxy.resume()
	require.Eventually(t, func() bool { // a call may still meet the connection that is being given up
		return p.PublishEvents(t.Context(), events(1, 5)) == nil
	}, 10*time.Second, 10*time.Millisecond)
	require.Equal(t, ids(1, 5), b.distinct(t, b.cfg.EventsQueue, 5), "the same IDs, so that consumers recognize them")
}

// TestStalled has the connection go silent while a large call is written: its caller and the others leave when their
// contexts end although the write hangs, nobody is told that it was published, and the publisher makes a new connection.
func TestStalled(t *testing.T) {
	t.Parallel()
	for _, channels := range []int{1, 4} {
		t.Run(fmt.Sprintf("channels=%d", channels), func(t *testing.T) {
			t.Parallel()
			testStalled(t, channels)
		})
	}
}

func testStalled(t *testing.T, channels int) {
	b := setup(t)
	b.cfg.Channels = channels
	proxy, url := startProxy(t, b.cfg.URL)
	b.cfg.URL = url
	b.cfg.ConfirmTimeout = 4 * time.Second
	b.cfg.window = 100_000
	p := b.start(t)
	healthy(t, p)
	proxy.stall()
	stalled := time.Now()
	large := events(1, 100)
	for i := range large {
		// Together more than the buffers of both sockets hold.
		large[i].Payload = []byte(`"` + strings.Repeat("x", 64<<10) + `"`)
	}
	var running sync.WaitGroup
	for _, batch := range [][]sensor.Event{large, events(1000, 1), events(2000, 1), events(3000, 1), events(4000, 1), events(5000, 1)} {
		running.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
			defer cancel()
			begun := time.Now()
			if err := p.PublishEvents(ctx, batch); err == nil {
				t.Error("published over a dead connection")
			}
			if took := time.Since(begun); took > patience/2 {
				t.Errorf("left after %s", took)
			}
		})
	}
	running.Wait()
	require.Zero(t, b.counted.of(OutcomeConfirmed))
	require.Eventually(t, func() bool { return p.PublishEvents(t.Context(), events(6000, 3)) == nil }, patience, time.Millisecond)
	require.Equal(t, 2, proxy.connections())
	require.Less(t, time.Since(stalled), 3*b.cfg.ConfirmTimeout, "it did not wait for the heartbeats to fail")
}

// TestBlocked has the broker say that it takes no messages, as it does when memory or disk run out, while one caller's
// messages are under way: that caller and others wait, as long as they want, and the connection is kept.
func TestBlocked(t *testing.T) {
	t.Parallel()
	b := setup(t)
	proxy, url := startProxy(t, b.cfg.URL)
	b.cfg.URL = url
	b.cfg.ConfirmTimeout = 3 * time.Second
	p := b.start(t)
	healthy(t, p)
	begun := time.Now()
	proxy.ignore()
	underWay := make(chan error, 1)
	go func() { underWay <- p.PublishEvents(t.Context(), events(1, 2)) }()
	require.Eventually(t, func() bool { return proxy.bytesHeard() > 0 }, patience, time.Millisecond)
	proxy.block(t)
	require.Eventually(t, func() bool { return p.Health(t.Context()) != nil }, patience, time.Millisecond)
	const want = " takes no messages until it has more memory or disk: low on memory"
	require.EqualError(t, p.Health(t.Context()), "the broker at "+p.broker.address+want)

	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	err := p.PublishEvents(ctx, events(3, 2))
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.ErrorContains(t, err, want)

	waiting := make(chan error, 1)
	go func() { waiting <- p.PublishEvents(t.Context(), events(5, 2)) }()
	require.Never(t, func() bool { return len(waiting)+len(underWay) > 0 },
		time.Until(begun.Add(b.cfg.ConfirmTimeout*3/2)), 50*time.Millisecond)
	proxy.unblock(t)
	require.NoError(t, <-underWay)
	require.NoError(t, <-waiting)
	require.NoError(t, p.Health(t.Context()))
	require.Equal(t, 1, proxy.connections())
	require.Len(t, b.distinct(t, b.cfg.EventsQueue, 4), 4)
}

// TestCloseOverDeadConnection closes while the network is silent: Close keeps to its deadline.
func TestCloseOverDeadConnection(t *testing.T) {
	t.Parallel()
	b := setup(t)
	proxy, url := startProxy(t, b.cfg.URL)
	b.cfg.URL = url
	p, err := New(b.cfg)
	require.NoError(t, err)
	healthy(t, p)
	proxy.stall()
	answered := make(chan error, 1)
	go func() { answered <- p.PublishEvents(t.Context(), events(1, 10)) }()
	require.Eventually(t, func() bool { return proxy.bytesHeard() > 0 }, patience, time.Millisecond)
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	require.ErrorIs(t, p.Close(ctx), context.DeadlineExceeded)
	require.Error(t, <-answered)
	require.ErrorIs(t, p.PublishEvents(t.Context(), events(1, 1)), errClosed)
}

func TestForeignExchange(t *testing.T) {
	t.Parallel()
	b := setup(t)
	require.NoError(t, b.admin.ExchangeDeclare(b.cfg.Exchange, "fanout", true, false, false, false, nil))
	p := b.start(t)
	err := p.Health(t.Context())
	require.ErrorContains(t, err, `exchange "`+b.cfg.Exchange+`" exists but is not a durable topic exchange: delete it, `+
		`or choose another name in message_queue.exchange`)
	require.ErrorContains(t, err, "PRECONDITION_FAILED")
	require.NoError(t, b.admin.ExchangeDelete(b.cfg.Exchange, false, false))
	healthy(t, p)
}

func TestForeignQueue(t *testing.T) {
	t.Parallel()
	b := setup(t)
	_, err := b.admin.QueueDeclare(b.cfg.EnforcementsQueue, true, false, false, false, nil)
	require.NoError(t, err)
	p := b.start(t)
	require.ErrorContains(t, p.Health(t.Context()), `queue "`+b.cfg.EnforcementsQueue+`" exists but is not a durable quorum `+
		`queue: delete it, or choose another name in message_queue.enforcements_queue`)
	_, err = b.admin.QueueDelete(b.cfg.EnforcementsQueue, false, false, false)
	require.NoError(t, err)
	healthy(t, p)
}

// TestNothingLeaks counts goroutines, so it runs alone.
func TestNothingLeaks(t *testing.T) {
	b := setup(t)
	proxy, url := startProxy(t, b.cfg.URL)
	b.cfg.URL = url
	b.cfg.ConfirmTimeout = 300 * time.Millisecond
	before := runtime.NumGoroutine()
	for range 3 {
		p, err := New(b.cfg)
		require.NoError(t, err)
		healthy(t, p)
		require.NoError(t, p.PublishEvents(t.Context(), events(1, 10)))
		proxy.stall()
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		require.Error(t, p.PublishEvents(ctx, events(1, 10)))
		cancel()
		proxy.resume()
		proxy.cut()
		require.Eventually(t, func() bool { return p.PublishEvents(t.Context(), events(1, 10)) == nil }, patience, time.Millisecond)
		require.NoError(t, p.Close(t.Context()))
	}
	proxy.cut()
	// The condition has a goroutine of its own.
	require.Eventually(t, func() bool { return runtime.NumGoroutine() <= before+1 }, patience, 10*time.Millisecond,
		"goroutines are left")
}
