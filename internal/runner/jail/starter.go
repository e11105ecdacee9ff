package jail

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// starter starts programs, all from one thread that lives as long as it: the kernel kills the programs when the thread
// that started them dies, which then happens only together with this process, or at close.
type starter struct {
	requests  chan *spawning
	closed    chan struct{}
	traceable bool // of the thread alone
}

// spawning is a program that is being started.
type spawning struct {
	path    string
	args    []string
	env     []string
	dir     string
	files   []*os.File
	prepare func(pid int) error // limits it before its first instruction

	child *handle
	err   error
	done  chan struct{}
}

// newStarter returns a starter whose thread was given to ready first, what the programs are to inherit from it. The error
// is that of ready: the starter starts programs all the same.
func newStarter(ready func() error) (*starter, error) {
	s := &starter{requests: make(chan *spawning), closed: make(chan struct{}), traceable: true}
	done := make(chan error)
	go s.run(func() { done <- ready() })
	return s, <-done
}

// run never unlocks its thread, which therefore ends with it.
func (s *starter) run(ready func()) {
	runtime.LockOSThread()
	ready()
	for {
		select {
		case req := <-s.requests:
			req.child, req.err = s.spawn(req)
			close(req.done)
		case <-s.closed:
			return
		}
	}
}

var errClosed = errors.New("the jail is closed")

// start starts a program in a session and process group of its own. It dies with this process.
func (s *starter) start(req *spawning) (*handle, error) {
	req.done = make(chan struct{})
	select {
	case s.requests <- req:
	case <-s.closed:
		return nil, errClosed
	}
	<-req.done
	return req.child, req.err
}

func (s *starter) close() { close(s.closed) }

// spawn traces the program to get hold of it after its exec and before its first instruction. Where tracing is
// forbidden, or somebody traces this process, it is prepared while it runs.
func (s *starter) spawn(req *spawning) (*handle, error) {
	if s.traceable {
		child, err := s.fork(req, true)
		if refused, ok := errors.AsType[*os.PathError](err); !ok || refused.Err != unix.EPERM {
			return child, err
		}
		if child, err = s.fork(req, false); err == nil {
			s.traceable = false
		}
		return child, err
	}
	return s.fork(req, false)
}

func (s *starter) fork(req *spawning, trace bool) (*handle, error) {
	fd := -1
	attr := &syscall.ProcAttr{
		Dir: req.dir,
		Env: req.env,
		Sys: &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGKILL, PidFD: &fd, Ptrace: trace},
	}
	for _, f := range req.files {
		attr.Files = append(attr.Files, f.Fd())
	}
	pid, err := syscall.ForkExec(req.path, req.args, attr)
	runtime.KeepAlive(req.files)
	if err != nil {
		return nil, &os.PathError{Op: "exec", Path: req.path, Err: err}
	}
	child := &handle{pid: pid, fd: fd}
	if err = awaitStop(pid, trace); err == nil {
		// Elsewhere: this thread may not do all that it takes.
		prepared := make(chan error)
		go func() { prepared <- req.prepare(pid) }()
		err = <-prepared
	}
	if err == nil && trace {
		err = syscall.PtraceDetach(pid)
	}
	if err != nil {
		_ = child.kill()
		child.awaitDeath(time.Now().Add(time.Second))
		child.reap()
		child.close()
		return nil, fmt.Errorf("starting %s: %w", req.path, err)
	}
	return child, nil
}

// awaitStop returns when the traced program stands at its first instruction.
func awaitStop(pid int, trace bool) error {
	if !trace {
		return nil
	}
	var status syscall.WaitStatus
	err := ignoringEINTR(func() error {
		_, err := syscall.Wait4(pid, &status, syscall.WALL, nil)
		return err
	})
	if err == nil && !status.Stopped() {
		err = errors.New("it died at once")
	}
	return err
}
