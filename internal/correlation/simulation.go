package correlation

import "time"

// Simulation counts what a correlation would order, of matches in the order in which they were recorded. Its memory is that of
// the groups that are open at one time.
type Simulation struct {
	definition *Definition
	groups     map[string]*State // by key
	orders     int64
	tidied     int // groups that were left when those that are over were last closed
}

// NewSimulation returns a simulation of a correlation.
func NewSimulation(d *Definition) *Simulation {
	return &Simulation{definition: d, groups: map[string]*State{}}
}

// Orders returns how many enforcements there would be of the matches so far, if no more come until a time.
func (s *Simulation) Orders(horizon time.Time) int64 {
	s.close(horizon)
	return s.orders
}

// Add takes the next match, of the group with this key.
func (s *Simulation) Add(key string, m Match) {
	before := m.At.Add(-1) // others may come at the same time
	state := s.groups[key]
	if state == nil || s.over(state, before) {
		state = &State{}
		s.groups[key] = state
	}
	if s.definition.Take(state, m) == Completes {
		s.orders++
		delete(s.groups, key)
	}
	const few = 1000
	if len(s.groups) >= few+2*s.tidied {
		s.close(before)
		s.tidied = len(s.groups)
	}
}

// close closes the groups that are over.
func (s *Simulation) close(horizon time.Time) {
	for key, state := range s.groups {
		if s.over(state, horizon) {
			delete(s.groups, key)
		}
	}
}

// over says whether a group is over, when all is taken that was recorded until the horizon, and counts what it orders then.
// A group that was cancelled is over at once.
func (s *Simulation) over(state *State, horizon time.Time) bool {
	due, begun := s.definition.Due(state)
	if state.Came != nil {
		return true
	}
	if !begun {
		return s.stale(state, horizon)
	}
	if due.After(horizon) {
		return false
	}
	if state.Armed != nil {
		s.orders++
	}
	return true
}

// stale says whether a group in which nothing has begun has had no match for so long that none is of use any more.
func (s *Simulation) stale(state *State, horizon time.Time) bool {
	return state.Seen == nil || state.Seen.At.Add(s.definition.Within).Before(horizon)
}
