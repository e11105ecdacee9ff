package process

import (
	"bufio"
	"errors"
	"io"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// maxPipe is the most that a pipe holds unless root raised it.
const maxPipe = 1 << 20

// tap reads one of a child's pipes. After cut it returns what is in the pipe and then io.EOF, even if a process that
// left the child's group holds the other end open.
type tap struct {
	file *os.File
	left int // may still be read after cut: the pipe's new owner could write for ever
}

// newTap returns the reading end, and the end for the child.
func newTap() (*tap, *os.File, error) {
	r, w, err := os.Pipe()
	return &tap{file: r, left: maxPipe}, w, err
}

// cut is for when the child is dead: all that it wrote is in the pipe.
func (t *tap) cut() { _ = t.file.SetReadDeadline(time.Unix(1, 0)) }

func (t *tap) Read(p []byte) (int, error) {
	n, err := t.file.Read(p)
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		return n, err
	}
	return t.drain(p)
}

func (t *tap) drain(p []byte) (n int, err error) {
	conn, err := t.file.SyscallConn()
	if err != nil {
		return 0, err
	}
	p = p[:min(len(p), t.left)]
	controlErr := conn.Control(func(fd uintptr) {
		for {
			if n, err = unix.Read(int(fd), p); !errors.Is(err, unix.EINTR) {
				return
			}
		}
	})
	if controlErr != nil {
		return 0, controlErr
	}
	if n <= 0 { // at the end, or EAGAIN: nothing left
		return 0, io.EOF
	}
	t.left -= n
	return n, nil
}

// readLine returns the next line without its end. Of a line longer than limit it returns the first limit bytes, and how
// many more there were. whole is false for a last line that nothing ended. The line is valid until the next call.
func readLine(r *bufio.Reader, buf []byte, limit int) (line []byte, dropped int, whole bool, err error) {
	line = buf[:0]
	for {
		part, err := r.ReadSlice('\n')
		if err == nil {
			part, whole = part[:len(part)-1], true
		}
		keep := min(len(part), limit-len(line))
		line = append(line, part[:keep]...)
		dropped += len(part) - keep
		switch {
		case whole:
			return line, dropped, true, nil
		case errors.Is(err, bufio.ErrBufferFull):
		case len(line) > 0:
			return line, dropped, false, nil // the reader repeats its error at the next call
		default:
			return nil, 0, false, err
		}
	}
}
