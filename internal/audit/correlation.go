package audit

import (
	"fmt"
	"iter"
	"time"

	"github.com/attune-automation/sensors/internal/correlation"
	"github.com/attune-automation/sensors/internal/store"
)

// correlations decides again on the groups of correlations that have an enforcement, from the matches that it stands for.
func (a *auditor) correlations(groups iter.Seq2[store.AuditCorrelated, error]) error {
	for g, err := range groups {
		if err != nil {
			return err
		}
		subject := fmt.Sprintf("group %d", g.ID)
		if g.Enforcements != 1 {
			a.find(2, subject, "of rule %s is %s, but its event %d has %d enforcements of it", g.RuleRef, g.Status, g.EventID, g.Enforcements)
		}
		d, _, err := correlation.Parse(g.Correlation)
		if err != nil || d == nil || d.Mark() != g.Mark {
			continue // it was another correlation then
		}
		if event := decisive(d, g); event != g.EventID {
			a.find(2, subject, "of rule %s has an enforcement of event %d, but what it stands for is no %s that ends with it", g.RuleRef, g.EventID, d)
		}
	}
	return nil
}

// decisive returns the event that the enforcement of a group has to be of; 0: there should be none.
func decisive(d *correlation.Definition, g store.AuditCorrelated) int64 {
	parts := map[string]int{}
	for i, ref := range d.Refs() {
		parts[ref] = i
	}
	var matches []correlation.Match
	for i, ref := range g.Refs {
		part, ok := parts[ref]
		if !ok {
			return 0
		}
		matches = append(matches, correlation.Match{Part: part, Event: g.Events[i], At: g.Times[i]})
	}
	groups := d.Fold(matches)
	if len(groups) != 1 {
		return 0
	}
	last := groups[0]
	if last.Outcome == correlation.Completed {
		return last.Matches[len(last.Matches)-1].Event
	}
	if outcome, _ := d.Close(last, time.Now()); outcome == correlation.Fulfilled {
		return last.State.Armed.By
	}
	return 0
}
