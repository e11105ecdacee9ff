package process

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"
	"time"
)

const (
	// exitGrace is how long an SDK's process may take to end after it said that it is done.
	exitGrace = time.Second
	// reapGrace is how long a killed process may take to be gone; only one that is stuck in the kernel takes longer.
	reapGrace = time.Second
)

// run is one poll's process and this side of its pipes.
type run struct {
	child                *child
	out                  *output
	stdin                *os.File
	stdout, stderr, data *tap // stderr is nil when it goes the way of stdout
	pumps                sync.WaitGroup
}

// ending is how a run came to its end.
type ending struct {
	state    *os.ProcessState // nil: killed, and still not gone
	timedOut bool
	ctxErr   error
}

// start starts the program, sends its request and begins to read what it says.
func start(cmd command, request []byte, out *output) (*run, error) {
	r := &run{out: out}
	theirs, err := r.open(cmd.sdk)
	if err == nil {
		r.child, err = spawn(cmd, theirs)
	}
	for _, f := range theirs {
		_ = f.Close()
	}
	if err != nil {
		r.close()
		return nil, startError(cmd, err)
	}
	r.pump(request)
	return r, nil
}

// open makes the pipes and returns the program's ends, in the order of its descriptors.
func (r *run) open(sdk bool) (theirs []*os.File, err error) {
	stdin, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	r.stdin, theirs = w, append(theirs, stdin)
	for fd, t := range []**tap{&r.stdout, &r.stderr, &r.data} {
		if sdk && t == &r.stderr {
			theirs = append(theirs, theirs[fd]) // one log, in the order in which it is printed
			continue
		}
		var w *os.File
		if *t, w, err = newTap(); err != nil {
			return theirs, err
		}
		theirs = append(theirs, w)
	}
	return theirs, nil
}

// pump moves what goes over the pipes, each in a goroutine of its own.
func (r *run) pump(request []byte) {
	r.pumps.Go(func() {
		// A program that does not read its request is as good as any.
		_, _ = r.stdin.Write(request)
		_ = r.stdin.Close()
	})
	r.pumps.Go(func() { r.out.readData(r.data) })
	if r.stderr == nil {
		r.pumps.Go(func() { r.out.readLog(r.stdout) })
		return
	}
	r.pumps.Go(func() { r.out.readEvents(r.stdout) })
	r.pumps.Go(func() { r.out.readLog(r.stderr) })
}

// wait returns when the poll is over and nothing of it is left.
func (r *run) wait(ctx context.Context, timeout time.Duration) ending {
	end := r.await(ctx, timeout)
	r.child.kill()
	for _, t := range r.taps() {
		t.cut()
	}
	_ = r.stdin.Close()
	r.pumps.Wait()
	r.close()
	select {
	case end.state = <-r.child.state:
	case <-time.After(reapGrace):
	}
	return end
}

// await returns when the poll is to end, and why.
func (r *run) await(ctx context.Context, timeout time.Duration) ending {
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	finished := r.out.finished
	if !r.out.sdk {
		finished = nil // its exit status is its last word
	}
	select {
	case <-r.child.exited:
	case <-r.out.broken:
	case <-timer.C:
		return ending{timedOut: true}
	case <-ctx.Done():
		return ending{ctxErr: ctx.Err()}
	case <-finished:
		grace := time.NewTimer(exitGrace)
		defer grace.Stop()
		select {
		case <-r.child.exited:
		case <-r.out.broken:
		case <-grace.C:
		case <-ctx.Done():
		}
	}
	return ending{}
}

func (r *run) taps() []*tap {
	var open []*tap
	for _, t := range []*tap{r.stdout, r.stderr, r.data} {
		if t != nil {
			open = append(open, t)
		}
	}
	return open
}

func (r *run) close() {
	if r.stdin != nil {
		_ = r.stdin.Close()
	}
	for _, t := range r.taps() {
		_ = t.file.Close()
	}
}

// startError tells what is wrong with the sensor's program from what is wrong with the machine.
func startError(cmd command, err error) error {
	switch {
	case errors.Is(err, syscall.ENOENT):
		return startFault("cannot start %s: the interpreter that its first line names is not there (or the line ends as on Windows)", cmd.path)
	case errors.Is(err, syscall.ENOEXEC):
		return startFault("cannot start %s: begin the file with a line like `#!/bin/sh`, or build it for this machine", cmd.path)
	case errors.Is(err, syscall.EACCES), errors.Is(err, syscall.EPERM), errors.Is(err, syscall.ELOOP), errors.Is(err, syscall.ENOTDIR):
		return startFault("cannot start %s: %v", cmd.path, err)
	}
	return fmt.Errorf("starting a process: %w", err)
}
