package jail

import (
	"errors"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// handle is a process that cannot be mistaken for another that gets its PID later: a pidfd. Kernels before 5.3 have
// none; the PID must do there.
type handle struct {
	pid  int
	fd   int      // -1: the kernel has no pidfds
	file *os.File // of fd once it is watched; it owns it
}

// openHandle returns the process that has the PID now. The error is ESRCH when there is none.
func openHandle(pid int) (*handle, error) {
	fd, err := unix.PidfdOpen(pid, 0)
	if errors.Is(err, unix.ENOSYS) {
		return &handle{pid: pid, fd: -1}, nil
	}
	if err != nil {
		return nil, err
	}
	return &handle{pid: pid, fd: fd}, nil
}

func (h *handle) close() {
	switch {
	case h.file != nil:
		_ = h.file.Close()
	case h.fd >= 0:
		_ = unix.Close(h.fd)
	}
}

// kill sends SIGKILL.
func (h *handle) kill() error {
	if h.fd >= 0 {
		return unix.PidfdSendSignal(h.fd, unix.SIGKILL, nil, 0)
	}
	return unix.Kill(h.pid, unix.SIGKILL)
}

// killGroup kills all of the process's group where the kernel can do that by a pidfd (since 6.9).
func (h *handle) killGroup() {
	const group = 1 << 2 // PIDFD_SIGNAL_PROCESS_GROUP
	if h.fd >= 0 {
		_ = unix.PidfdSendSignal(h.fd, unix.SIGKILL, nil, group)
	}
}

// awaitDeath returns whether the process is dead, a zombie or gone, before the deadline.
func (h *handle) awaitDeath(deadline time.Time) bool {
	for h.fd >= 0 {
		left := max(0, time.Until(deadline))
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(h.fd), Events: unix.POLLIN}}, int(left.Milliseconds())+1)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		return n > 0
	}
	for pause := time.Millisecond; ; pause *= 2 {
		if reaped, gone := h.reapable(); reaped || gone {
			return true
		}
		if time.Now().After(deadline) {
			return false
		}
		time.Sleep(pause)
	}
}

// reapable says of a child whether it waits to be reaped, and whether it is no child (any more).
func (h *handle) reapable() (zombie, gone bool) {
	var info unix.Siginfo
	err := ignoringEINTR(func() error {
		return unix.Waitid(unix.P_PID, h.pid, &info, unix.WEXITED|unix.WNOWAIT|unix.WNOHANG, nil)
	})
	return err == nil && info.Signo != 0, err != nil
}

// reap takes the exit status of a dead child. It returns false when there is none to take: another process took it.
func (h *handle) reap() (syscall.WaitStatus, syscall.Rusage, bool) {
	var status syscall.WaitStatus
	var usage syscall.Rusage
	if h.fd >= 0 {
		// The PID may be another's by now; the pidfd is not.
		var info unix.Siginfo
		err := ignoringEINTR(func() error {
			return unix.Waitid(unix.P_PIDFD, h.fd, &info, unix.WEXITED|unix.WNOWAIT|unix.WNOHANG, nil)
		})
		if err != nil && !errors.Is(err, unix.EINVAL) || err == nil && info.Signo == 0 {
			return 0, usage, false
		}
	}
	pid, err := syscall.Wait4(h.pid, &status, syscall.WNOHANG, &usage)
	return status, usage, err == nil && pid == h.pid
}

// watch returns a channel that is closed when a child has died. It leaves it unreaped: until then no other process or
// group can get its PID, so that killing the group cannot hit a stranger. With a pidfd, waiting costs no thread.
func (h *handle) watch() <-chan struct{} {
	if h.fd >= 0 && unix.SetNonblock(h.fd, true) == nil {
		h.file = os.NewFile(uintptr(h.fd), "pidfd")
	}
	exited := make(chan struct{})
	go func() {
		defer close(exited)
		if h.file == nil || !h.park() {
			_ = ignoringEINTR(func() error {
				return unix.Waitid(unix.P_PID, h.pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
			})
		}
	}()
	return exited
}

// park waits in the runtime's poller, or returns false when that cannot take the pidfd.
func (h *handle) park() bool {
	conn, err := h.file.SyscallConn()
	if err != nil {
		return false
	}
	err = conn.Read(func(fd uintptr) bool {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 0)
		return err == nil && n > 0
	})
	return err == nil
}

func ignoringEINTR(call func() error) error {
	for {
		if err := call(); !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}
