package jail

import (
	"syscall"
	"time"
)

// exterminate kills and reaps all that carries the mark, but for one that the caller reaps. It returns false when
// something is left at the deadline. That nothing is there has to be seen twice: a look at all processes takes a while, and
// what dies meanwhile may have left something where it has looked already.
func exterminate(host *procfs, m mark, except int, deadline time.Time, reaped func(syscall.Rusage)) bool {
	pause := 100 * time.Microsecond
	for clean := 0; ; time.Sleep(pause) { // what was killed needs a moment to die
		if sweep(host, m, except, reaped) > 0 {
			clean, pause = 0, min(2*pause, 20*time.Millisecond)
		} else if clean++; clean == 2 {
			return true
		}
		if time.Now().After(deadline) {
			return clean > 0
		}
	}
}

// sweep kills what carries the mark and reaps what is dead of it. It returns how much was not dead.
func sweep(host *procfs, want mark, except int, reaped func(syscall.Rusage)) (found int) {
	_ = host.each(func(pid int) {
		if pid == except {
			return
		}
		if m, ok := readMark(pid); ok && m == want && !reapOrphan(pid, reaped) {
			found++
			killMarked(pid, want)
		}
	})
	return found
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

// killMarked kills a process if it has the mark. The mark is read while its handle is held, so that no other process
// can be hit.
func killMarked(pid int, want mark) {
	target, err := openHandle(pid)
	if err != nil {
		return
	}
	defer target.close()
	if m, ok := readMark(pid); ok && m == want {
		_ = target.kill()
	}
}

// killOrphans kills what workers left that were killed themselves. If it has become this process's, it is reaped, too.
func killOrphans(host *procfs, self worker, deadline time.Time) (killed int) {
	for {
		found := 0
		for m, pids := range takeCensus(host) {
			if !m.orphaned(self, host) {
				continue
			}
			for _, pid := range pids {
				if reapOrphan(pid, nil) {
					continue
				}
				if s, err := host.stat(pid); err == nil && s.state != 'Z' {
					found++
					killMarked(pid, m)
				}
			}
		}
		if found == 0 || time.Now().After(deadline) {
			return killed
		}
		killed += found
		time.Sleep(time.Millisecond) // what was killed needs a moment to die
	}
}
