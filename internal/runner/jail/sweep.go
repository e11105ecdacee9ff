package jail

import (
	"syscall"
	"time"
)

// hunt kills processes that it knows by their mark, and reaps those that become children of this one.
type hunt struct {
	host   *procfs
	prey   func(mark) bool
	except int                  // one that the caller reaps; 0: none
	reaped func(syscall.Rusage) // nil: who was reaped does not matter
	heir   bool                 // all of the prey become children of this process when their parents have died
}

// quiet is how long a hunt that is not an heir's must have found nothing.
const quiet = 100 * time.Millisecond

// until hunts until nothing is left, or returns false when something is at the deadline.
//
// One that forks and ends again and again may not be found by a look: some processes are listed and then visited, and
// what was listed may be dead when it is visited, with a child that is not on the list. But the dead stay until they are
// reaped: an heir, who alone reaps them, knows that nothing is left once it has found neither living nor dead. Others
// look again and again for a while.
func (h hunt) until(deadline time.Time) bool {
	pause, found := 100*time.Microsecond, time.Now()
	for ; ; time.Sleep(pause) { // what was killed needs a moment to die
		began := time.Now()
		switch {
		case h.once():
			found, pause = began, min(2*pause, 20*time.Millisecond)
		case h.heir, began.Sub(found) > quiet:
			return true
		default:
			pause = time.Millisecond
		}
		if began.After(deadline) {
			return false
		}
	}
}

// once looks at all processes, kills the prey and reaps the dead. It returns whether it found any; dead ones count for heirs.
func (h hunt) once() (found bool) {
	_ = h.host.each(func(pid int) {
		if pid == h.except {
			return
		}
		if m, ok := readMark(pid); !ok || !h.prey(m) {
			return
		}
		switch dead := reapOrphan(pid, h.reaped) || !h.heir && h.host.dead(pid); {
		case !dead:
			found = true
			h.kill(pid)
		case h.heir:
			found = true
		}
	})
	return found
}

// kill kills a process if it is prey. Its mark is read while its handle is held, so that no other process can be hit.
func (h hunt) kill(pid int) {
	target, err := openHandle(pid)
	if err != nil {
		return
	}
	defer target.close()
	if m, ok := readMark(pid); ok && h.prey(m) {
		_ = target.kill()
	}
}

// reapOrphan reaps a marked process if it is dead and has become a child of this one.
func reapOrphan(pid int, reaped func(syscall.Rusage)) bool {
	var usage syscall.Rusage
	gone, err := syscall.Wait4(pid, nil, syscall.WNOHANG, &usage)
	if err != nil || gone != pid {
		return false
	}
	if reaped != nil {
		reaped(usage)
	}
	return true
}

// killOrphans kills what workers left that were killed themselves, and returns whether there was anything.
func killOrphans(host *procfs, self worker, deadline time.Time) bool {
	h := hunt{host: host, prey: func(m mark) bool { return m.orphaned(self, host) }}
	if !h.once() {
		return false
	}
	h.until(deadline)
	return true
}
