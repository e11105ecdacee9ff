package jail

import (
	"cmp"
	"sync"
	"syscall"
	"time"
)

// Process is a program that was started. Kill must be called in any case, whether or not it has ended.
type Process struct {
	mode    Mode
	family  family
	exited  <-chan struct{}
	breach  chan Breach
	limits  Limits
	sampler *sampler
	files   memoryFiles

	once   sync.Once
	ending Ending
	life   sync.RWMutex // held by whoever needs the family to be there
	over   bool         // Kill was called: the family is only Kill's now

	mu       sync.Mutex
	breached *Breach
	used     time.Duration // when LimitCPU was last called
	peak     int64
	cpu      time.Duration // that was seen: what is killed takes its figures with it
	total    time.Duration // of all when they were last looked at
	seen     time.Duration // the program's own clock then
	alone    bool          // it had no other processes then
}

// family is a program with all that it started.
type family interface {
	// members returns the numbers that the living and the zombies have in procfs. all has the processes of the machine
	// by their mark, for those that need it.
	members(all census) []int
	procfs() *procfs // nil: the program ended before anybody looked
	program() int    // its number in procfs
	// folders are those in memory that are its own.
	folders() []folder
	// clock is the time of the processor that the program itself used, exactly.
	clock() (time.Duration, bool)
	// reapedCPU is the time of the processor of what is gone, as far as it does not show in members.
	reapedCPU() time.Duration
	limitCPU(total time.Duration)
	// kill sends SIGKILL to all.
	kill()
	// bury kills all and reaps it. It returns false when something is left at the deadline, and can then be called again.
	bury(deadline time.Time) (fate, bool)
	// release frees what the family needed, after it is buried.
	release()
}

// fate is how a program ended.
type fate struct {
	started bool
	status  syscall.WaitStatus
	cpu     time.Duration
	peak    int64 // 0: not known
}

// Mode returns what contains the program: ModeBwrap or ModeNone.
func (p *Process) Mode() Mode { return p.mode }

// Exited is closed when the program has ended: by itself, for a Breach or by Kill. Without bwrap, what it started may
// run on until Kill.
func (p *Process) Exited() <-chan struct{} { return p.exited }

// Breach receives the limit that was exceeded, once. The program has been killed for it; Kill is still to be called.
func (p *Process) Breach() <-chan Breach { return p.breach }

// Look returns what it and all that it started took so far, and the names of its processes besides the program itself,
// without those that have ended. After Kill it returns nothing: the Ending has it.
func (p *Process) Look() (usage Usage, leftovers []string) {
	p.life.RLock()
	defer p.life.RUnlock()
	if p.over {
		return Usage{}, nil
	}
	v := p.look(nil)
	return v.usage, v.others
}

// LimitCPU sets what it may take from now on; 0 is no limit.
func (p *Process) LimitCPU(d time.Duration) {
	p.life.RLock()
	defer p.life.RUnlock()
	if p.over {
		return
	}
	if !p.idle() {
		p.look(nil)
	}
	p.mu.Lock()
	p.limits.CPU, p.used = d, p.total
	p.mu.Unlock()
	if d > 0 {
		p.family.limitCPU(d)
		p.sampler.add(p)
	}
}

const (
	// killGrace is how long a killed process may take to be gone; only one that is stuck in the kernel takes longer.
	killGrace = time.Second
	// buryAgain is how often it is looked at after that.
	buryAgain = 10 * time.Second
)

// Kill ends the program and all that it started, and returns when nothing of it is left, after about a second at most.
// It may be called more than once, and returns the same.
func (p *Process) Kill() Ending {
	p.once.Do(p.end)
	return p.ending
}

func (p *Process) end() {
	p.sampler.remove(p)
	p.Look() // the last chance to see it
	p.life.Lock()
	p.over = true
	p.life.Unlock()
	fate, gone := p.family.bury(time.Now().Add(killGrace))
	if gone {
		p.family.release()
	} else {
		go p.buryLater()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ending = Ending{
		Gone: gone, Started: fate.started, Breach: p.breached,
		Usage: Usage{CPU: max(p.cpu, fate.cpu), Peak: max(p.peak, fate.peak)},
	}
	switch status := fate.status; {
	case !gone, status.Signaled():
		p.ending.Signal = cmp.Or(status.Signal(), syscall.SIGKILL)
	default:
		p.ending.Code = status.ExitStatus()
	}
}

// buryLater is for what is stuck in the kernel, in a system call on a dead file server perhaps.
func (p *Process) buryLater() {
	for {
		if _, gone := p.family.bury(time.Now().Add(buryAgain)); gone {
			p.family.release()
			return
		}
	}
}

// exceed ends a program for the limit that it exceeded. The caller holds life.
func (p *Process) exceed(b Breach) {
	p.mu.Lock()
	first := p.breached == nil
	if first {
		p.breached = &b
	}
	p.mu.Unlock()
	if first {
		p.family.kill()
		p.breach <- b // has room for one
	}
}
