package jail

import (
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// The kernel's own limits are a hard stop behind the sampler's: they hold for each process alone, and from its first
// instruction.
const (
	// dataFactor and dataHeadroom are how much more private memory than its limit a process may ask for. Runtimes ask for
	// more than they use: stacks of threads, heaps to come. Address space (RLIMIT_AS) says nothing: Node.js reserves
	// dozens of gigabytes.
	dataFactor   = 2
	dataHeadroom = 1 << 30
	// threadsPerProcess and threadHeadroom say how many threads go with a limit of processes.
	threadsPerProcess = 8
	threadHeadroom    = 256
)

// threads returns how many threads all processes together may have.
func (l Limits) threads() int { return l.Processes*threadsPerProcess + threadHeadroom }

// apply limits a process and all that it will start. scoped says that tasks are counted in the sandbox alone.
func (l Limits) apply(pid int, scoped bool) error {
	err := lower(pid, unix.RLIMIT_CORE, "RLIMIT_CORE", 0)
	if l.OpenFiles > 0 {
		err = errors.Join(err, lower(pid, unix.RLIMIT_NOFILE, "RLIMIT_NOFILE", uint64(l.OpenFiles)))
	}
	if l.Memory > 0 {
		err = errors.Join(err, lower(pid, unix.RLIMIT_DATA, "RLIMIT_DATA", uint64(l.Memory)*dataFactor+dataHeadroom))
	}
	if l.Processes > 0 && scoped {
		err = errors.Join(err, lower(pid, unix.RLIMIT_NPROC, "RLIMIT_NPROC", 2*uint64(l.threads()))) // the sampler is to be first, it says why
	}
	if l.CPU > 0 {
		err = errors.Join(err, capCPU(pid, l.CPU))
	}
	return err
}

// lower brings both values of a resource limit of a process down to at most the given one.
func lower(pid, resource int, name string, value uint64) error {
	var old unix.Rlimit
	err := unix.Prlimit(pid, resource, nil, &old)
	if err == nil {
		err = unix.Prlimit(pid, resource, &unix.Rlimit{Cur: min(value, old.Max), Max: min(value, old.Max)}, nil)
	}
	if err != nil {
		return fmt.Errorf("limiting the process (%s): %w", name, err)
	}
	return nil
}

// capCPU has the process itself (not its children) killed some time after it used that much. Only the soft limit is
// set: the hard one cannot be raised again for the next poll.
func capCPU(pid int, total time.Duration) error {
	var old unix.Rlimit
	err := unix.Prlimit(pid, unix.RLIMIT_CPU, nil, &old)
	if err == nil {
		seconds := uint64((total+time.Second-1)/time.Second) + 1 // the sampler is to be first, it says why
		err = unix.Prlimit(pid, unix.RLIMIT_CPU, &unix.Rlimit{Cur: min(seconds, old.Max), Max: old.Max}, nil)
	}
	if err != nil {
		return fmt.Errorf("limiting the process (RLIMIT_CPU): %w", err)
	}
	return nil
}

// cpuClock returns the time of the processor that the process itself used, exactly. pid is the worker's number for it.
func cpuClock(pid int) (time.Duration, bool) {
	var t unix.Timespec
	// The clock of a process: see clock_getcpuclockid(3); 2 is CPUCLOCK_SCHED.
	if err := unix.ClockGettime(^int32(pid)<<3|2, &t); err != nil {
		return 0, false
	}
	return time.Duration(t.Nano()), true
}

// countsTasksPerNamespace says whether RLIMIT_NPROC counts in a user namespace alone what was started in it, which
// Linux does since 5.14 (for users other than root, whom it never limits).
func countsTasksPerNamespace() bool {
	var name unix.Utsname
	if unix.Geteuid() == 0 || unix.Uname(&name) != nil {
		return false
	}
	var major, minor int
	if _, err := fmt.Sscanf(unix.ByteSliceToString(name.Release[:]), "%d.%d", &major, &minor); err != nil {
		return false
	}
	return major > 5 || major == 5 && minor >= 14
}
