package activities

import (
	"context"

	"github.com/attune-automation/sensors/internal/sensor"
)

// stream runs the code of a stream until it ends, or the worker begins to stop: another one takes it over at once.
func (p *Poller) stream(ctx context.Context, turn sensor.Turn, res PollResult) (PollResult, error) {
	ctx, cancel := untilWorkerStops(ctx, 0)
	defer cancel()
	following := p.Streams.follow(ctx, turn.Sensor)
	defer following.stop()
	res, err := p.run(ctx, &taking{Poller: p, turn: turn, took: following.took}, res)
	return res, handedBack(ctx, err)
}
