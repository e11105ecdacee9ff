package audit

import (
	"fmt"
	"iter"
	"time"

	"github.com/attune-automation/sensors/internal/sensor"
	"github.com/attune-automation/sensors/internal/store"
)

// held checks that what is held back comes to something: its group is closed in time, and the enforcement that stands for it
// is there.
func (a *auditor) held(
	groups iter.Seq2[store.AuditGroup, error], answers iter.Seq2[store.AuditAnswer, error], forgotten iter.Seq2[store.AuditForgotten, error],
) error {
	for g, err := range groups {
		if err != nil {
			return err
		}
		late := time.Since(g.Due)
		if late < overdue {
			continue
		}
		problem := "is still open"
		if g.Status == sensor.GroupClosed {
			problem = "has an enforcement that is not published"
		}
		a.find(2, fmt.Sprintf("group %d", g.ID), "of rule %s %s %s after its time: see that a worker and its servers are up",
			g.RuleRef, problem, late.Round(time.Minute))
	}
	for m, err := range answers {
		if err != nil {
			return err
		}
		a.find(2, fmt.Sprintf("event %d", m.EventID), "is %s by rule %s for an enforcement of event %d, which is not there",
			m.State, m.RuleRef, m.AnsweredBy)
	}
	for m, err := range forgotten {
		if err != nil {
			return err
		}
		a.find(2, fmt.Sprintf("event %d", m.EventID), "is collected by rule %s for group %d, which is %s without it",
			m.RuleRef, m.GroupID, m.Status)
	}
	return nil
}
