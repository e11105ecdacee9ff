package workflows

import (
	"fmt"

	"go.temporal.io/sdk/workflow"

	"github.com/attune-automation/sensors/activities"
)

// work turns what a poll brought into events and enforcements: its first batch in steps that people can follow, and
// what is stored besides in one go.
func (l *loop) work(ctx workflow.Context, polled activities.PollResult) error {
	if polled.Batches > 0 { // worked off by the poll itself
		l.heavy = polled.Enforcements > heavyBatch*polled.Batches
		l.credit(ctx, polled.Tally)
	}
	if polled.BatchID != 0 {
		if err := l.digest(ctx, polled.BatchID); err != nil {
			return err
		}
	}
	if polled.More || l.spec.Stream {
		return l.drain(ctx)
	}
	return nil
}

// digest turns a batch into events and enforcements. It is not interrupted by a stop.
func (l *loop) digest(ctx workflow.Context, batchID int64) error {
	ctx, cancel := workflow.NewDisconnectedContext(ctx)
	defer cancel()
	done, err := process(ctx, batchID, l.heavy)
	if err != nil {
		return err
	}
	l.heavy = done.Enforcements > heavyBatch
	l.credit(ctx, activities.Tally{
		Batches: 1, Events: done.Events, Enforcements: done.Enforcements, Rejected: done.Rejected,
	})
	return nil
}

// drain works off all batches that are stored, without running the sensor's code. It is not interrupted by a stop.
func (l *loop) drain(ctx workflow.Context) error {
	ctx, cancel := workflow.NewDisconnectedContext(ctx)
	defer cancel()
	for more := true; more; {
		l.carry.Stored = false
		in := activities.DrainInput{SensorRef: l.ref, Last: l.stopping != ""}
		var done activities.Drained
		err := step(ctx, l.heavy, "work off what is stored", drainer.Drain, &done, in)
		if err != nil {
			return fmt.Errorf("working off what %q has stored: %w", l.ref, err)
		}
		l.credit(ctx, done.Tally)
		l.heavy = done.More
		more = done.More
	}
	return nil
}

// sweep takes the turn and drains.
func (l *loop) sweep(ctx workflow.Context) error {
	if err := l.turn.Lock(ctx); err != nil {
		return err
	}
	defer l.turn.Unlock()
	return l.drain(ctx)
}

// credit counts what was worked off.
func (l *loop) credit(ctx workflow.Context, t activities.Tally) {
	l.last.add(t)
	p := &l.carry.Progress
	if t.Events+t.Rejected > 0 {
		p.LastEvents = workflow.Now(ctx)
	}
	p.Batches += int64(t.Batches)
	p.Events += int64(t.Events)
	p.Enforcements += int64(t.Enforcements)
	p.Rejected += int64(t.Rejected)
}
