package webhook

import (
	"context"
	"errors"
	"time"

	"github.com/attune-automation/sensors/internal/sensor"
)

// Deliveries are what webhooks accepted and no batch has yet.
type Deliveries interface {
	// PendingDeliveries returns deliveries of a sensor in the order of their arrival, at most as many as a batch holds;
	// more says that there are others.
	PendingDeliveries(ctx context.Context, sensorRef string) (pending []sensor.Delivery, more bool, err error)
}

// Metrics counts what polls find.
type Metrics interface {
	// DeliveryWaited records how long a delivery waited for a poll.
	DeliveryWaited(waited time.Duration)
}

// RunnerConfig says what a Runner works with.
type RunnerConfig struct {
	Deliveries Deliveries
	Secrets    Secrets
	Catalog    Catalog
	Metrics    Metrics
}

// Runner polls webhooks: what a poll brings is what the receiver has stored.
type Runner struct {
	deliveries Deliveries
	secrets    Secrets
	conflicts  *Conflicts
	metrics    Metrics
}

// NewRunner returns a Runner.
func NewRunner(cfg RunnerConfig) (*Runner, error) {
	if cfg.Deliveries == nil || cfg.Secrets == nil || cfg.Catalog == nil || cfg.Metrics == nil {
		return nil, errors.New("webhook: Deliveries, Secrets, Catalog and Metrics are needed")
	}
	return &Runner{
		deliveries: cfg.Deliveries, secrets: cfg.Secrets, conflicts: NewConflicts(cfg.Catalog), metrics: cfg.Metrics,
	}, nil
}

// Poll takes what was delivered, as much as a batch holds. When nothing is left it says, by a *sensor.Fault, what keeps the
// receiver from serving the webhook: what was accepted before that becomes events nevertheless.
func (r *Runner) Poll(ctx context.Context, req sensor.PollRequest) (sensor.Poll, error) {
	pending, more, err := r.deliveries.PendingDeliveries(ctx, req.Sensor.Ref)
	if err != nil {
		return sensor.Poll{}, err
	}
	if len(pending) > 0 {
		if err := req.Take(ctx, newPart(pending)); err != nil {
			return sensor.Poll{}, err
		}
		for i := range pending {
			r.metrics.DeliveryWaited(time.Since(pending[i].ReceivedAt))
		}
	}
	if more {
		return sensor.Poll{More: true}, nil
	}
	if _, err := Open(req.Sensor.Config, r.secrets); err != nil {
		return sensor.Poll{}, err
	}
	return sensor.Poll{Linger: true}, r.conflicts.Check(ctx, req.Sensor.Ref)
}

func newPart(pending []sensor.Delivery) sensor.Part {
	part := sensor.Part{
		Items: make([]sensor.Item, len(pending)), Deliveries: make([]string, len(pending)),
	}
	for i, d := range pending {
		part.Items[i].Payload, part.Deliveries[i] = d.Payload, d.ID
	}
	return part
}
