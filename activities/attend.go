package activities

import (
	"context"
	"runtime"
	"slices"
	"time"

	"github.com/attune-automation/sensors/internal/sensor"
)

const (
	// arrivalPause is how long a sensor is left alone before a poll while more comes for it. What comes meanwhile is one batch
	// and not many, each of which costs a dozen round trips and two commits, however small.
	arrivalPause = 15 * time.Millisecond
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
	a := &attendance{Poller: p, ref: ref}
	res, err := a.attendUntil(ctx, ear, time.Now().Add(shortDrain))
	res = a.finish(res)
	if ear.end() && err == nil {
		res.Again = true // who rang has told nobody else, whatever the workflow has to do first
	}
	return res, err
}

// attendance is one call of attend. Several batches are in hand at once when many wait, each step of one behind the same step
// of the one before, so that the database, the broker and the worker all have something to do. While more comes, a processor
// is left to who accepts it: what has been accepted is safe and can wait, its senders cannot.
type attendance struct {
	*Poller
	ref    string
	done   Tally
	works  []*work            // in hand, in order
	failed []sensor.BatchHead // could not be worked off, in order
}

// maxWorks is how many batches of a sensor may be in hand at once.
const maxWorks = 3

// worksBeside is how many of them while more comes.
func worksBeside() int { return min(maxWorks, max(1, runtime.GOMAXPROCS(0)-1)) }

func (a *attendance) attendUntil(ctx context.Context, ear *listener, deadline time.Time) (PollResult, error) {
	for idle := 0; ; {
		most := maxWorks
		if ear.heard() {
			most = worksBeside()
			a.settle(most - 1)
			pause(ctx, arrivalPause)
			ear.answer()
		}
		res, _, err := a.poll(ctx, a.ref, a)
		brought := len(res.heads) > 0
		if err == nil {
			a.workOff(ctx, &res, most)
		} else if a.busy() {
			return PollResult{Again: true}, nil // the next poll meets the failure
		}
		if idle++; brought {
			idle = 0
		}
		switch {
		case err != nil || res.rests() || len(a.failed) > 0 || !(res.Again || res.linger):
			return res, err
		case time.Now().After(deadline):
			res.Again = res.Again || brought
			return res, nil
		case res.Again:
		case !a.busy() || idle >= lingerPolls:
			return res, nil
		default:
			ear.wait(ctx, lingerPause)
		}
	}
}

// pause returns after so long, or when the context ends.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// busy says whether anything has been worked off so far, or is about to be.
func (a *attendance) busy() bool { return a.done != (Tally{}) || len(a.works) > 0 }

// worksOn says whether the batch is in hand, and so keeps no poll waiting.
func (a *attendance) worksOn(head sensor.BatchHead) bool {
	return a != nil && slices.ContainsFunc(a.works, func(w *work) bool { return w.head.ID == head.ID })
}

// workOff begins to work off the batches of a poll, so many at most at once. Once one has failed, those that are not begun
// stay in the result.
func (a *attendance) workOff(ctx context.Context, res *PollResult, most int) {
	for a.settle(most - 1); len(res.heads) > 0 && len(a.failed) == 0; a.settle(most - 1) {
		w := newWork(res.heads[0])
		var before *work
		if n := len(a.works); n > 0 {
			before = a.works[n-1]
		}
		go w.do(ctx, a.Drainer, before)
		a.works = append(a.works, w)
		*res = res.with(res.heads[1:])
	}
}

// settle takes in what has ended, and waits until no more than so many batches are in hand.
func (a *attendance) settle(most int) {
	for len(a.works) > 0 && (len(a.works) > most || a.works[0].hasEnded()) {
		w := a.works[0]
		<-w.ended
		a.works = a.works[1:]
		if w.unpublished != nil || w.unmatched != nil {
			a.failed = append(a.failed, w.head)
			continue
		}
		a.done.add(w.tally())
	}
}

// finish adds what was done to the result, and what could not be done, which the workflow does, where the failure shows.
func (a *attendance) finish(res PollResult) PollResult {
	a.settle(0)
	res.Tally = a.done
	if len(a.failed) > 0 {
		res = res.with(slices.Concat(a.failed, res.heads))
	}
	return res
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
