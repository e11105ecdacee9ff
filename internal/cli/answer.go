package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/attune-automation/sensors/internal/sensor"
	"github.com/attune-automation/sensors/internal/store"
)

// answerRow is a match that the throttle of a rule held back, and that an enforcement answers.
type answerRow struct {
	EventID int64  `json:"event_id"`
	RuleRef string `json:"rule_ref"`
	State   string `json:"state"`
}

// maxAnswers bounds how many of them are shown.
const maxAnswers = 10_000

// answers returns the matches that an enforcement stands for, or suppresses.
func answers(ctx context.Context, db *store.Store, e sensor.Enforcement) ([]answerRow, error) {
	held, err := db.HeldFor(ctx, e.RuleRef, e.EventID, maxAnswers)
	var rows []answerRow
	for _, h := range held {
		rows = append(rows, answerRow{EventID: h.EventID, RuleRef: h.RuleRef, State: h.State})
	}
	return rows, err
}

// answered says how many matches came to which state, and of which events the first are.
func answered(rows []answerRow) string {
	byState := map[string][]string{}
	var states []string
	for _, r := range rows {
		if byState[r.State] == nil {
			states = append(states, r.State)
		}
		byState[r.State] = append(byState[r.State], fmt.Sprint(r.EventID))
	}
	slices.Sort(states)
	const most = 20
	var parts []string
	for _, state := range states {
		events := byState[state]
		more := ""
		if len(events) > most {
			events, more = events[:most], ", ..."
		}
		parts = append(parts, fmt.Sprintf("%d %s: events %s%s", len(byState[state]), state, strings.Join(events, ", "), more))
	}
	return strings.Join(parts, "; ")
}
