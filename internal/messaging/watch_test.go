package messaging

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"
)

// watching is a Watch that runs beside the test.
type watching struct {
	bound      chan struct{}
	deliveries chan Delivery
	result     chan error
	stop       context.CancelFunc
}

func startWatch(t *testing.T, b *bundle, keys ...string) *watching {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	w := &watching{
		bound:      make(chan struct{}, 100),
		deliveries: make(chan Delivery, 2000),
		result:     make(chan error, 1),
		stop:       stop,
	}
	cfg := WatchConfig{
		URL:      b.cfg.URL,
		Exchange: b.cfg.Exchange,
		Logger:   b.cfg.Logger,
		Bound:    func() { w.bound <- struct{}{} },
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		w.result <- Watch(ctx, cfg, keys, func(d Delivery) error {
			w.deliveries <- d
			return nil
		})
	}()
	t.Cleanup(func() {
		stop()
		<-ended
	})
	return w
}

func receive[T any](t *testing.T, from <-chan T) T {
	t.Helper()
	select {
	case v := <-from:
		return v
	case <-time.After(patience):
		require.FailNow(t, "nothing came")
		panic("unreachable")
	}
}

func TestWatchReadsAlong(t *testing.T) {
	t.Parallel()
	b := setup(t)
	w := startWatch(t, b, "enforcement.#", KeyEventCreated)
	receive(t, w.bound)
	p := b.start(t)
	require.NoError(t, p.PublishEvents(t.Context(), events(1, 600)))
	require.NoError(t, p.PublishEnforcements(t.Context(), enforcements(1, 1)))
	for _, e := range events(1, 600) {
		d := receive(t, w.deliveries)
		require.NoError(t, d.Err)
		require.Equal(t, KeyEventCreated, d.RoutingKey)
		require.Equal(t, EventMessageID(e.ID, e.Created), d.Message.MessageID)
		require.Equal(t, d.Message.MessageID.String(), d.MessageID)
		require.Contains(t, string(d.Body), d.MessageID)
	}
	require.Equal(t, TypeEnforcementCreated, receive(t, w.deliveries).Message.MessageType)
	require.Len(t, b.messages(t, b.cfg.EventsQueue, 600), 600, "nothing is taken from the queues")
	w.stop()
	require.NoError(t, receive(t, w.result))
}

func TestWatchKeys(t *testing.T) {
	t.Parallel()
	b := setup(t)
	only, all := startWatch(t, b, "enforcement.#"), startWatch(t, b)
	receive(t, only.bound)
	receive(t, all.bound)
	p := b.start(t)
	require.NoError(t, p.PublishEvents(t.Context(), events(1, 1)))
	require.NoError(t, p.PublishEnforcements(t.Context(), enforcements(1, 1)))
	require.Equal(t, KeyEnforcementCreated, receive(t, only.deliveries).RoutingKey)
	require.Equal(t, KeyEventCreated, receive(t, all.deliveries).RoutingKey)
	require.Equal(t, KeyEnforcementCreated, receive(t, all.deliveries).RoutingKey)
}

func TestWatchTellsOfWhatIsNoEnvelope(t *testing.T) {
	t.Parallel()
	b := setup(t)
	w := startWatch(t, b)
	receive(t, w.bound)
	require.NoError(t, b.admin.Publish(b.cfg.Exchange, "x.y", false, false, amqp.Publishing{MessageId: "7", Body: []byte("hello")}))
	d := receive(t, w.deliveries)
	require.ErrorContains(t, d.Err, "decoding envelope")
	require.Equal(t, Delivery{RoutingKey: "x.y", MessageID: "7", Body: []byte("hello"), Err: d.Err}, d)
}

func TestWatchReturnsTheHandlersError(t *testing.T) {
	t.Parallel()
	b := setup(t)
	enough := errors.New("enough")
	var handled atomic.Int32
	p := b.start(t)
	healthy(t, p)
	cfg := WatchConfig{URL: b.cfg.URL, Exchange: b.cfg.Exchange, Bound: func() {
		if err := p.PublishEvents(t.Context(), events(1, 10)); err != nil {
			t.Error(err)
		}
	}}
	err := Watch(t.Context(), cfg, nil, func(Delivery) error {
		if handled.Add(1) == 3 {
			return enough
		}
		return nil
	})
	require.Equal(t, enough, err)
	require.EqualValues(t, 3, handled.Load())
}

func TestWatchComesBack(t *testing.T) {
	t.Parallel()
	b := setup(t)
	direct := b.cfg.URL
	proxy, url := startProxy(t, direct)
	b.cfg.URL = url
	w := startWatch(t, b)
	receive(t, w.bound)
	b.cfg.URL = direct
	p := b.start(t)
	require.NoError(t, p.PublishEvents(t.Context(), events(1, 1)))
	require.EqualValues(t, EventMessageID(1, events(1, 1)[0].Created), receive(t, w.deliveries).Message.MessageID)
	proxy.cut()
	receive(t, w.bound)
	require.NoError(t, p.PublishEvents(t.Context(), events(2, 1)))
	require.EqualValues(t, EventMessageID(2, events(2, 1)[0].Created), receive(t, w.deliveries).Message.MessageID)
}

func TestWatchWithoutBroker(t *testing.T) {
	t.Parallel()
	address := deadAddress(t)
	err := Watch(t.Context(), WatchConfig{URL: "amqp://u:hunter2@" + address}, nil, nil)
	require.ErrorContains(t, err, "connecting to the broker at "+address)
	require.NotContains(t, err.Error(), "hunter2")
	err = Watch(t.Context(), WatchConfig{URL: "hunter2"}, nil, nil)
	require.ErrorContains(t, err, "message_queue.url is not an AMQP URL")
	require.NotContains(t, err.Error(), "hunter2")
}
