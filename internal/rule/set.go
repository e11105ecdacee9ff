package rule

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/attune-automation/sensors/internal/condition"
	"github.com/attune-automation/sensors/internal/expression"
	"github.com/attune-automation/sensors/internal/sensor"
)

// Set is the rules of a trigger at one moment, with an index of them: an event looks only at rules that can match it. It
// never changes, so any number of goroutines may use it. The nil Set is empty.
type Set struct {
	index  *condition.Index
	chunks []*chunk
	uses   [condition.Sensor + 1]int // how many rules look at each root
}

// A chunk is a piece of the list of rules by number: what a change of one of them copies.
type chunk [256]*Compiled

// Len returns how many rules there are.
func (s *Set) Len() int {
	if s == nil {
		return 0
	}
	return s.index.Len()
}

// Needs returns what the rules look at.
func (s *Set) Needs() Needs {
	needs := Needs{}
	if s != nil {
		for _, root := range roots {
			if s.uses[root] > 0 {
				needs[root] = true
			}
		}
	}
	return needs
}

// Finder has the memory that it takes to match one event after the other. It belongs to one goroutine; the zero Finder is
// ready for use.
type Finder struct {
	candidates condition.Candidates
	matches    []*Compiled
	failed     []Failed
}

// Failed is a rule of which nobody knows whether it would match an event: its expression has no result for it.
type Failed struct {
	Rule    *sensor.Rule
	Failure *expression.Failure
}

// Failed returns the rules that did not match the last event because their expressions have no result for it, though all else
// about them holds; in no order. The slice is good until the finder's next call.
func (f *Finder) Failed() []Failed { return f.failed }

// Match returns the rules that match the event, the same ones as when each is evaluated, in the order of their enforcements:
// by priority, the highest first, then by ref. The slice is good until the finder's next call. The error is that of the context.
func (s *Set) Match(ctx context.Context, doc *Document, f *Finder) ([]*Compiled, error) {
	f.matches, f.failed = f.matches[:0], f.failed[:0]
	if s == nil {
		return nil, nil
	}
	for _, number := range s.index.Find(&doc.Values, &f.candidates) {
		r := s.rule(number)
		matched, failure, err := r.Evaluate(ctx, doc)
		switch {
		case err != nil:
			return nil, err
		case matched:
			f.matches = append(f.matches, r)
		case failure != nil:
			f.failed = append(f.failed, Failed{r.Rule, failure})
		}
	}
	slices.SortFunc(f.matches, func(a, b *Compiled) int {
		return cmp.Or(cmp.Compare(b.Rule.Priority, a.Rule.Priority), strings.Compare(a.Rule.Ref, b.Rule.Ref))
	})
	return f.matches, nil
}

func (s *Set) rule(number uint32) *Compiled {
	return s.chunks[number/uint32(len(chunk{}))][number%uint32(len(chunk{}))]
}
