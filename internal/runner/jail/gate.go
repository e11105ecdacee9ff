package jail

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// gate is what bwrap waits at when the sandbox is ready: a pipe that it reads one byte from.
//
// bwrap keeps the writing end open, too: if this process dies, it does not see the end of the pipe and starts a program
// that nobody limits, but waits until the warden kills it.
type gate struct {
	report *report
	says   *os.File // the report's other end
	waits  *os.File
	opens  *os.File
}

func newGate() (*gate, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("making a pipe: %w", err)
	}
	g := &gate{report: &report{file: r}, says: w}
	if g.waits, g.opens, err = os.Pipe(); err != nil {
		_, _ = r.Close(), w.Close()
		return nil, fmt.Errorf("making a pipe: %w", err)
	}
	return g, nil
}

// theirs returns bwrap's descriptors for --json-status-fd, --block-fd and --sync-fd.
func (g *gate) theirs() []*os.File { return []*os.File{g.says, g.waits, g.opens} }

func (g *gate) closeTheirs() {
	_ = g.says.Close()
	_ = g.waits.Close()
}

func (g *gate) close() { _ = g.opens.Close() }

// pass lets bwrap go on, and returns when it has: the sandbox is complete and the program about to start. It fails when
// bwrap ended instead.
func (g *gate) pass(ctx context.Context) error {
	if _, err := g.opens.Write([]byte{1}); err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { _ = g.opens.SetWriteDeadline(time.Unix(1, 0)) })
	defer stop()
	conn, err := g.opens.SyscallConn()
	if err != nil {
		return err
	}
	left := 0
	err = conn.Write(func(fd uintptr) bool {
		poll := []unix.PollFd{{Fd: int32(fd)}}
		if n, err := unix.Poll(poll, 0); err != nil || n == 0 {
			return false // somebody can read it still
		}
		left, _ = unix.IoctlGetInt(int(fd), unix.TIOCINQ)
		return true
	})
	if err == nil && left > 0 {
		err = errors.New("bwrap ended while it prepared the sandbox")
	}
	return err
}

// report is what bwrap says of itself: a JSON object a line.
type report struct {
	file *os.File
	text []byte
}

// firstLine returns what bwrap says when process 1 of the sandbox is there.
func (r *report) firstLine(ctx context.Context) ([]byte, error) {
	stop := context.AfterFunc(ctx, func() { _ = r.file.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	for {
		if line, _, ok := bytes.Cut(r.text, []byte("\n")); ok {
			return line, nil
		}
		var buf [512]byte
		n, err := r.file.Read(buf[:])
		r.text = append(r.text, buf[:n]...)
		if err != nil {
			return nil, err
		}
	}
}

// tellsExit says whether bwrap got as far as the program: then it tells how that ended. It is for when bwrap is dead.
func (r *report) tellsExit() bool {
	rest, _ := io.ReadAll(r.file)
	r.text = append(r.text, rest...)
	return bytes.Contains(r.text, []byte("exit-code"))
}

func (r *report) close() { _ = r.file.Close() }
