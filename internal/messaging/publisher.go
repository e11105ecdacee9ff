package messaging

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"

	"github.com/attune-automation/sensors/internal/sensor"
)

// DefaultAppID is the AMQP app id and the source_service of messages unless configured otherwise.
const DefaultAppID = "attune-sensors"

// Outcomes of a message, as Metrics counts them.
const (
	OutcomeConfirmed = "confirmed" // the broker has stored it in every queue that it goes to
	OutcomeReturned  = "returned"  // no queue takes it
	OutcomeNacked    = "nacked"    // the broker refused it
	OutcomeFailed    = "failed"    // it was not sent, or the connection ended before the broker answered
)

// Metrics counts what becomes of messages.
type Metrics interface {
	// Published adds n messages with one of the outcomes above.
	Published(outcome string, n int)
}

// Config is what a Publisher needs to know. URL is required.
type Config struct {
	URL               string        // amqp:// or amqps://, never shown
	Exchange          string        // DefaultExchange if empty
	EventsQueue       string        // declared and bound to event.#; empty: not declared
	EnforcementsQueue string        // declared and bound to enforcement.#; empty: not declared
	DeclareQueues     bool          // false: neither queue is declared
	ConfirmTimeout    time.Duration // longest wait for an answer before the connection is given up; 10 s if 0
	Channels          int           // AMQP channels, each a lane of its own; 4 if 0
	AppID             string        // DefaultAppID if empty
	Logger            *zap.Logger   // none if nil
	Metrics           Metrics       // none if nil

	window int // messages of a channel that may wait for their confirms
}

func (c Config) withDefaults() Config {
	c.Exchange = cmp.Or(c.Exchange, DefaultExchange)
	c.ConfirmTimeout = cmp.Or(c.ConfirmTimeout, 10*time.Second)
	c.Channels = cmp.Or(c.Channels, 4)
	c.AppID = cmp.Or(c.AppID, DefaultAppID)
	c.window = cmp.Or(c.window, 256)
	if c.Logger == nil {
		c.Logger = zap.NewNop()
	}
	if c.Metrics == nil {
		c.Metrics = uncounted{}
	}
	return c
}

func (c Config) validate() error {
	for _, name := range []struct{ setting, value string }{
		{"message_queue.exchange", c.Exchange},
		{"message_queue.events_queue", c.EventsQueue},
		{"message_queue.enforcements_queue", c.EnforcementsQueue},
		{"the app id", c.AppID},
	} {
		if len(name.value) > 255 {
			return fmt.Errorf("%s has %d bytes: AMQP allows 255", name.setting, len(name.value))
		}
	}
	switch {
	case c.ConfirmTimeout < 0:
		return fmt.Errorf("message_queue.confirm_timeout is %s: give a positive duration, such as 10s", c.ConfirmTimeout)
	case c.Channels < 0 || c.Channels > 256:
		return fmt.Errorf("message_queue.channels is %d: give 1 to 256", c.Channels)
	case c.DeclareQueues && c.EventsQueue != "" && c.EventsQueue == c.EnforcementsQueue:
		return fmt.Errorf("message_queue.events_queue and message_queue.enforcements_queue are both %q: "+
			"give them different names", c.EventsQueue)
	}
	return nil
}

// Publisher publishes messages, and knows of each whether the broker has it. It keeps one connection, made anew for as
// long as it takes whenever it ends, with a few channels that share what many callers publish at once.
type Publisher struct {
	cfg      Config
	broker   broker
	topology topology
	status   *status
	jobs     chan *job
	closing  <-chan struct{}
	close    context.CancelFunc // takes no more, finishes what is in hand
	cut      context.CancelFunc // drops what is in hand
	done     chan struct{}      // closed when nothing of the publisher is left
}

// New returns a publisher and begins to connect. It does not wait for the broker, which may be away: see Health. The
// caller closes it.
func New(cfg Config) (*Publisher, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	b, err := newBroker(cfg.URL, cfg.AppID, cfg.ConfirmTimeout)
	if err != nil {
		return nil, err
	}
	life, cut := context.WithCancel(context.Background())
	open, closePublisher := context.WithCancel(life)
	p := &Publisher{
		cfg:      cfg,
		broker:   b,
		topology: newTopology(cfg),
		status:   newStatus(),
		jobs:     make(chan *job),
		closing:  open.Done(),
		close:    closePublisher,
		cut:      cut,
		done:     make(chan struct{}),
	}
	go p.supervise(life, open)
	return p, nil
}

// PublishEvents publishes EventCreated for each event, in order. It returns nil when the broker has stored every one of
// them in at least one queue. After an error some may have been published: publish all again, the message IDs stay the
// same. It waits for a broker that is away or takes no messages until ctx ends.
func (p *Publisher) PublishEvents(ctx context.Context, events []sensor.Event) error {
	messages := make([]message, len(events))
	for i, e := range events {
		var err error
		if messages[i], err = eventMessage(p.cfg.AppID, e); err != nil {
			return err
		}
	}
	return p.publish(ctx, messages)
}

// PublishEnforcements publishes EnforcementCreated for each enforcement, as PublishEvents does for events.
func (p *Publisher) PublishEnforcements(ctx context.Context, enforcements []sensor.Enforcement) error {
	messages := make([]message, len(enforcements))
	for i, e := range enforcements {
		var err error
		if messages[i], err = enforcementMessage(p.cfg.AppID, e); err != nil {
			return err
		}
	}
	return p.publish(ctx, messages)
}

// Health returns nil while messages can be published, otherwise why not, with the broker's host and port. It waits for
// the first attempt to connect until ctx ends.
func (p *Publisher) Health(ctx context.Context) error {
	for {
		changed, err := p.status.get()
		if !errors.Is(err, errConnecting) {
			return err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("connecting to the broker at %s: %w", p.broker.address, ctx.Err())
		}
	}
}

// Close takes no more messages, waits for the answers to those in hand until ctx ends, and ends the connection. Nothing
// of the publisher is left when it returns.
func (p *Publisher) Close(ctx context.Context) error {
	p.close()
	graceful := context.AfterFunc(ctx, p.cut)
	<-p.done
	if !graceful() {
		return fmt.Errorf("closing the publisher: %w", ctx.Err())
	}
	p.cut()
	return nil
}

// publish hands the messages to a lane and waits for its answer, but never longer than ctx lasts, whatever the lane does.
func (p *Publisher) publish(ctx context.Context, messages []message) error {
	if len(messages) == 0 {
		return nil
	}
	j := newJob(messages, ctx.Done())
	err := p.hand(ctx, j)
	if err == nil {
		select {
		case err = <-j.answer:
		case <-ctx.Done():
			err = p.gaveUp(ctx)
		}
	}
	if err != nil {
		return fmt.Errorf("publishing %d messages to exchange %q: %w", len(messages), p.cfg.Exchange, err)
	}
	return nil
}

// hand gives the job to the first lane that is free.
func (p *Publisher) hand(ctx context.Context, j *job) error {
	var err error
	select {
	case p.jobs <- j:
		return nil
	case <-ctx.Done():
		err = p.gaveUp(ctx)
	case <-p.closing:
		err = errClosed
	}
	p.cfg.Metrics.Published(OutcomeFailed, len(j.messages))
	return err
}

// gaveUp says what the caller was waiting for when ctx ended.
func (p *Publisher) gaveUp(ctx context.Context) error {
	if _, err := p.status.get(); err != nil {
		return fmt.Errorf("%w: %w", ctx.Err(), err)
	}
	return fmt.Errorf("%w: the broker at %s has not confirmed them yet", ctx.Err(), p.broker.address)
}

type uncounted struct{}

func (uncounted) Published(string, int) {}
