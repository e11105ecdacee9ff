package correlation

import (
	"fmt"
	"strings"
	"time"

	"github.com/attune-automation/sensors/internal/throttle"
)

// State is what a group needs to remember to decide on the next match. It does not grow with the matches. The zero State is
// that of a group in which there is nothing.
type State struct {
	// Seen is the latest match that the state is of; nil: none. One that was before it is late, see Late.
	Seen *Moment `json:"seen,omitempty"`
	// Stages are by part. If parts come in their order, the latest first match from which a chain leads to the part; else the
	// part's own latest match. Nil: there is none.
	Stages []*Moment `json:"stages,omitempty"`
	// Armed is set once all has come that must, and the part is waited for that must not; nil: others have to come first.
	Armed *Armed `json:"armed,omitempty"`
	// Came is when it came all the same, in that time; nil: it has not.
	Came *Moment `json:"came,omitempty"`
}

// Armed is the time in which the part must not come that is to be absent.
type Armed struct {
	By  int64     `json:"by"`  // the event that it begins with
	Due time.Time `json:"due"` // its end, inclusive
}

// Late says whether a match was before one that the state knows, so that all matches have to be looked at again, in order.
func (s *State) Late(m Match) bool { return s.Seen != nil && m.Moment().compare(*s.Seen) < 0 }

// Due returns when the group is over if nothing more comes; false: it has not begun.
func (d *Definition) Due(s *State) (time.Time, bool) {
	switch {
	case s.Came != nil:
		return s.Came.At, true
	case s.Armed != nil:
		return s.Armed.Due, true
	}
	var latest *Moment
	for i, opener := range s.Stages {
		if opener != nil && (i == 0 || !d.Ordered) && (latest == nil || opener.compare(*latest) > 0) {
			latest = opener
		}
	}
	if latest == nil {
		return time.Time{}, false
	}
	return latest.At.Add(d.Within), true
}

// Take adds a match that is not late to the state. After Completes, the group is over and closed. When it is over otherwise,
// that is for Close to say, and what comes meanwhile has to wait.
func (d *Definition) Take(s *State, m Match) Verdict {
	if s.Came != nil || s.Armed != nil && m.At.After(s.Armed.Due) {
		return Waits
	}
	seen := m.Moment()
	s.Seen = &seen
	if s.Stages == nil {
		s.Stages = make([]*Moment, d.Required())
	}
	switch {
	case s.Armed != nil && d.Parts[m.Part].Absent:
		s.Came = &seen
		return Cancels
	case d.Parts[m.Part].Absent:
		return Early
	case s.Armed != nil:
		return Collected
	case d.Ordered:
		return d.chain(s, m)
	}
	return d.gather(s, m)
}

// chain takes a match of parts that come in their order. A stage keeps the latest beginning of a chain that leads there,
// which is the one that leaves most time to go on.
func (d *Definition) chain(s *State, m Match) Verdict {
	opener := &Moment{m.At, m.Event}
	if m.Part > 0 {
		if opener = s.Stages[m.Part-1]; opener == nil || m.At.Sub(opener.At) > d.Within {
			return Early
		}
	}
	s.Stages[m.Part] = opener
	switch {
	case m.Part < d.Required()-1:
		return Collected
	case d.Waits():
		s.Armed = &Armed{m.Event, opener.At.Add(d.Within)}
		return Collected
	}
	return Completes
}

// gather takes a match of parts that come in any order.
func (d *Definition) gather(s *State, m Match) Verdict {
	s.Stages[m.Part] = &Moment{m.At, m.Event}
	for _, latest := range s.Stages {
		if latest == nil || m.At.Sub(latest.At) > d.Within {
			return Collected
		}
	}
	return Completes
}

// Progress says how far a group is at a time: `2 of 3 parts: no paid yet`.
func (d *Definition) Progress(s *State, now time.Time) string {
	last := d.Parts[len(d.Parts)-1].Name
	switch {
	case s.Came != nil:
		return last + " came, which must not"
	case s.Armed != nil:
		return fmt.Sprintf("all %d parts came: no %s so far", d.Required(), last)
	}
	reached, missing := d.reached(s, now)
	return fmt.Sprintf("%d of %d parts: no %s yet", reached, d.Required(), strings.Join(missing, ", no "))
}

// Early says why a match of a part is too early.
func (d *Definition) Early(part int) string {
	if part <= 0 || part >= len(d.Parts) {
		return "the part is none any more"
	}
	if d.Parts[part].Absent {
		return "nothing waited for it to be absent"
	}
	return fmt.Sprintf("no %s within %s before it", d.Parts[part-1].Name, throttle.Text(d.Within))
}

// Reason says why a group ends without an enforcement.
func (d *Definition) Reason(s *State) string {
	due, _ := d.Due(s)
	if s.Came != nil {
		return fmt.Sprintf("%s came with event %d", d.Parts[len(d.Parts)-1].Name, s.Came.Event)
	}
	reached, missing := d.reached(s, due)
	return fmt.Sprintf("%d of %d parts within %s: no %s", reached, d.Required(), throttle.Text(d.Within), strings.Join(missing, ", no "))
}

// reached returns how many parts have come in time, and the names of those that have not.
func (d *Definition) reached(s *State, now time.Time) (reached int, missing []string) {
	for i := range d.Required() {
		if i < len(s.Stages) && s.Stages[i] != nil && now.Sub(s.Stages[i].At) <= d.Within {
			reached++
			if d.Ordered { // a chain that leads here has led through all that is before
				reached, missing = i+1, nil
			}
			continue
		}
		missing = append(missing, d.Parts[i].Name)
	}
	return reached, missing
}
