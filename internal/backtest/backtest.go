// Package backtest says what a rule would have matched of the events that are there, and what another version of it
// does not, or does besides. It reads events page by page and keeps counts and samples, however many they are. What
// throttles would hold back, and what correlations would order, it simulates by the decisions that the matcher makes.
package backtest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/attune-automation/sensors/internal/rule"
	"github.com/attune-automation/sensors/internal/sensor"
)

const (
	// page is how many events are read at a time.
	page = 500
	// samples is how many events of a kind a report shows: the latest.
	samples = 5
)

// Source reads events.
type Source interface {
	// ReplayEvents returns the next of the selected events, in the order of their IDs.
	ReplayEvents(ctx context.Context, selection sensor.Replay, after int64, limit int) ([]sensor.Event, error)
}

// Config says what to test.
type Config struct {
	Source    Source
	Selection sensor.Replay // of events, see store.SelectEvents
	Rule      *sensor.Rule  // its trigger, conditions and times count; whether it is enabled or a shadow does not
	Parts     []sensor.Rule // the further parts of a correlation
	Other     *sensor.Rule  // what it is compared with; nil: nothing
	Others    []sensor.Rule // its further parts
	Until     time.Time     // when a group that waits for something to be absent is over at the latest; zero: now
	// Progress hears now and then how many events are read and match; nil: nobody does.
	Progress func(events, matches int64)
}

// Report is what a rule would have matched.
type Report struct {
	Events  int64 `json:"events"`
	Matches int64 `json:"matches"`
	// Enforcements is how many there would be of the matches; nil: one of each, no throttle or correlation holds any back.
	Enforcements *int64 `json:"enforcements,omitempty"`
	// Busiest is the hour, in UTC, in which most of the matches happened, and BusiestMatches how many.
	Busiest        *time.Time `json:"busiest_hour,omitempty"`
	BusiestMatches int64      `json:"busiest_hour_matches,omitempty"`
	Sample         []Sample   `json:"sample"` // the latest matches, the last one first
	// Errors is how many events do not match because the rule's expression has no result for them, and LastError the last.
	Errors    int64     `json:"errors"`
	LastError *Error    `json:"last_error,omitempty"`
	Compared  *Compared `json:"compared,omitempty"`
}

// Error is an event that a rule's expression has no result for.
type Error struct {
	EventID int64     `json:"event_id"`
	At      time.Time `json:"at"` // when it happened
	Reason  string    `json:"reason"`
}

// Compared is how a rule and another version of it differ.
type Compared struct {
	Version int64 `json:"version"` // of the other one
	Both    int64 `json:"both"`    // events that both match
	More    int64 `json:"more"`    // events that only the rule matches
	Fewer   int64 `json:"fewer"`   // events that only the other one matches
	Errors  int64 `json:"errors"`  // events that the other one's expression has no result for
	// Enforcements is how many the other one would have; nil: neither has a throttle or a correlation.
	Enforcements *int64   `json:"enforcements,omitempty"`
	Added        []Sample `json:"added"`   // the latest of More
	Dropped      []Sample `json:"dropped"` // the latest of Fewer
}

// Sample is an event.
type Sample struct {
	EventID int64           `json:"event_id"`
	At      time.Time       `json:"at"` // when it happened
	Payload json.RawMessage `json:"payload"`
}

// Run evaluates the rule on all selected events.
func Run(ctx context.Context, cfg Config) (Report, error) {
	switch {
	case cfg.Source == nil:
		return Report{}, errors.New("backtest: Source is missing")
	case cfg.Rule == nil:
		return Report{}, errors.New("backtest: Rule is missing")
	}
	t, err := newTest(cfg)
	if err != nil {
		return Report{}, err
	}
	for after := int64(0); ; {
		events, err := cfg.Source.ReplayEvents(ctx, cfg.Selection, after, page)
		if err != nil {
			return t.report, err
		}
		for i := range events {
			if err := t.event(ctx, &events[i]); err != nil {
				return t.report, fmt.Errorf("event %d: %w", events[i].ID, err)
			}
		}
		if cfg.Progress != nil {
			cfg.Progress(t.report.Events, t.report.Matches)
		}
		if len(events) < page {
			return t.finish(), nil
		}
		after = events[len(events)-1].ID
	}
}

// test is the state of one run.
type test struct {
	rule, other *subject // other is nil if nothing is compared
	reader      *rule.Reader
	hours       map[int64]int64 // matches by the hour since 1970 in which they happened
	orders      bool            // are counted
	until       time.Time
	report      Report
}

func newTest(cfg Config) (*test, error) {
	t := &test{hours: map[int64]int64{}, until: cfg.Until, report: Report{Sample: []Sample{}}}
	var err error
	if t.rule, err = newSubject(cfg.Rule, cfg.Parts); err != nil {
		return nil, err
	}
	all := t.rule.parts
	t.orders = t.rule.groups()
	if cfg.Other != nil {
		if t.other, err = newSubject(cfg.Other, cfg.Others); err != nil {
			return nil, fmt.Errorf("version %d does not compile: %w", cfg.Other.Version, err)
		}
		all = slices.Concat(all, t.other.parts)
		t.orders = t.orders || t.other.groups()
		t.report.Compared = &Compared{Version: cfg.Other.Version, Added: []Sample{}, Dropped: []Sample{}}
	}
	t.reader = rule.NewReader(rule.NeedsOf(all))
	return t, nil
}

func (t *test) event(ctx context.Context, e *sensor.Event) error {
	doc, err := t.reader.Read(e)
	if err != nil {
		return err
	}
	t.report.Events++
	matched, failure, err := t.rule.evaluate(ctx, doc, e)
	if err != nil {
		return err
	}
	if failure != nil {
		t.report.Errors++
		t.report.LastError = &Error{EventID: e.ID, At: e.At(), Reason: failure.Message}
	}
	if matched {
		t.report.Matches++
		t.hours[e.At().Unix()/3600]++
		keep(&t.report.Sample, e)
	}
	if t.other == nil {
		return nil
	}
	was, failure, err := t.other.evaluate(ctx, doc, e)
	if err != nil {
		return err
	}
	if failure != nil {
		t.report.Compared.Errors++
	}
	switch c := t.report.Compared; {
	case matched && was:
		c.Both++
	case matched:
		c.More++
		keep(&c.Added, e)
	case was:
		c.Fewer++
		keep(&c.Dropped, e)
	}
	return nil
}

// keep puts an event before the others, and drops the oldest beyond the limit.
func keep(list *[]Sample, e *sensor.Event) {
	*list = append([]Sample{{EventID: e.ID, At: e.At(), Payload: e.Payload}}, (*list)[:min(len(*list), samples-1)]...)
}

// finish finds the busiest hour, the first one of several.
func (t *test) finish() Report {
	var busiest int64
	for hour, n := range t.hours {
		if most := t.report.BusiestMatches; n > most || n == most && hour < busiest {
			busiest, t.report.BusiestMatches = hour, n
		}
	}
	if t.report.BusiestMatches > 0 {
		at := time.Unix(busiest*3600, 0).UTC()
		t.report.Busiest = &at
	}
	if !t.orders {
		return t.report
	}
	if t.until.IsZero() {
		t.until = time.Now()
	}
	t.report.Enforcements = t.rule.orders(t.until)
	if t.other != nil {
		t.report.Compared.Enforcements = t.other.orders(t.until)
	}
	return t.report
}
