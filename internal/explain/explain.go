// Package explain says why rules matched an event or did not: by the rules as they were when the event was matched, and
// as they are now. It keeps nothing: the event, with its snapshot of trigger and sensor, and the versions of rules are
// all that a verdict depends on, so that it is computed again, by the code that matches.
package explain

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"github.com/attune-automation/sensors/internal/rule"
	"github.com/attune-automation/sensors/internal/sensor"
	"github.com/attune-automation/sensors/internal/store"
)

// Options select what is explained.
type Options struct {
	RuleRef string // empty: every rule of the event's trigger
	Limit   int    // the most rules that are explained, of those that did not match the nearest; 0: all
}

// Report is what became of an event, and why.
type Report struct {
	EventID    int64  `json:"event_id"`
	TriggerRef string `json:"trigger_ref"`
	// Ruleset is the number of the trigger's rules that the event was matched against; nil: it is not matched yet.
	Ruleset *int64    `json:"ruleset"`
	Rules   []Verdict `json:"rules"` // near misses first, the nearest of all at the top; then those that matched
	Left    int       `json:"left"`  // rules beyond the limit
}

// Verdict is what one rule made of an event.
type Verdict struct {
	RuleRef string `json:"rule_ref"`
	// Then is by the version that the event was matched with; nil: the rule was not there, or the event is not matched yet.
	Then *Judgement `json:"then"`
	// Now is by the rule as it is, where that is another version; nil: it is the same, or the rule is gone.
	Now  *Judgement `json:"now"`
	Gone bool       `json:"gone,omitempty"` // the rule is deleted, or belongs to another trigger
	// Enforcements are those that there are of the event by this rule.
	Enforcements []int64 `json:"enforcements"`
	Recorded     bool    `json:"recorded,omitempty"` // as the match of a shadow
	Held         *Held   `json:"held,omitempty"`     // what became of a match that the rule's throttle holds back
}

// main is the judgement that decided, or would decide.
func (v *Verdict) main() *Judgement {
	if v.Then != nil {
		return v.Then
	}
	return v.Now
}

// Matched says whether the rule matched the event, or would if it has not been matched yet.
func (v *Verdict) Matched() bool { return v.main().Matched }

// Event explains an event; sensor.ErrNotFound if there is none.
func Event(ctx context.Context, db *store.Store, id int64, o Options) (Report, error) {
	event, err := db.Event(ctx, id)
	if err != nil {
		return Report{}, err
	}
	doc, err := rule.NewReader(nil).Read(&event)
	if err != nil {
		return Report{}, err
	}
	outcome, err := db.EventOutcome(ctx, id)
	if err != nil {
		return Report{}, err
	}
	pairs, err := load(ctx, db, event.TriggerRef, outcome.Ruleset)
	if err != nil {
		return Report{}, err
	}
	report := Report{EventID: id, TriggerRef: event.TriggerRef, Ruleset: outcome.Ruleset, Rules: []Verdict{}}
	for _, p := range pairs {
		if o.RuleRef != "" && o.RuleRef != p.ref {
			continue
		}
		v, err := p.verdict(ctx, doc)
		if err != nil {
			return report, err
		}
		v.Enforcements = append([]int64{}, outcome.Enforcements[p.ref]...)
		v.Recorded = outcome.Shadows[p.ref]
		if m, ok := outcome.Held[p.ref]; ok {
			v.Held = newHeld(m, p.then, event.Created, time.Now())
		}
		report.add(v, o.Limit)
	}
	report.trim(o.Limit)
	return report, nil
}

// add keeps memory bounded: what is beyond the limit goes every now and then.
func (r *Report) add(v Verdict, limit int) {
	r.Rules = append(r.Rules, v)
	if limit > 0 && len(r.Rules) >= 2*limit+1000 {
		r.trim(limit)
	}
}

// trim sorts the rules, and of those that did not match drops those beyond the limit.
func (r *Report) trim(limit int) {
	slices.SortStableFunc(r.Rules, func(a, b Verdict) int {
		x, y := a.main(), b.main()
		return cmp.Or(order(a.Matched(), b.Matched()), cmp.Compare(x.misses, y.misses), cmp.Compare(y.Held, x.Held), cmp.Compare(a.RuleRef, b.RuleRef))
	})
	missed := slices.IndexFunc(r.Rules, func(v Verdict) bool { return v.Matched() })
	if missed < 0 {
		missed = len(r.Rules)
	}
	if limit > 0 && missed > limit {
		r.Left += missed - limit
		r.Rules = slices.Delete(r.Rules, limit, missed)
	}
}

// order puts what is not before what is.
func order(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}

// pair is a rule as it was and as it is; at least one of them.
type pair struct {
	ref       string
	then, now *sensor.Rule
}

// load returns the rules that a trigger had at a ruleset, nil for none, and those that it has.
func load(ctx context.Context, db *store.Store, trigger string, ruleset *int64) ([]pair, error) {
	current, err := db.Rules(ctx, store.RuleFilter{TriggerRef: trigger})
	if err != nil {
		return nil, err
	}
	byRef := make(map[string]*pair, len(current))
	for i := range current {
		byRef[current[i].Ref] = &pair{ref: current[i].Ref, now: &current[i]}
	}
	if ruleset != nil {
		old, err := db.RulesAt(ctx, trigger, *ruleset)
		if err != nil {
			return nil, err
		}
		for i := range old {
			r := &old[i].Rule
			if byRef[r.Ref] == nil {
				byRef[r.Ref] = &pair{ref: r.Ref}
			}
			byRef[r.Ref].then = r
		}
	}
	pairs := make([]pair, 0, len(byRef))
	for _, ref := range slices.Sorted(maps.Keys(byRef)) {
		pairs = append(pairs, *byRef[ref])
	}
	return pairs, nil
}

func (p pair) verdict(ctx context.Context, doc *rule.Document) (Verdict, error) {
	v := Verdict{RuleRef: p.ref, Gone: p.now == nil}
	var err error
	if p.then != nil {
		if v.Then, err = judge(ctx, p.then, doc); err != nil {
			return v, err
		}
	}
	if p.now != nil && (p.then == nil || p.then.Version != p.now.Version) {
		v.Now, err = judge(ctx, p.now, doc)
	}
	return v, err
}
