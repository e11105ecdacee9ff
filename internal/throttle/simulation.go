package throttle

import "time"

// Simulation counts what a throttle would order, of matches in the order in which they came. Its memory is that of the groups
// that are open at one time.
type Simulation struct {
	throttle *Throttle
	groups   map[string][]*Group
	orders   int64
	tidied   int // groups that were left when those that are over were last dropped
}

// NewSimulation returns a simulation of a throttle; nil: of none, by which each match orders.
func NewSimulation(t *Throttle) *Simulation {
	return &Simulation{throttle: t, groups: map[string][]*Group{}}
}

// Orders returns how many enforcements there would be of the matches so far, with those of groups that are open.
func (s *Simulation) Orders() int64 { return s.orders }

// Add takes the next match, of the group with this key.
func (s *Simulation) Add(key string, m Match) {
	if s.throttle == nil {
		s.orders++
		return
	}
	before := len(s.groups[key])
	groups, d := s.throttle.Decide(s.groups[key], m)
	s.groups[key] = groups
	if d.State == Ordered || s.throttle.Waits() && len(groups) > before {
		s.orders++
	}
	s.tidy(m.At)
}

// tidy drops groups that are over, whenever there are twice as many as there were.
func (s *Simulation) tidy(now time.Time) {
	const few = 1000
	if len(s.groups) < few+2*s.tidied {
		return
	}
	for key, groups := range s.groups {
		over := true
		for _, g := range groups {
			over = over && !g.Due.After(now)
		}
		if over {
			delete(s.groups, key)
		}
	}
	s.tidied = len(s.groups)
}
