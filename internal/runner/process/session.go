package process

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"github.com/attune-automation/sensors/internal/runner/jail"
	"github.com/attune-automation/sensors/internal/runner/packs"
	"github.com/attune-automation/sensors/internal/sensor"
)

// exitGrace is how long a process may take to end by itself when nothing more is asked of it.
const exitGrace = time.Second

// session is a process and this side of its pipes.
type session struct {
	launch  launch
	process *jail.Process
	stdin   *os.File
	data    *tap
	stdout  *tap
	stderr  *tap   // nil when it goes the way of stdout
	release func() // lets the pack's folder go
	polls   int    // that began
	cpu     time.Duration
}

// start starts the code's process.
func start(ctx context.Context, jail *jail.Jail, cache *packs.Cache, l launch) (*session, error) {
	s := &session{launch: l, release: cache.Hold(l.prepared)}
	theirs, err := s.open()
	if err == nil {
		command := l.command
		command.Files = theirs
		s.process, err = jail.Start(ctx, command)
	}
	for _, f := range unique(theirs) {
		_ = f.Close()
	}
	if err != nil {
		s.closePipes()
		return nil, startError(l.command.Path, err)
	}
	return s, nil
}

// open makes the pipes and returns the program's ends, in the order of its descriptors.
func (s *session) open() (theirs []*os.File, err error) {
	stdin, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	s.stdin, theirs = w, append(theirs, stdin)
	outLimit := maxLogLine
	if !s.launch.sdk {
		outLimit = maxEventBytes + 1 // an event that is too long by little is to be told its size
	}
	for _, pipe := range []struct {
		tap   **tap
		limit int
	}{{&s.stdout, outLimit}, {&s.stderr, maxLogLine}, {&s.data, maxLine}} {
		if s.launch.sdk && pipe.tap == &s.stderr {
			theirs = append(theirs, theirs[len(theirs)-1]) // one log, in the order in which it is printed
			continue
		}
		var w *os.File
		if *pipe.tap, w, err = newTap(pipe.limit, pipe.tap == &s.data); err != nil {
			return theirs, err
		}
		theirs = append(theirs, w)
	}
	return theirs, nil
}

// maxLine bounds a line of fd 3: an event or a cursor, and the message around it.
const maxLine = maxEventBytes + 8<<10

func unique(files []*os.File) []*os.File {
	var found []*os.File
	for i, f := range files {
		if i == 0 || f != files[i-1] {
			found = append(found, f)
		}
	}
	return found
}

func (s *session) taps() []*tap {
	var open []*tap
	for _, t := range []*tap{s.stdout, s.stderr, s.data} {
		if t != nil {
			open = append(open, t)
		}
	}
	return open
}

func (s *session) closePipes() {
	if s.stdin != nil {
		_ = s.stdin.Close()
	}
	for _, t := range s.taps() {
		_ = t.file.Close()
	}
	s.release()
}

// kill ends the process at once.
func (s *session) kill() {
	s.process.Kill()
	s.closePipes()
}

// retire lets a process that waits for a poll end by itself, or else ends it.
func (s *session) retire() jail.Ending {
	_ = s.stdin.Close()
	grace := time.NewTimer(exitGrace)
	defer grace.Stop()
	select {
	case <-s.process.Exited():
	case <-grace.C:
	}
	end := s.process.Kill()
	s.closePipes()
	return end
}

// exited says whether the process has ended.
func (s *session) exited() bool {
	select {
	case <-s.process.Exited():
		return true
	default:
		return false
	}
}

// fit says whether the process, which waits for a poll, may do one: it lives, and says nothing unasked.
func (s *session) fit() bool { return !s.exited() && !s.data.unread() }

// unfit says why a process must not do another poll after one that went well; empty: it may.
func (s *session) unfit(usage jail.Usage) string {
	limit := s.launch.limits.Memory
	switch {
	case s.exited():
		return "it ended"
	case s.data.unread():
		return "it wrote on fd 3 after done"
	case limit > 0 && usage.Memory > limit:
		return "it holds more memory than it may"
	}
	return ""
}

// startError tells what is wrong with the sensor's program from what is wrong with the machine.
func startError(path string, err error) error {
	var refusal *jail.Refusal
	switch {
	case errors.As(err, &refusal):
		return fault(sensor.FaultStart, "%s", refusal.Reason)
	case errors.Is(err, syscall.ENOENT):
		return fault(sensor.FaultStart, "cannot start %s: the interpreter that its first line names is not there (or the line ends as on Windows)", path)
	case errors.Is(err, syscall.ENOEXEC):
		return fault(sensor.FaultStart, "cannot start %s: begin the file with a line like `#!/bin/sh`, or build it for this machine", path)
	case errors.Is(err, syscall.EACCES), errors.Is(err, syscall.ELOOP), errors.Is(err, syscall.ENOTDIR):
		return fault(sensor.FaultStart, "cannot start %s: %v", path, err)
	}
	return fmt.Errorf("starting a process: %w", err)
}
