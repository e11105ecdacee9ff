package activities

import (
	"context"
	"time"

	"github.com/attune-automation/sensors/internal/sensor"
)

const (
	// lingerPause is how long a sensor is left alone at most after a poll that brought nothing, while it is attended.
	lingerPause = 25 * time.Millisecond
	// lingerPolls is how many polls in a row may bring nothing before it is attended no longer.
	lingerPolls = 4
)

// attend polls a sensor whose polls are short and works off what they bring, again and again while more comes, until a
// short time is over. So a steady stream of what is pushed costs the engine one marker in a while, and no signals: who
// pushes rings the bell. What cannot be worked off is left to the workflow.
func (p *Poller) attend(ctx context.Context, ref string) (PollResult, error) {
	ear := p.Bell.listen(ref)
	res, err := p.attendUntil(ctx, ref, ear, time.Now().Add(shortDrain))
	if ear.end() && err == nil && !res.rests() {
		res.Again = true // who rang has told nobody else
	}
	return res, err
}

func (p *Poller) attendUntil(ctx context.Context, ref string, ear *listener, deadline time.Time) (PollResult, error) {
	var done Tally
	for idle := 0; ; {
		res, _, err := p.poll(ctx, ref)
		brought := len(res.heads) > 0
		if err == nil {
			p.workOff(ctx, &res, &done)
		} else if done != (Tally{}) {
			return PollResult{Again: true, Tally: done}, nil // the next poll meets the failure
		}
		res.Tally = done
		if idle++; brought {
			idle = 0
		}
		switch {
		case err != nil || res.rests() || !(res.Again || res.linger):
			return res, err
		case time.Now().After(deadline):
			res.Again = res.Again || brought
			return res, nil
		case res.Again:
		case done.Batches == 0 || idle >= lingerPolls:
			return res, nil
		default:
			ear.wait(ctx, lingerPause)
		}
	}
}

// workOff turns the batches of a poll into events and enforcements. The first that fails, and all behind it, stay in the
// result.
func (p *Poller) workOff(ctx context.Context, res *PollResult, done *Tally) {
	for len(res.heads) > 0 {
		if err := p.Drainer.digest(ctx, res.heads[0].ID, done); err != nil {
			return // the workflow does the same, where the failure shows
		}
		*res = res.with(res.heads[1:])
	}
}

// rests says whether the workflow has something to do before the next poll.
func (r PollResult) rests() bool {
	return r.BatchID != 0 || r.Inactive != "" || r.Waiting != "" || r.Elsewhere
}

// with returns the result with these batches, in order, left to work on.
func (r PollResult) with(heads []sensor.BatchHead) PollResult {
	r.heads, r.BatchID, r.Count, r.More = heads, 0, 0, len(heads) > 1
	if len(heads) > 0 {
		r.BatchID, r.Count = heads[0].ID, heads[0].Count
	}
	return r
}
