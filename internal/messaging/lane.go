package messaging

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

var errAbandoned = errors.New("the caller no longer waits")

// lane publishes over one channel, which only its goroutine uses. It takes one job after the other and sends on while
// earlier messages wait for their confirms, up to the window: so callers that publish little at the same time share the
// broker's round trips, and the messages of one job stay in order.
type lane struct {
	p        *Publisher
	channel  *amqp.Channel
	closed   <-chan *amqp.Error
	returns  <-chan amqp.Return
	returned map[string]int // message IDs that came back and whose confirm is still to come
	job      *job           // being sent
	flights  []flight       // sent and not answered, oldest first
	overdue  *time.Timer    // runs while there are flights
}

// flight is a message that the broker has not answered yet.
type flight struct {
	job     *job
	message message
	confirm *amqp.DeferredConfirmation
}

func newLane(p *Publisher, c *amqp.Connection) (*lane, error) {
	channel, err := c.Channel()
	if err != nil {
		return nil, fmt.Errorf("opening a channel: %w", err)
	}
	if err := channel.Confirm(false); err != nil {
		return nil, fmt.Errorf("asking for confirms: %w", err)
	}
	overdue := time.NewTimer(0)
	overdue.Stop()
	return &lane{
		p:       p,
		channel: channel,
		closed:  channel.NotifyClose(make(chan *amqp.Error, 1)),
		// Never more returns than flights: with room for all, the connection never waits for this lane.
		returns:  channel.NotifyReturn(make(chan amqp.Return, p.cfg.window)),
		returned: map[string]int{},
		overdue:  overdue,
	}, nil
}

// run publishes until the channel or ctx ends, and returns why; nil: the publisher is closing and nothing is in hand.
// Whatever is unanswered then has failed.
func (l *lane) run(ctx context.Context) (err error) {
	defer func() { l.fail(err) }()
	for err == nil {
		changed, unavailable := l.p.status.get()
		if l.job != nil && len(l.flights) < l.p.cfg.window && unavailable == nil {
			err = l.send()
			continue
		}
		var jobs <-chan *job
		if l.job == nil && unavailable == nil {
			jobs = l.p.jobs
		}
		var closing <-chan struct{}
		if l.job == nil && len(l.flights) == 0 {
			closing = l.p.closing
		}
		select {
		case l.job = <-jobs:
		case <-l.oldest():
			err = l.settle()
		case <-l.overdue.C:
			err = l.late(unavailable)
		case <-changed:
			// The broker that was blocked a moment ago deserves the whole time again.
			l.allow()
		case reason := <-l.closed:
			err = l.p.lost(cmp.Or(reason, amqp.ErrClosed))
		case <-ctx.Done():
			err = context.Cause(ctx)
		case <-closing:
			return nil
		}
	}
	return err
}

// send publishes the next message of the job in hand.
func (l *lane) send() error {
	j := l.job
	select {
	case <-j.abandoned:
		l.drop(errAbandoned)
		return nil
	default:
	}
	m := j.messages[j.sent]
	confirm, err := l.channel.PublishWithDeferredConfirm(l.p.cfg.Exchange, m.key, true, false, m.publishing)
	if err != nil {
		return l.p.lost(l.reason(err))
	}
	l.flights = append(l.flights, flight{job: j, message: m, confirm: confirm})
	if len(l.flights) == 1 {
		l.allow()
	}
	if j.sent++; j.sent == len(j.messages) {
		l.job = nil
	}
	return nil
}

// oldest returns a channel that is closed once the broker has answered the message that waits longest; nil: none waits.
func (l *lane) oldest() <-chan struct{} {
	if len(l.flights) == 0 {
		return nil
	}
	return l.flights[0].confirm.Done()
}

// settle records the outcome of the messages that the broker has answered, in the order in which they were sent.
func (l *lane) settle() error {
	defer l.allow()
	repaired := false
	for len(l.flights) > 0 {
		f := l.flights[0]
		select {
		case <-f.confirm.Done():
		default:
			return nil
		}
		if !f.confirm.Acked() && l.channel.IsClosed() {
			return l.p.lost(l.reason(amqp.ErrClosed))
		}
		outcome, err := l.outcome(f)
		// Somebody deleted a queue of ours or its binding. It is there again before the caller hears of it and repeats.
		if outcome == OutcomeReturned && l.p.topology.feeds(f.message.key) && !repaired {
			if err := l.p.topology.declare(l.channel); err != nil {
				return err
			}
			repaired = true
		}
		l.flights = l.flights[1:]
		l.p.cfg.Metrics.Published(outcome, 1)
		f.job.settle(1, err)
	}
	return nil
}

// allow gives the broker the whole time to answer, from now on.
func (l *lane) allow() {
	if len(l.flights) > 0 {
		l.overdue.Reset(l.p.cfg.ConfirmTimeout)
	} else {
		l.overdue.Stop()
	}
}

// outcome says what became of a message that the broker has answered.
func (l *lane) outcome(f flight) (string, error) {
	// The broker sends a message that no queue takes back before it confirms it.
	for len(l.returns) > 0 {
		r := <-l.returns
		l.returned[r.MessageId]++
	}
	id := f.message.publishing.MessageId
	switch {
	case l.returned[id] > 0:
		if l.returned[id]--; l.returned[id] == 0 {
			delete(l.returned, id)
		}
		return OutcomeReturned, fmt.Errorf("no queue is bound for %q: set message_queue.declare_queues or bind one",
			f.message.key)
	case !f.confirm.Acked():
		return OutcomeNacked, fmt.Errorf("the broker at %s refused %q: look at the limits and the health of its queues",
			l.p.broker.address, f.message.key)
	}
	return OutcomeConfirmed, nil
}

// late gives the connection up when the broker has answered nothing for too long, unless it said that it takes nothing.
func (l *lane) late(unavailable error) error {
	if unavailable != nil {
		l.allow()
		return nil
	}
	return fmt.Errorf("the broker at %s has not confirmed a message within %s", l.p.broker.address, l.p.cfg.ConfirmTimeout)
}

// fail settles all that is unanswered.
func (l *lane) fail(err error) {
	l.overdue.Stop()
	for _, f := range l.flights {
		l.p.cfg.Metrics.Published(OutcomeFailed, 1)
		f.job.settle(1, err)
	}
	l.flights = nil
	l.drop(err)
}

// drop gives up what has not been sent of the job in hand.
func (l *lane) drop(err error) {
	if l.job == nil {
		return
	}
	rest := len(l.job.messages) - l.job.sent
	l.p.cfg.Metrics.Published(OutcomeFailed, rest)
	l.job.settle(rest, err)
	l.job = nil
}

// reason returns why the channel closed, or err if the library does not say.
func (l *lane) reason(err error) error {
	select {
	// The library marks the channel closed a moment before it says why.
	case reason := <-l.closed:
		return cmp.Or(reason, amqp.ErrClosed)
	case <-time.After(time.Second):
		return err
	}
}
