package jail

import (
	"fmt"
	"syscall"
	"time"
)

// Usage is what a program and all that it started took.
type Usage struct {
	CPU    time.Duration // since the start
	Memory int64         // bytes in memory now, with files that are only there; 0 when it is gone
	Peak   int64         // most bytes in memory that were seen; 0: it ended before anybody looked
}

// Ending is how a program ended.
type Ending struct {
	Gone    bool // with all that it started; false: something is stuck in the kernel, and is reaped when it can be
	Started bool // false: bwrap could not start the program; what it wrote to descriptor 2 says why
	Code    int  // exit status; meaningless when there is a Signal
	Signal  syscall.Signal
	Breach  *Breach // the limit that it was killed for
	Usage   Usage
}

// The limits that can be breached, as they are called in a sensor's file below limits.
const (
	LimitCPU       = "cpu"
	LimitMemory    = "memory"
	LimitProcesses = "processes"
)

// LimitThreads is breached by more threads than so many processes should have. It follows from LimitProcesses.
const LimitThreads = "threads"

// Breach is a limit that a program exceeded. It was killed for that.
type Breach struct {
	Limit   string // LimitCPU (nanoseconds), LimitMemory (bytes), LimitProcesses or LimitThreads
	Used    int64
	Allowed int64
}

// String says what happened, in a sentence without its subject.
func (b Breach) String() string {
	switch b.Limit {
	case LimitCPU:
		return fmt.Sprintf("took %v of processor time, more than %v (`limits.cpu`)",
			time.Duration(b.Used).Round(10*time.Millisecond), time.Duration(b.Allowed))
	case LimitMemory:
		return fmt.Sprintf("took %d MiB of memory, more than %d MiB (`limits.memory`)", b.Used>>20, b.Allowed>>20)
	case LimitThreads:
		return fmt.Sprintf("had %d threads, more than %d (%d for each of `limits.processes`, and %d)", b.Used, b.Allowed, threadsPerProcess, threadHeadroom)
	}
	return fmt.Sprintf("had %d processes, more than %d (`limits.processes`)", b.Used, b.Allowed)
}
