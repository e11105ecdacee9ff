package process

import (
	"bytes"
	"errors"
	"io"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// maxPipe is the most that a pipe holds unless root raised it.
	maxPipe = 1 << 20
	// readSize is how much is read at once.
	readSize = 32 << 10
)

// takeLine acts on a line without its end. Of a line longer than the tap's limit it gets the beginning, and how many
// bytes more there were. whole is false for a line that nothing ended: the last one, or in a strict tap one that is too
// long already. The line is valid until it returns.
type takeLine func(line []byte, dropped int, whole bool) error

// tap reads the lines of one of a child's pipes, while a poll is going on.
type tap struct {
	file  *os.File
	conn  syscall.RawConn
	limit int // of a line, in bytes
	// strict has a line that is too long handed over without waiting for its end, which may never come.
	strict bool

	mu    sync.Mutex
	take  takeLine
	lines splitter
	buf   []byte // nil between polls, when nobody reads
	err   error  // io.EOF at the end of the pipe, or take's: nothing more is read
}

// newTap returns the reading end, and the end for the child.
func newTap(limit int, strict bool) (*tap, *os.File, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, nil, err
	}
	conn, err := r.SyscallConn()
	if err != nil {
		return nil, nil, errors.Join(err, r.Close(), w.Close())
	}
	return &tap{file: r, conn: conn, limit: limit, strict: strict}, w, nil
}

// open readies the tap for a poll's pump.
func (t *tap) open(take takeLine) {
	_ = t.file.SetReadDeadline(time.Time{})
	t.mu.Lock()
	defer t.mu.Unlock()
	t.take, t.err, t.lines = take, nil, splitter{limit: t.limit, strict: t.strict}
}

// pump hands over lines until the end of the pipe, an error of take, or cut.
func (t *tap) pump() {
	for {
		err := t.conn.Read(func(fd uintptr) bool { return t.read(fd) > 0 || t.ended() })
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			t.catchUp()
		case err == nil && !t.ended():
			continue
		}
		t.mu.Lock()
		defer t.mu.Unlock()
		if t.err == nil || errors.Is(t.err, io.EOF) {
			_ = t.lines.end(t.take)
		}
		t.buf = nil
		return
	}
}

// cut makes pump end when it has read what is in the pipe, even if some process holds the other end open.
func (t *tap) cut() { _ = t.file.SetReadDeadline(time.Unix(1, 0)) }

// catchUp hands over what is in the pipe now.
func (t *tap) catchUp() {
	_ = t.conn.Control(func(fd uintptr) {
		// The pipe's new owner could write for ever.
		for left := maxPipe; left > 0; {
			n := t.read(fd)
			if n <= 0 {
				return
			}
			left -= n
		}
	})
}

// read reads once, without waiting. It returns 0 when there is nothing to read now, or ever.
func (t *tap) read(fd uintptr) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.err != nil {
		return 0
	}
	if t.buf == nil {
		t.buf = make([]byte, readSize)
	}
	for {
		n, err := unix.Read(int(fd), t.buf)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case errors.Is(err, unix.EAGAIN):
			return 0
		case err != nil || n == 0:
			t.err = io.EOF
			return 0
		}
		t.err = t.lines.feed(t.buf[:n], t.take)
		return n
	}
}

func (t *tap) ended() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.err != nil
}

// unread says whether there is something behind the line for which take returned an error.
func (t *tap) unread() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.lines.more || inPipe(t.conn) > 0
}

// inPipe returns how many bytes are in a pipe. Either end can be asked.
func inPipe(conn syscall.RawConn) int {
	n := 0
	_ = conn.Control(func(fd uintptr) { n, _ = unix.IoctlGetInt(int(fd), unix.TIOCINQ) })
	return n
}

// splitter splits what comes in pieces into lines.
type splitter struct {
	limit   int
	strict  bool
	line    []byte // of which no end has come yet
	dropped int    // bytes of it beyond the limit
	more    bool   // something came behind the line for which take returned an error
}

// feed hands over the lines that end in the piece.
func (s *splitter) feed(piece []byte, take takeLine) error {
	for len(piece) > 0 {
		part, rest, whole := bytes.Cut(piece, []byte("\n"))
		keep := min(len(part), s.limit-len(s.line))
		dropped := s.dropped + len(part) - keep
		line := part[:keep] // most lines need no copy
		if len(s.line) > 0 || !whole {
			s.line = append(s.line, line...)
			line = s.line
		}
		if !whole {
			s.dropped = dropped
			if s.strict && dropped > 0 {
				return take(s.line, dropped, false)
			}
			return nil
		}
		s.line, s.dropped = s.line[:0], 0
		if err := take(line, dropped, true); err != nil {
			s.more = len(rest) > 0
			return err
		}
		piece = rest
	}
	return nil
}

// end hands over a last line that nothing ended.
func (s *splitter) end(take takeLine) error {
	if len(s.line) == 0 {
		return nil
	}
	line, dropped := s.line, s.dropped
	s.line, s.dropped = nil, 0
	return take(line, dropped, false)
}
