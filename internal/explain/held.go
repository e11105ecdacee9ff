package explain

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/attune-automation/sensors/internal/correlation"
	"github.com/attune-automation/sensors/internal/sensor"
	"github.com/attune-automation/sensors/internal/store"
	"github.com/attune-automation/sensors/internal/throttle"
)

// Held is what became of a match that the throttle of its rule holds back.
type Held struct {
	State         string          `json:"state"`
	GroupID       *int64          `json:"group_id,omitempty"`
	Group         json.RawMessage `json:"group,omitempty"` // the fields that the rule groups by, and their values
	Due           *time.Time      `json:"due,omitempty"`   // of a group that is open
	AnsweredBy    *int64          `json:"answered_by,omitempty"`
	EnforcementID *int64          `json:"enforcement_id,omitempty"`
	Text          string          `json:"text"` // all of it in a line
}

// newHeld says what became of a match, by the throttle that its rule had.
func newHeld(m store.HeldMatch, r *sensor.Rule, event time.Time, now time.Time) *Held {
	h := &Held{State: m.State, GroupID: m.GroupID, Group: m.Key, AnsweredBy: m.AnsweredBy, EnforcementID: m.EnforcementID}
	if m.Status == sensor.GroupOpen {
		h.Due = m.Due
	}
	var t *throttle.Throttle
	if r != nil {
		t, _ = throttle.Parse(r.Throttle) // it was matched with
	}
	h.Text = h.text(m, t, event, now)
	if text := correlatedText(m, r, now); text != "" {
		h.Text = text
	}
	if len(m.Key) > 0 && string(m.Key) != "{}" {
		h.Text += ", group " + string(m.Key)
	}
	return h
}

func (h *Held) text(m store.HeldMatch, t *throttle.Throttle, event, now time.Time) string {
	kind := "its throttle"
	if t != nil {
		kind = t.String()
	}
	answer := "an enforcement that is gone"
	if m.EnforcementID != nil {
		answer = fmt.Sprintf("enforcement %d", *m.EnforcementID)
	}
	switch state := throttle.State(m.State); {
	case state == throttle.Suppressed:
		return fmt.Sprintf("suppressed: %s of %s%s", kind, answer, apart(m.AnsweredAt, event))
	case m.AnsweredBy != nil:
		return fmt.Sprintf("%s for %s", m.State, answer)
	case state == throttle.Counted && m.Status == sensor.GroupOpen && m.Due.After(now):
		return fmt.Sprintf("counted: %d so far, %s", *m.Count, kind)
	case state == throttle.Counted:
		return "counted, but not so many came: " + kind
	case state == throttle.Collected && m.Status == sensor.GroupOpen && m.Due.After(now):
		return fmt.Sprintf("collected in group %d, due in %s", *m.GroupID, throttle.Text(m.Due.Sub(now).Round(time.Second)))
	case state == throttle.Collected && m.Status == sensor.GroupOpen:
		return fmt.Sprintf("collected in group %d, which is about to be closed", *m.GroupID)
	case m.Reason != "":
		return fmt.Sprintf("%s in group %d, which is %s: %s", m.State, *m.GroupID, m.Status, m.Reason)
	}
	return m.State
}

// correlatedText says what became of the match of a part of a correlation; empty: it is none, or there is no more to say than
// of any other match.
func correlatedText(m store.HeldMatch, r *sensor.Rule, now time.Time) string {
	if r == nil {
		return ""
	}
	d, part, err := correlation.Parse(r.Correlation)
	if err != nil || d == nil {
		return ""
	}
	switch {
	case m.State == string(correlation.Early):
		return "early: " + d.Early(part)
	case m.Status == sensor.GroupCompleted:
		return fmt.Sprintf("collected in group %d: all parts came, and it is about to be closed", *m.GroupID)
	case m.Status == sensor.GroupOpen && m.Progress != "" && m.Due.After(now):
		return fmt.Sprintf("collected in group %d: %s, due in %s", *m.GroupID, m.Progress, throttle.Text(m.Due.Sub(now).Round(time.Second)))
	case m.Status == sensor.GroupOpen && m.Progress != "":
		return fmt.Sprintf("collected in group %d: %s, about to be closed", *m.GroupID, m.Progress)
	}
	return ""
}

// apart says how long before the event another one was recorded.
func apart(other *time.Time, event time.Time) string {
	if other == nil || event.Before(*other) {
		return ""
	}
	return fmt.Sprintf(" (%s before)", throttle.Text(event.Sub(*other).Round(time.Second)))
}
