package jail

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// box is a program in bwrap. bwrap is two processes: the monitor, which is our child and ends when the program does, and
// process 1 of the sandbox's PID namespace, with whose end the kernel ends all that is in it.
type box struct {
	monitor *handle
	exited  <-chan struct{}
	init    *handle
	report  *report
	mark    mark         // if this process dies while bwrap sets up, what is left is found by it
	proc    *procfs      // of the sandbox; nil when the program ended before it could be opened
	hostPID atomic.Int64 // of the program; 0: not found yet
	host    *procfs

	memory []folder // of the sandbox, in memory

	setup time.Duration // what bwrap itself took of the processor
	fate  fate
	dead  bool // the monitor is reaped
}

// programPID is the program's number in its sandbox: it is all that process 1 starts.
const programPID = 2

// startBox starts a program in bwrap.
func (j *Jail) startBox(ctx context.Context, cmd Command) (*box, error) {
	mounts, err := j.mounts(cmd)
	if err != nil {
		return nil, err
	}
	if err := checkProgram(cmd.Path); err != nil {
		return nil, err
	}
	args := j.bwrap.arguments(cmd, mounts)
	b, err := j.enter(ctx, cmd, args)
	if errors.Is(err, errSetup) {
		return nil, fmt.Errorf("preparing the sandbox of %s: %w", cmd.Path, j.diagnose(cmd, args))
	}
	return b, err
}

// errSetup says that bwrap ended before the program could be started.
var errSetup = errors.New("bwrap ended without saying why")

// enter starts bwrap with the arguments and lets it start the program once that is limited.
func (j *Jail) enter(ctx context.Context, cmd Command, args []string) (*box, error) {
	gate, err := newGate()
	if err != nil {
		return nil, err
	}
	defer gate.close()
	b, err := j.launch(cmd, args, gate)
	if err != nil {
		return nil, err
	}
	if err := b.open(ctx, gate, cmd.Limits, j.bwrap.countsTasks); err != nil {
		if b.bury(time.Now().Add(killGrace)); ctx.Err() != nil {
			err = ctx.Err()
		}
		b.release()
		return nil, err
	}
	return b, nil
}

// launch starts bwrap, which waits at the gate when it is ready to start the program.
func (j *Jail) launch(cmd Command, args []string, gate *gate) (*box, error) {
	b := &box{mark: j.self.newMark(), report: gate.report, host: j.host}
	n := len(cmd.Files)
	options := []string{j.bwrap.path, "--json-status-fd", strconv.Itoa(n), "--block-fd", strconv.Itoa(n + 1), "--sync-fd", strconv.Itoa(n + 2)}
	var err error
	b.monitor, err = j.starter.start(&spawning{
		path: j.bwrap.path, args: append(options, args...), env: cmd.environment(sandboxTemp), dir: "/",
		files:   append(cmd.Files[:n:n], gate.theirs()...),
		prepare: b.mark.set,
	})
	gate.closeTheirs()
	if err != nil {
		b.report.close()
		return nil, err
	}
	b.exited = b.monitor.watch()
	return b, nil
}

// open limits process 1 of the sandbox, whose heir the program is, and lets it go on.
func (b *box) open(ctx context.Context, gate *gate, limits Limits, countsTasks bool) error {
	first, err := b.report.firstLine(ctx)
	if err != nil {
		return errors.Join(errSetup, err)
	}
	var started struct {
		PID int `json:"child-pid"`
	}
	if err := json.Unmarshal(first, &started); err != nil || started.PID <= 0 {
		return fmt.Errorf("bwrap says %q where the PID of the sandbox was expected", first)
	}
	if b.init, err = openHandle(started.PID); err != nil {
		return errors.Join(errSetup, err)
	}
	if err := limits.apply(started.PID, countsTasks); err != nil {
		return err
	}
	// If the machine runs out of memory, sensors go before the worker. Not all kernels let a user say so.
	_ = os.WriteFile(fmt.Sprintf("/proc/%d/oom_score_adj", started.PID), []byte("500"), 0)
	if err := gate.pass(ctx); err != nil {
		return errors.Join(errSetup, err)
	}
	init, _ := cpuClock(b.init.pid)
	monitor, _ := cpuClock(b.monitor.pid)
	b.setup = init + monitor
	b.proc, err = openProcfs(fmt.Sprintf("/proc/%d/root/proc", started.PID))
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ESRCH) {
		return nil // the program is over already
	}
	if err == nil {
		b.memory, err = openFolders(started.PID, sandboxTemp, sandboxShared)
	}
	return err
}

func (b *box) procfs() *procfs { return b.proc }

func (b *box) folders() []folder { return b.memory }

func (b *box) program() int { return programPID }

func (b *box) members(census) []int {
	if b.proc == nil {
		return nil
	}
	var living []int
	_ = b.proc.each(func(pid int) {
		if pid != 1 {
			living = append(living, pid)
		}
	})
	return living
}

func (b *box) reapedCPU() time.Duration {
	s, err := b.proc.stat(1)
	if err != nil {
		return 0
	}
	return s.reapedCPU
}

func (b *box) clock() (time.Duration, bool) {
	if b.proc == nil {
		return 0, false
	}
	pid := b.hostPID.Load()
	if pid == 0 {
		pid = int64(findChild(b.host, b.init.pid))
		b.hostPID.Store(pid)
	}
	if pid == 0 {
		return 0, false
	}
	return cpuClock(int(pid))
}

func (b *box) limitCPU(total time.Duration) {
	used, ok := b.clock()
	pid := int(b.hostPID.Load())
	if m, marked := readMark(pid); ok && marked && m == b.mark { // else it is gone
		_ = capCPU(pid, used+total) // if this fails, the sampler watches still
	}
}

// kill has three ways to stop a fork bomb: all of the first process group at once; process 1, with which all die as soon
// as it gets some time of the processor; and one by one, if that takes long.
func (b *box) kill() {
	b.init.killGroup()
	_ = b.init.kill()
	if !b.init.awaitDeath(time.Now().Add(initGrace)) {
		b.hunt().once()
	}
}

// hunt is for all but the monitor.
func (b *box) hunt() hunt {
	return hunt{host: b.host, prey: b.mark.is, except: b.monitor.pid, heir: true}
}

// initGrace is how long process 1 of a sandbox may take to die with all others, and then the monitor.
const initGrace = 10 * time.Millisecond

func (b *box) bury(deadline time.Time) (fate, bool) {
	if b.init == nil {
		return b.fate, b.buryUnknown(deadline)
	}
	if !b.dead {
		b.kill()
	}
	if !b.init.awaitDeath(deadline) {
		return b.fate, false
	}
	if !await(b.exited, time.Now().Add(initGrace)) { // it reaps process 1 first
		_ = b.monitor.kill()
	}
	if !await(b.exited, deadline) {
		return b.fate, false
	}
	if !b.dead {
		b.dead = true
		status, usage, _ := b.monitor.reap()
		b.fate = fate{started: status.Signaled() || b.report.tellsExit(), status: sandboxed(status), cpu: cpuTime(usage)}
		// When the program ended by itself, the monitor did not wait for process 1, and it became our child.
		_, usage, _ = b.init.reap()
		b.fate.cpu = max(0, b.fate.cpu+cpuTime(usage)-b.setup)
		b.fate.peak = usage.Maxrss << 10
	}
	return b.fate, true
}

// buryUnknown is for a bwrap that was stopped before it said what process 1 is. That may wait at the gate.
func (b *box) buryUnknown(deadline time.Time) bool {
	_ = b.monitor.kill()
	if !await(b.exited, deadline) || !b.hunt().until(deadline) {
		return false
	}
	b.monitor.reap()
	return true
}

func (b *box) release() {
	b.monitor.close()
	if b.init != nil {
		b.init.close()
	}
	if b.proc != nil {
		b.proc.close()
	}
	for _, f := range b.memory {
		f.close()
	}
	b.report.close()
}

// sandboxed is the program's status as bwrap tells it with its own: 128 and the signal, as shells do.
func sandboxed(status syscall.WaitStatus) syscall.WaitStatus {
	if code := status.ExitStatus(); code > 128 && code <= 128+64 {
		return syscall.WaitStatus(code - 128)
	}
	return status
}

// findChild returns the PID of the only child of a process, or 0.
func findChild(host *procfs, parent int) int {
	var buf [64]byte
	// Not all kernels have this file.
	if text, err := host.read(parent, "task/"+strconv.Itoa(parent)+"/children", buf[:]); err == nil {
		first, _, _ := bytes.Cut(text, []byte(" "))
		pid, _ := strconv.Atoi(string(first))
		return pid
	}
	found := 0
	for _, later := range []bool{true, false} { // its number is likely to be one of the next
		_ = host.each(func(pid int) {
			if found != 0 || pid > parent != later {
				return
			}
			if s, err := host.stat(pid); err == nil && s.parent == parent {
				found = pid
			}
		})
	}
	return found
}
