package messaging

import (
	"errors"
	"fmt"

	amqp "github.com/rabbitmq/amqp091-go"
)

// Names of the exchange and of the queues unless configured otherwise.
const (
	DefaultExchange          = "attune.events"
	DefaultEventsQueue       = "attune.events.queue"
	DefaultEnforcementsQueue = "attune.enforcements.queue"
)

// topology is what has to exist on the broker: a durable topic exchange, and durable quorum queues bound to it so that
// every message has somewhere to go.
type topology struct {
	exchange string
	queues   []boundQueue
}

type boundQueue struct {
	name    string
	binding string
	key     string // the routing key of this package that the binding takes
	setting string // where the name comes from
}

func newTopology(cfg Config) topology {
	t := topology{exchange: cfg.Exchange}
	if !cfg.DeclareQueues {
		return t
	}
	for _, q := range []boundQueue{
		{cfg.EventsQueue, "event.#", KeyEventCreated, "message_queue.events_queue"},
		{cfg.EnforcementsQueue, "enforcement.#", KeyEnforcementCreated, "message_queue.enforcements_queue"},
	} {
		if q.name != "" {
			t.queues = append(t.queues, q)
		}
	}
	return t
}

// declare makes sure that all of it exists. Repeating it changes nothing. An error closes the channel.
func (t topology) declare(channel *amqp.Channel) error {
	if err := declareExchange(channel, t.exchange); err != nil {
		return err
	}
	for _, q := range t.queues {
		args := amqp.Table{amqp.QueueTypeArg: amqp.QueueTypeQuorum}
		if _, err := channel.QueueDeclare(q.name, true, false, false, false, args); err != nil {
			return explainDeclare(err, "queue", q.name, "a durable quorum queue", q.setting)
		}
		if err := channel.QueueBind(q.name, q.binding, t.exchange, false, nil); err != nil {
			return fmt.Errorf("binding queue %q to exchange %q with %q: %w", q.name, t.exchange, q.binding, err)
		}
	}
	return nil
}

// feeds says whether a queue of this topology takes messages with that routing key.
func (t topology) feeds(key string) bool {
	for _, q := range t.queues {
		if q.key == key {
			return true
		}
	}
	return false
}

func declareExchange(channel *amqp.Channel, name string) error {
	err := channel.ExchangeDeclare(name, amqp.ExchangeTopic, true, false, false, false, nil)
	return explainDeclare(err, "exchange", name, "a durable topic exchange", "message_queue.exchange")
}

// explainDeclare adds what to do about an exchange or queue that cannot be declared; nil stays nil.
func explainDeclare(err error, kind, name, want, setting string) error {
	var refused *amqp.Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &refused) && refused.Code == amqp.PreconditionFailed:
		return fmt.Errorf("%s %q exists but is not %s: delete it, or choose another name in %s: %w",
			kind, name, want, setting, err)
	case errors.As(err, &refused) && refused.Code == amqp.AccessRefused:
		return fmt.Errorf("the broker does not let the user of message_queue.url declare %s %q: "+
			"give that user the permission to configure it: %w", kind, name, err)
	}
	return fmt.Errorf("declaring %s %q: %w", kind, name, err)
}
