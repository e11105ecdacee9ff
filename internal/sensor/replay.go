package sensor

import "time"

// Replay is an order to match events that are there with the rules as they are now.
type Replay struct {
	ID          int64
	TriggerRefs []string   // of the events that are taken; empty: of all
	RuleRefs    []string   // that are evaluated; empty: all that are enabled
	Since       *time.Time // events written at or after; nil: no limit
	Until       *time.Time // events written before; nil: no limit
	FirstEvent  int64
	LastEvent   int64
	Events      int64 // how many were selected when it was ordered
	Forced      bool  // it also writes enforcements of events and rules that have one
	DryRun      bool  // it only counts
	Rate        int   // the most enforcements that it writes in a second
	Created     time.Time
	Finished    *time.Time // nil: it goes on
}

// Span is a range of events by ID: After is not part of it, Last is.
type Span struct{ After, Last int64 }

// Replayed is what a replay made of a span of events.
type Replayed struct {
	// Enforcements are those that it has there, from this attempt or one before: all of them are to be published.
	Enforcements []Enforcement
	// Existing counts the matches that have an enforcement already, which is left alone.
	Existing int
}
