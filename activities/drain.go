package activities

import (
	"context"
	"time"

	"go.temporal.io/sdk/activity"

	"github.com/attune-automation/sensors/internal/sensor"
)

// DrainStore is what Drain needs of the store.
type DrainStore interface {
	// Pending returns the unfinished batches of a sensor, in order, even of one whose definition is gone.
	Pending(ctx context.Context, sensorRef string) ([]sensor.BatchHead, error)
	// BatchDeliveries makes a batch of what a webhook has accepted and no poll has taken, and returns how many it took.
	BatchDeliveries(ctx context.Context, sensorRef string) (int, error)
}

// Drainer works off what is stored, without running a sensor's code.
type Drainer struct {
	Store     DrainStore
	Generator *Generator
	Matcher   *Matcher
}

// DrainInput names a sensor.
type DrainInput struct {
	SensorRef string `json:"sensor_ref"`
	Last      bool   `json:"last,omitempty"` // nobody will poll the sensor: take what waits for a poll, too
}

// Tally counts what became of batches.
type Tally struct {
	Batches      int `json:"batches,omitempty"`
	Events       int `json:"events,omitempty"`
	Enforcements int `json:"enforcements,omitempty"`
	Rejected     int `json:"rejected,omitempty"` // payloads that could not become events
}

// Drained is what Drain did.
type Drained struct {
	Tally
	More bool `json:"more,omitempty"` // the time was over, or a batch failed after others had not: go on
}

// How long a call of Drain begins new batches: as a local activity, which must be done well within a workflow task, and
// as a regular one.
const (
	shortDrain = 2 * time.Second
	longDrain  = 10 * time.Minute
)

// Drain turns all unfinished batches of a sensor into events and enforcements, as GenerateEvents and MatchRules do. What
// it has done when a batch fails is not lost: it reports that, and the next call meets the failure.
func (d *Drainer) Drain(ctx context.Context, in DrainInput) (Drained, error) {
	defer heartbeat(ctx)()
	most := longDrain
	if activity.GetInfo(ctx).IsLocalActivity {
		most = shortDrain
	}
	done, err := d.drain(ctx, in, most)
	return done, translate(err)
}

func (d *Drainer) drain(ctx context.Context, in DrainInput, most time.Duration) (done Drained, err error) {
	deadline := time.Now().Add(most)
	for {
		pending, err := d.pending(ctx, in)
		if err != nil || len(pending) == 0 {
			return done.unless(err)
		}
		for _, head := range pending {
			if done.Batches > 0 && time.Now().After(deadline) {
				done.More = true
				return done, nil
			}
			if err := d.digest(ctx, head.ID, &done.Tally); err != nil {
				return done.unless(err)
			}
		}
	}
}

// pending returns the batches to work on.
func (d *Drainer) pending(ctx context.Context, in DrainInput) ([]sensor.BatchHead, error) {
	pending, err := d.Store.Pending(ctx, in.SensorRef)
	if err != nil || len(pending) > 0 || !in.Last {
		return pending, err
	}
	if taken, err := d.Store.BatchDeliveries(ctx, in.SensorRef); err != nil || taken == 0 {
		return nil, err
	}
	return d.Store.Pending(ctx, in.SensorRef)
}

// unless returns the failure of a call that had done nothing yet.
func (d Drained) unless(err error) (Drained, error) {
	if err == nil || d.Batches == 0 {
		return d, err
	}
	d.More = true
	return d, nil
}

func (d *Drainer) digest(ctx context.Context, batchID int64, t *Tally) error {
	generated, err := d.Generator.GenerateEvents(ctx, BatchInput{BatchID: batchID})
	if err != nil {
		return err
	}
	matched, err := d.Matcher.MatchRules(ctx, BatchInput{BatchID: batchID})
	if err != nil {
		return err
	}
	t.add(Tally{Batches: 1, Events: generated.Events, Enforcements: matched.Enforcements, Rejected: generated.Rejected})
	return nil
}

func (t *Tally) add(more Tally) {
	t.Batches += more.Batches
	t.Events += more.Events
	t.Enforcements += more.Enforcements
	t.Rejected += more.Rejected
}
