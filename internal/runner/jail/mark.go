package jail

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"

	"golang.org/x/sys/unix"
)

// mark is what all processes of one program have in common, and no other process has: the values of a resource limit
// that bounds nothing here (RLIMIT_RTTIME, the microseconds that a real-time process may run without a pause; ours are
// centuries). Processes inherit it, keep it through setsid, exec and a new environment, and still have it as zombies. What
// is not in bwrap is sealed, so that it cannot change it. Reading it takes one system call. The soft limit says which program it is, the hard one of which worker.
type mark struct {
	cur uint64 // 1, 22 bits of the worker's PID, 34 random bits
	max uint64 // 0x5A, 30 bits of when the worker started, 26 bits of its PID namespace
}

const (
	curMagic = 0x01 << 56
	maxMagic = 0x5A << 56
)

// worker is a process that starts programs; after it died, no other process is equal to it.
type worker struct {
	pid   int
	start uint64 // clock ticks since the machine started
	ns    uint64 // number of its PID namespace
}

// thisWorker returns the worker that this process is.
func thisWorker() (worker, error) {
	w := worker{pid: os.Getpid()}
	var info unix.Stat_t
	if err := unix.Stat("/proc/self/ns/pid", &info); err != nil {
		return worker{}, fmt.Errorf("looking at the own PID namespace: %w", err)
	}
	w.ns = info.Ino
	host, err := openProcfs("/proc")
	if err != nil {
		return worker{}, err
	}
	defer host.close()
	self, err := host.stat(w.pid)
	if err != nil {
		return worker{}, fmt.Errorf("looking at the own process: %w", err)
	}
	w.start = self.start
	return w, nil
}

// newMark returns the mark of one more program.
func (w worker) newMark() mark {
	return mark{
		cur: curMagic | uint64(w.pid)&(1<<22-1)<<34 | rand.Uint64()&(1<<34-1),
		max: maxMagic | w.start&(1<<30-1)<<26 | w.ns&(1<<26-1),
	}
}

// marked says whether a mark is of one of the worker's programs.
func (w worker) marked(m mark) bool { return m.max == w.newMark().max && m.workerPID() == w.pid }

// readMark returns the mark of a process. Processes of users that this one has no say over, and those that are gone, have
// none.
func readMark(pid int) (mark, bool) {
	var limit unix.Rlimit
	err := unix.Prlimit(pid, unix.RLIMIT_RTTIME, nil, &limit)
	if errors.Is(err, unix.EPERM) && unix.Geteuid() == 0 {
		// Programs of root can become other users', and root without CAP_SYS_RESOURCE, as in containers, may not ask then.
		limit, err = readLimit(pid)
	}
	if err != nil {
		return mark{}, false
	}
	m := mark{cur: limit.Cur, max: limit.Max}
	return m, m.cur>>56 == curMagic>>56 && m.max>>56 == maxMagic>>56
}

// readLimit reads what anybody may read.
func readLimit(pid int) (limit unix.Rlimit, err error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/limits", pid))
	if err != nil {
		return limit, err
	}
	_, line, _ := bytes.Cut(text, []byte("\nMax realtime timeout "))
	_, err = fmt.Sscan(string(line), &limit.Cur, &limit.Max)
	return limit, err
}

// set marks a process.
func (m mark) set(pid int) error {
	if err := unix.Prlimit(pid, unix.RLIMIT_RTTIME, &unix.Rlimit{Cur: m.cur, Max: m.max}, nil); err != nil {
		return fmt.Errorf("marking the process (RLIMIT_RTTIME): %w", err)
	}
	return nil
}

// is says whether another mark is the same.
func (m mark) is(other mark) bool { return m == other }

// workerPID returns the PID of the worker that set the mark.
func (m mark) workerPID() int { return int(m.cur >> 34 & (1<<22 - 1)) }

// orphaned says whether the worker that set the mark is dead. Marks from other PID namespaces are not: nobody can tell.
func (m mark) orphaned(self worker, host *procfs) bool {
	if m.max&(1<<26-1) != self.ns&(1<<26-1) {
		return false
	}
	by, err := host.stat(m.workerPID())
	if err != nil {
		return errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ESRCH)
	}
	return by.state == 'Z' || by.start&(1<<30-1) != m.max>>26&(1<<30-1)
}
