package jail

import (
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// plain is a program without a sandbox. What it started is in its process group, or carries its mark.
type plain struct {
	mark   mark
	leader *handle
	exited <-chan struct{}
	host   *procfs
	temp   string

	mu     sync.Mutex
	fate   fate
	reaped time.Duration // time of the processor of orphans that were reaped
	dead   bool          // the leader is reaped
}

// startPlain starts a program without a sandbox.
func (j *Jail) startPlain(cmd Command) (*plain, error) {
	temp, err := j.temps.make()
	if err != nil {
		return nil, err
	}
	f := &plain{mark: j.self.newMark(), host: j.host, temp: temp}
	f.leader, err = j.sealed.start(&spawning{
		path: cmd.Path, args: cmd.Args, env: cmd.environment(temp), dir: cmd.Dir, files: cmd.Files,
		prepare: func(pid int) error {
			if err := f.mark.set(pid); err != nil {
				return err
			}
			return cmd.Limits.apply(pid, false)
		},
	})
	if err != nil {
		removeAll(temp)
		return nil, err
	}
	f.exited = f.leader.watch()
	return f, nil
}

func (f *plain) procfs() *procfs { return f.host }

// folders are none: temporary folders are on the worker's disk.
func (f *plain) folders() []folder { return nil }

func (f *plain) program() int { return f.leader.pid }

func (f *plain) clock() (time.Duration, bool) { return cpuClock(f.leader.pid) }

func (f *plain) reapedCPU() time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.reaped
}

func (f *plain) limitCPU(total time.Duration) {
	if used, ok := f.clock(); ok {
		_ = capCPU(f.leader.pid, used+total) // refused when it became another user's; the sampler still watches
	}
}

// members also reaps orphans that have ended.
func (f *plain) members(all census) []int {
	if all == nil {
		all = takeCensus(f.host)
	}
	var living []int
	for _, pid := range all[f.mark] {
		if pid == f.leader.pid || !reapOrphan(pid, f.count) {
			living = append(living, pid)
		}
	}
	return living
}

// count counts what an orphan took.
func (f *plain) count(usage syscall.Rusage) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.reaped += cpuTime(usage)
}

func (f *plain) kill() {
	_ = unix.Kill(-f.leader.pid, unix.SIGKILL)
	f.hunt().once()
}

// hunt is for all but the leader.
func (f *plain) hunt() hunt {
	return hunt{host: f.host, prey: f.mark.is, except: f.leader.pid, reaped: f.count, heir: true}
}

func (f *plain) bury(deadline time.Time) (fate, bool) {
	if !f.dead {
		// The group is killed before its leader is reaped: until then the number is its own.
		_ = unix.Kill(-f.leader.pid, unix.SIGKILL)
		if !await(f.exited, deadline) {
			return f.fate, false
		}
	}
	if !f.hunt().until(deadline) {
		return f.fate, false
	}
	if !f.dead {
		f.dead = true
		status, usage, _ := f.leader.reap()
		f.fate = fate{started: true, status: status, cpu: cpuTime(usage), peak: f.peak(usage)}
	}
	f.fate.cpu += f.reaped
	return f.fate, true
}

func (f *plain) release() {
	f.leader.close()
	removeAll(f.temp)
}

// peak returns the most bytes in memory that the kernel noted. A program begins with the peak of this process, whose
// memory it shares until its exec: only what is beyond that is its own.
func (f *plain) peak(usage syscall.Rusage) int64 {
	own, err := f.host.peak(os.Getpid())
	if peak := usage.Maxrss << 10; err == nil && peak > own {
		return peak
	}
	return 0
}

// await returns whether the channel is closed before the deadline.
func await(done <-chan struct{}, deadline time.Time) bool {
	timer := time.NewTimer(time.Until(deadline))
	defer timer.Stop()
	select {
	case <-done:
		return true
	case <-timer.C:
		return false
	}
}

func cpuTime(usage syscall.Rusage) time.Duration {
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
