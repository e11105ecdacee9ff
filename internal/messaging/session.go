package messaging

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"go.uber.org/zap"
)

// supervise keeps a session going until the publisher is closed: open ends when it takes no more, life when it must end.
func (p *Publisher) supervise(life, open context.Context) {
	defer close(p.done)
	defer p.status.set(errClosed)
	log := p.cfg.Logger.With(zap.String("broker", p.broker.address), zap.String("exchange", p.cfg.Exchange))
	var wait backoff
	for {
		begun := time.Now()
		err := p.serve(life, open, log)
		if open.Err() != nil {
			return
		}
		p.status.set(err)
		delay := wait.next(time.Since(begun), rand.Float64())
		log.Warn("broker not available", zap.Error(err), zap.Duration("next_attempt", delay))
		select {
		case <-time.After(delay):
		case <-open.Done():
			return
		}
	}
}

// serve makes a connection and publishes over it until it ends, and returns why it ended. When it returns, nothing of the
// connection is left.
func (p *Publisher) serve(life, open context.Context, log *zap.Logger) error {
	var lanes []*lane
	connection, err := p.broker.dial(open, func(c *amqp.Connection) (err error) {
		lanes, err = p.prepare(c)
		return err
	})
	if err != nil {
		return err
	}
	log.Info("connected to the broker")
	p.status.set(nil)

	ctx, end := context.WithCancelCause(life)
	defer end(nil)
	connected := context.AfterFunc(ctx, connection.cut)
	blocked := connection.NotifyBlocked(make(chan amqp.Blocking, 1))
	closed := connection.NotifyClose(make(chan *amqp.Error, 1))
	var watching, running sync.WaitGroup
	watching.Go(func() { p.watchBlocked(blocked, log) })
	watching.Go(func() {
		if reason := <-closed; reason != nil {
			end(p.lost(reason))
		}
	})
	for _, l := range lanes {
		running.Go(func() {
			if err := l.run(ctx); err != nil {
				end(err)
			}
		})
	}
	running.Wait()
	if connected() {
		connection.hangUp()
	}
	watching.Wait()
	return context.Cause(ctx)
}

// prepare declares the topology and opens the lanes.
func (p *Publisher) prepare(c *amqp.Connection) ([]*lane, error) {
	channel, err := c.Channel()
	if err != nil {
		return nil, fmt.Errorf("opening a channel: %w", err)
	}
	if err := p.topology.declare(channel); err != nil {
		return nil, err
	}
	if err := channel.Close(); err != nil {
		return nil, fmt.Errorf("closing a channel: %w", err)
	}
	lanes := make([]*lane, p.cfg.Channels)
	for i := range lanes {
		if lanes[i], err = newLane(p, c); err != nil {
			return nil, err
		}
	}
	return lanes, nil
}

// watchBlocked follows the broker's word on whether it takes messages, until the connection ends.
func (p *Publisher) watchBlocked(blocked <-chan amqp.Blocking, log *zap.Logger) {
	for b := range blocked {
		if b.Active {
			log.Warn("broker takes no messages", zap.String("reason", b.Reason))
			p.status.set(fmt.Errorf("the broker at %s takes no messages until it has more memory or disk: %s",
				p.broker.address, b.Reason))
		} else {
			log.Info("broker takes messages again")
			p.status.set(nil)
		}
	}
}

// lost says that the connection ended, and why.
func (p *Publisher) lost(reason error) error {
	return fmt.Errorf("the connection to the broker at %s ended: %w", p.broker.address, reason)
}
