package activities

import (
	"context"
	"slices"
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
	a := &attendance{Poller: p, ref: ref}
	res, err := a.attendUntil(ctx, ear, time.Now().Add(shortDrain))
	res = a.finish(res)
	if ear.end() && err == nil && !res.rests() {
		res.Again = true // who rang has told nobody else
	}
	return res, err
}

// attendance is one call of attend. A batch is matched while the next poll and its events are under way: the broker keeps
// events and enforcements in queues of their own, and works on both at once.
type attendance struct {
	*Poller
	ref  string
	done Tally

	matching *matching          // nil: no batch is being matched
	failed   []sensor.BatchHead // could not be matched
}

// matching is a batch whose events are published, and that is being matched.
type matching struct {
	head      sensor.BatchHead
	generated GenerateResult
	matched   MatchResult
	err       error
	ended     chan struct{}
}

func (a *attendance) attendUntil(ctx context.Context, ear *listener, deadline time.Time) (PollResult, error) {
	for idle := 0; ; {
		res, _, err := a.poll(ctx, a.ref, a)
		brought := len(res.heads) > 0
		if err == nil {
			a.workOff(ctx, &res)
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

// busy says whether anything has been worked off so far, or is about to be.
func (a *attendance) busy() bool { return a.done != (Tally{}) || a.matching != nil }

// worksOn says whether the batch is being matched, and so keeps no poll waiting.
func (a *attendance) worksOn(head sensor.BatchHead) bool {
	return a != nil && a.matching != nil && a.matching.head.ID == head.ID
}

// workOff turns the batches of a poll into events, and each into enforcements while the next one is at it. The first that
// fails, and all behind it, stay in the result.
func (a *attendance) workOff(ctx context.Context, res *PollResult) {
	for len(res.heads) > 0 {
		head := res.heads[0]
		generated, err := a.Drainer.Generator.GenerateEvents(ctx, BatchInput{BatchID: head.ID})
		if a.settle(); err != nil || len(a.failed) > 0 {
			return // the workflow does the same, where the failure shows
		}
		a.match(ctx, head, generated)
		*res = res.with(res.heads[1:])
	}
}

func (a *attendance) match(ctx context.Context, head sensor.BatchHead, generated GenerateResult) {
	m := &matching{head: head, generated: generated, ended: make(chan struct{})}
	a.matching = m
	go func() {
		defer close(m.ended)
		m.matched, m.err = a.Drainer.Matcher.MatchRules(ctx, BatchInput{BatchID: head.ID})
	}()
}

// settle waits for the batch that is being matched.
func (a *attendance) settle() {
	m := a.matching
	if m == nil {
		return
	}
	<-m.ended
	a.matching = nil
	if m.err != nil {
		a.failed = append(a.failed, m.head)
		return
	}
	a.done.add(Tally{
		Batches: 1, Events: m.generated.Events, Enforcements: m.matched.Enforcements, Rejected: m.generated.Rejected,
	})
}

// finish adds what was done to the result, and what could not be done.
func (a *attendance) finish(res PollResult) PollResult {
	a.settle()
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
