package messaging

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"go.uber.org/zap"
)

const (
	// watchAhead is how many messages may wait for the handler in this process; the others wait on the broker.
	watchAhead = 256
	// watchStall is how long the broker may leave an acknowledgement unread.
	watchStall = 5 * time.Second
)

// WatchConfig is what Watch needs to know. URL is required.
type WatchConfig struct {
	URL      string      // amqp:// or amqps://, never shown
	Exchange string      // DefaultExchange if empty
	AppID    string      // how the connection is called in the broker's management UI; DefaultAppID if empty
	Bound    func()      // called each time that the queue is in place: what is published from then on is seen
	Logger   *zap.Logger // none if nil
}

// Delivery is one message as it came from the broker.
type Delivery struct {
	RoutingKey string
	MessageID  string  // the AMQP property
	Body       []byte  // as sent
	Message    Message // Body decoded
	Err        error   // why Body is no envelope; Message is empty then
}

// Watch hands every message that is published with one of the routing keys, which may hold the wildcards * and #, to
// handle, one at a time; without keys every message. It reads from an exclusive queue of its own, which goes with it, and
// so takes nothing from any other consumer.
//
// It returns nil when ctx ends, handle's error when handle fails, and an error when the first connection fails. A
// connection that ends later is made anew for as long as it takes; what is published in between is not seen.
func Watch(ctx context.Context, cfg WatchConfig, keys []string, handle func(Delivery) error) error {
	w, err := newWatch(cfg, keys, handle)
	if err != nil {
		return err
	}
	var wait backoff
	for {
		begun := time.Now()
		final, err := w.serve(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if final || !w.wasBound {
			return err
		}
		delay := wait.next(time.Since(begun), rand.Float64())
		w.log.Warn("watching interrupted", zap.Error(err), zap.Duration("next_attempt", delay))
		select {
		case <-time.After(delay):
		case <-ctx.Done():
			return nil
		}
	}
}

type watch struct {
	broker   broker
	exchange string
	keys     []string
	handle   func(Delivery) error
	bound    func()
	wasBound bool
	log      *zap.Logger
}

func newWatch(cfg WatchConfig, keys []string, handle func(Delivery) error) (*watch, error) {
	b, err := newBroker(cfg.URL, cmp.Or(cfg.AppID, DefaultAppID), watchStall)
	if err != nil {
		return nil, err
	}
	w := &watch{
		broker:   b,
		exchange: cmp.Or(cfg.Exchange, DefaultExchange),
		keys:     keys,
		handle:   handle,
		bound:    cfg.Bound,
		log:      cfg.Logger,
	}
	if len(keys) == 0 {
		w.keys = []string{"#"}
	}
	if w.bound == nil {
		w.bound = func() {}
	}
	if w.log == nil {
		w.log = zap.NewNop()
	}
	return w, nil
}

// serve watches over one connection until it ends or ctx does. final says that the error is the handler's.
func (w *watch) serve(ctx context.Context) (final bool, err error) {
	var deliveries <-chan amqp.Delivery
	var closed chan *amqp.Error
	connection, err := w.broker.dial(ctx, func(c *amqp.Connection) (err error) {
		closed = c.NotifyClose(make(chan *amqp.Error, 1))
		deliveries, err = w.consume(c)
		return err
	})
	if err != nil {
		return false, err
	}
	defer connection.hangUp()
	w.wasBound = true
	w.bound()
	for {
		select {
		case d, ok := <-deliveries:
			if !ok {
				// Without a reason, the connection is there but the queue was deleted.
				reason := amqp.ErrClosed
				select {
				case reason = <-closed:
				default:
				}
				return false, fmt.Errorf("the queue on the broker at %s is gone: %w", w.broker.address, reason)
			}
			if err := w.handle(newDelivery(d)); err != nil {
				return true, err
			}
			if err := d.Ack(false); err != nil {
				return false, fmt.Errorf("acknowledging a message to the broker at %s: %w", w.broker.address, err)
			}
		case <-ctx.Done():
			return false, ctx.Err()
		}
	}
}

// consume binds a new queue of this connection's own, and starts to read from it.
func (w *watch) consume(c *amqp.Connection) (<-chan amqp.Delivery, error) {
	channel, err := c.Channel()
	if err != nil {
		return nil, fmt.Errorf("opening a channel: %w", err)
	}
	if err := declareExchange(channel, w.exchange); err != nil {
		return nil, err
	}
	queue, err := channel.QueueDeclare("", false, true, true, false, nil)
	if err != nil {
		return nil, fmt.Errorf("declaring a queue: %w", err)
	}
	for _, key := range w.keys {
		if err := channel.QueueBind(queue.Name, key, w.exchange, false, nil); err != nil {
			return nil, fmt.Errorf("binding a queue to exchange %q with %q: %w", w.exchange, key, err)
		}
	}
	if err := channel.Qos(watchAhead, 0, false); err != nil {
		return nil, fmt.Errorf("limiting what is sent ahead: %w", err)
	}
	deliveries, err := channel.Consume(queue.Name, "", false, true, false, false, nil)
	if err != nil {
		return nil, fmt.Errorf("reading from queue %q: %w", queue.Name, err)
	}
	return deliveries, nil
}

func newDelivery(d amqp.Delivery) Delivery {
	message, err := Decode(d.Body)
	return Delivery{RoutingKey: d.RoutingKey, MessageID: d.MessageId, Body: d.Body, Message: message, Err: err}
}
