package activities

import (
	"context"
	"fmt"
	"runtime"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/attune-automation/sensors/internal/rule"
	"github.com/attune-automation/sensors/internal/sensor"
)

// An evaluator matches one event after the other. It belongs to one goroutine.
type evaluator struct {
	sets    rulesets
	readers map[string]*rule.Reader
	finder  rule.Finder
	pace    *pace    // nil: an evaluation may take any time
	strikes *strikes // nil: and cost anything that is possible at all
	failed  failedRules
}

func (s rulesets) evaluator(pace *pace, strikes *strikes) *evaluator {
	v := &evaluator{sets: s, readers: make(map[string]*rule.Reader, len(s)), pace: pace, strikes: strikes}
	for trigger, rules := range s {
		v.readers[trigger] = rule.NewReader(rules.needs)
	}
	return v
}

// match returns what matches of the event's trigger, in the order of the rules, and takes down the rules that have no result.
func (v *evaluator) match(ctx context.Context, event *sensor.Event) ([]sensor.Match, error) {
	rules := v.sets[event.TriggerRef]
	if rules.set.Len() == 0 {
		return nil, ctx.Err()
	}
	doc, err := v.readers[event.TriggerRef].Read(event)
	if err != nil {
		return nil, fmt.Errorf("event %d: %w", event.ID, err)
	}
	matches, err := v.measured(ctx, event, rules.set, doc)
	if err == nil {
		v.failed.add(event.ID, v.finder.Failed())
	}
	return matches, err
}

// evaluate matches an event with these rules.
func (v *evaluator) evaluate(ctx context.Context, event *sensor.Event, rules *rule.Set, doc *rule.Document) ([]sensor.Match, error) {
	found, err := rules.Match(ctx, doc, &v.finder)
	if err != nil {
		return nil, err
	}
	matches := make([]sensor.Match, len(found))
	for i, r := range found {
		matches[i] = sensor.Match{Event: event, Rule: r.Rule}
		if r.Rule.Shadow {
			continue // it orders nothing
		}
		if matches[i].Grouping = r.Grouping(doc); matches[i].Grouping != nil {
			continue // whether it orders, and for how many, is decided when it is written
		}
		if matches[i].Params, matches[i].Reason, err = r.Params(ctx, doc); err != nil {
			return nil, err
		}
	}
	return matches, ctx.Err()
}

const (
	// probed is how many events are matched before it is known what one takes.
	probed = 8
	// worthwhile is the time that it has to take to match a batch before it is spread over the processors.
	worthwhile = 2 * time.Millisecond
)

// evaluated is what came of the evaluation of events.
type evaluated struct {
	matches []sensor.Match // in the order of the events, then of the rules
	failed  failedRules
}

// match evaluates the rules of its trigger on every event. The error is a *trip if a rule takes or costs too much.
func (s rulesets) match(ctx context.Context, events []sensor.Event, strikes *strikes) (evaluated, error) {
	first := events[:min(probed, len(events))]
	start := time.Now()
	found, err := s.spread(ctx, first, 1, strikes)
	if err != nil {
		return evaluated{}, err
	}
	rest := events[len(first):]
	processors := 1
	if time.Since(start)*time.Duration(len(rest)) > worthwhile*probed {
		processors = runtime.GOMAXPROCS(0)
	}
	more, err := s.spread(ctx, rest, processors, strikes)
	found.matches = append(found.matches, more.matches...)
	found.failed.merge(more.failed)
	return found, err
}

// spread matches the events on so many processors.
func (s rulesets) spread(ctx context.Context, events []sensor.Event, processors int, strikes *strikes) (evaluated, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	matches := make([][]sensor.Match, len(events))
	var shared struct {
		next   atomic.Int64
		mu     sync.Mutex // of failed
		failed failedRules
	}
	var workers sync.WaitGroup
	for range min(processors, len(events)) {
		workers.Go(func() {
			defer func() {
				if p := recover(); p != nil { // which nobody else would, in a goroutine of our own
					cancel(fmt.Errorf("matching panicked: %v\n%s", p, debug.Stack()))
				}
			}()
			pace := strikes.pace()
			defer pace.end()
			v := s.evaluator(pace, strikes)
			for i := shared.next.Add(1) - 1; i < int64(len(events)); i = shared.next.Add(1) - 1 {
				found, err := v.match(ctx, &events[i])
				if err != nil {
					cancel(err) // the others stop as well
					return
				}
				matches[i] = found
			}
			shared.mu.Lock()
			defer shared.mu.Unlock()
			shared.failed.merge(v.failed)
		})
	}
	workers.Wait()
	if ctx.Err() != nil {
		return evaluated{}, context.Cause(ctx)
	}
	return evaluated{slices.Concat(matches...), shared.failed}, nil
}
