// Package intake stores what webhooks accept: requests that come at the same time share one statement and one commit,
// and each learns its own outcome. While a commit is under way the next ones gather, so that a batch is as large as the
// database is slow, and a request that comes alone waits for nobody.
package intake

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/attune-automation/sensors/internal/sensor"
)

// ErrUnavailable: the delivery is not stored, or it is not known whether it is; the sender should send it again.
var ErrUnavailable = errors.New("deliveries cannot be stored now")

// Store is where deliveries are kept.
type Store interface {
	// InsertDeliveries stores deliveries in one transaction and says what became of each. When it fails, none is stored
	// as far as is known.
	InsertDeliveries(ctx context.Context, deliveries []sensor.Delivery) ([]sensor.Receipt, error)
}

// Config says how to store deliveries. Zero values are the defaults.
type Config struct {
	Store    Store
	Commits  int           // that may be under way at once; 0: 2
	MaxBatch int           // most deliveries that one commit stores; 0: 500
	MaxBytes int           // most bytes of payloads that one commit stores, unless it is a single one; 0: 4 MiB
	Queue    int           // deliveries that may wait for a commit; 0: 4,096
	Timeout  time.Duration // longest wait for a place in the queue, and again for a commit; 0: 5 s
}

func (c Config) withDefaults() Config {
	c.Commits = cmp.Or(c.Commits, 2)
	c.MaxBatch = cmp.Or(c.MaxBatch, 500)
	c.MaxBytes = cmp.Or(c.MaxBytes, 4<<20)
	c.Queue = cmp.Or(c.Queue, 4096)
	c.Timeout = cmp.Or(c.Timeout, 5*time.Second)
	return c
}

func (c Config) validate() error {
	switch {
	case c.Store == nil:
		return errors.New("intake: Store is missing")
	case c.Commits < 0:
		return fmt.Errorf("intake: Commits is %d: use at least 1", c.Commits)
	case c.MaxBatch < 0:
		return fmt.Errorf("intake: MaxBatch is %d: use at least 1", c.MaxBatch)
	case c.MaxBytes < 0:
		return fmt.Errorf("intake: MaxBytes is %d: use at least 1", c.MaxBytes)
	case c.Queue < 0:
		return fmt.Errorf("intake: Queue is %d: use at least 1", c.Queue)
	case c.Timeout < 0:
		return fmt.Errorf("intake: Timeout is %s: use a positive duration", c.Timeout)
	}
	return nil
}

// Intake stores deliveries by group commit. It is safe for concurrent use.
type Intake struct {
	cfg    Config
	queue  chan *waiting
	closed chan struct{}
	close  func()
	done   sync.WaitGroup
}

// waiting is a delivery whose sender waits for an answer.
type waiting struct {
	ctx      context.Context
	delivery sensor.Delivery
	answer   chan sensor.Receipt // has room for the one answer
}

// New returns an intake that works until it is closed.
func New(cfg Config) (*Intake, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	in := &Intake{cfg: cfg, queue: make(chan *waiting, cfg.Queue), closed: make(chan struct{})}
	in.close = sync.OnceFunc(func() { close(in.closed) })
	for range cfg.Commits {
		in.done.Go(in.work)
	}
	return in, nil
}

// Close takes no more deliveries, waits for the commits that are under way, and refuses what still waits.
func (in *Intake) Close() {
	in.close()
	in.done.Wait()
}

// Waiting returns how many deliveries wait for a commit that has not begun.
func (in *Intake) Waiting() int { return len(in.queue) }

// Accept stores a delivery and returns its ID once that is committed. A delivery whose key the sensor has seen before is
// not stored again: the ID is that of the first one.
//
// The error is ErrUnavailable when the database or the intake is too busy or away, or ctx ended: then the delivery may be
// stored nevertheless. Any other error is about the delivery itself.
func (in *Intake) Accept(ctx context.Context, d sensor.Delivery) (id string, duplicate bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, 2*in.cfg.Timeout)
	defer cancel()
	w := &waiting{ctx: ctx, delivery: d, answer: make(chan sensor.Receipt, 1)}
	if err := in.enter(ctx, w); err != nil {
		return "", false, err
	}
	select {
	case r := <-w.answer:
		return r.ID, r.Duplicate, r.Err
	case <-ctx.Done():
		return "", false, fmt.Errorf("%w: no commit in time: %w", ErrUnavailable, ctx.Err())
	case <-in.closed:
	}
	in.done.Wait() // what was under way is answered by now
	select {
	case r := <-w.answer:
		return r.ID, r.Duplicate, r.Err
	default:
		return "", false, fmt.Errorf("%w: the worker is stopping", ErrUnavailable)
	}
}

// enter takes a place in the queue.
func (in *Intake) enter(ctx context.Context, w *waiting) error {
	select {
	case <-in.closed:
		return fmt.Errorf("%w: the worker is stopping", ErrUnavailable)
	default:
	}
	select {
	case in.queue <- w:
		return nil
	default:
	}
	patience := time.NewTimer(in.cfg.Timeout)
	defer patience.Stop()
	select {
	case in.queue <- w:
		return nil
	case <-patience.C:
		return fmt.Errorf("%w: %d deliveries wait for the database already", ErrUnavailable, in.cfg.Queue)
	case <-ctx.Done():
		return fmt.Errorf("%w: %w", ErrUnavailable, ctx.Err())
	case <-in.closed:
		return fmt.Errorf("%w: the worker is stopping", ErrUnavailable)
	}
}

// work commits one batch after the other.
func (in *Intake) work() {
	for {
		select {
		case first := <-in.queue:
			if batch := in.gather(first); len(batch) > 0 {
				in.commit(batch)
			}
		case <-in.closed:
			return
		}
	}
}

// gather returns the deliveries that wait, the given one first, up to the limits of a batch. It leaves out those whose
// senders wait no longer.
func (in *Intake) gather(next *waiting) (batch []*waiting) {
	size := 0
	for {
		if next.ctx.Err() == nil {
			batch, size = append(batch, next), size+len(next.delivery.Payload)
		}
		if len(batch) == in.cfg.MaxBatch || size >= in.cfg.MaxBytes {
			return batch
		}
		select {
		case next = <-in.queue:
		default:
			return batch
		}
	}
}

func (in *Intake) commit(batch []*waiting) {
	ctx, cancel := context.WithTimeout(context.Background(), in.cfg.Timeout)
	defer cancel()
	deliveries := make([]sensor.Delivery, len(batch))
	for i, w := range batch {
		deliveries[i] = w.delivery
	}
	receipts, err := in.cfg.Store.InsertDeliveries(ctx, deliveries)
	for i, w := range batch {
		if err != nil {
			w.answer <- sensor.Receipt{Err: fmt.Errorf("%w: %w", ErrUnavailable, err)}
			continue
		}
		w.answer <- receipts[i]
	}
}
