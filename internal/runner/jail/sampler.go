package jail

import (
	"sync"
	"time"
)

// samplerTick and the others say how often the sampler looks.
const (
	samplerTick = 25 * time.Millisecond // at how many processes the machine has, which costs a microsecond
	fullLook    = 8                     // of these ticks, at every program that is not idle
	burst       = 16                    // new processes on the machine that make it look at once
)

// sampler looks at all programs with limits, in one goroutine, which is there as long as there are any.
type sampler struct {
	host *procfs

	mu      sync.Mutex
	watched map[*Process]bool
	running bool
}

func newSampler(host *procfs) *sampler {
	return &sampler{host: host, watched: map[*Process]bool{}}
}

func (s *sampler) add(p *Process) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.watched[p] = true
	if !s.running {
		s.running = true
		go s.run()
	}
}

func (s *sampler) remove(p *Process) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.watched, p)
}

// list returns what is to be looked at; when it is nothing, the goroutine must end.
func (s *sampler) list() []*Process {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.running = len(s.watched) > 0
	all := make([]*Process, 0, len(s.watched))
	for p := range s.watched {
		all = append(all, p)
	}
	return all
}

func (s *sampler) run() {
	again := time.NewTicker(samplerTick)
	defer again.Stop()
	ticks, before := 0, s.host.processes()
	for range again.C {
		programs := s.list()
		if len(programs) == 0 {
			return
		}
		ticks++
		now := s.host.processes()
		if ticks%fullLook != 0 && now < before+burst {
			before = min(before, now)
			continue
		}
		before = now
		s.look(programs)
	}
}

func (s *sampler) look(programs []*Process) {
	var all census
	for _, p := range programs {
		if p.resting() {
			continue
		}
		if p.mode == ModeNone && all == nil {
			all = takeCensus(s.host)
		}
		p.check(all)
	}
}
