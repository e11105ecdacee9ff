package sensorlog

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/attune-automation/sensors/internal/sensor"
)

const (
	// flushInterval is how long a line may wait before it is written.
	flushInterval = 500 * time.Millisecond
	// flushBytes is how many bytes may wait.
	flushBytes = 32 << 10
)

// file is the log of one sensor while it is being polled. Lines are written in whole, so that a worker that is killed
// leaves nothing that cannot be read.
type file struct {
	dir   *Dir
	ref   string
	users int // Writers, guarded by dir.mu; a file without any is not in dir.files

	mu      sync.Mutex // before dir.mu
	buf     []byte
	timer   *time.Timer
	waiting bool     // for the timer
	stopped bool     // the folder is closed
	out     *os.File // nil: not open
	size    int64
	torn    bool // the last line has no end
}

// add takes a line and sees to it that it is written soon.
func (f *file) add(at time.Time, source, text string) {
	f.buf = appendLine(f.buf, at, source, text)
	switch {
	case len(f.buf) >= min(flushBytes, int(f.dir.cfg.MaxBytes)):
		f.flush()
	case f.waiting:
	case f.timer == nil:
		f.timer = time.AfterFunc(flushInterval, f.tick)
		f.waiting = true
	default:
		f.timer.Reset(flushInterval)
		f.waiting = true
	}
}

func (f *file) tick() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.waiting = false
	f.flush()
}

// flush writes what waits, or drops it.
func (f *file) flush() {
	if len(f.buf) == 0 {
		return
	}
	if err := f.write(f.buf); err != nil {
		f.dir.complain(f.ref, bytes.Count(f.buf, []byte{'\n'}), err)
	}
	f.buf = f.buf[:0]
}

func (f *file) write(lines []byte) error {
	if f.out != nil && deleted(f.out) {
		f.close()
	}
	if f.out == nil {
		if err := f.open(); err != nil {
			return err
		}
	}
	if f.size > 0 && f.size+int64(len(lines)) > f.dir.cfg.MaxBytes {
		if err := f.rotate(); err != nil {
			return err
		}
	}
	if f.torn {
		lines = append([]byte{'\n'}, lines...)
	}
	n, err := f.out.Write(lines)
	f.size += int64(n)
	if n > 0 {
		f.torn = lines[n-1] != '\n'
	}
	return err
}

// open opens the file for what comes next.
func (f *file) open() error {
	if err := sensor.CheckRef(f.ref); err != nil {
		return err // it could lead out of the folder
	}
	path, err := f.path(false)
	if err != nil {
		return err
	}
	if f.out, err = openLog(path); errors.Is(err, fs.ErrNotExist) {
		if path, err = f.path(true); err != nil {
			return err
		}
		f.out, err = openLog(path)
	}
	if err != nil {
		return err
	}
	if f.size, f.torn, err = measure(f.out); err != nil {
		f.close()
	}
	return err
}

// path returns where the file is; renew makes its folder again.
func (f *file) path(renew bool) (string, error) {
	slot, err := f.dir.place(renew)
	if err != nil {
		return "", err
	}
	return filepath.Join(slot, logName(f.ref)), nil
}

func openLog(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_RDWR|os.O_APPEND|os.O_CREATE|syscall.O_NOFOLLOW, 0o600)
}

// measure returns the size of a file, and whether its last line has no end: the disk was full, or a machine died.
func measure(out *os.File) (size int64, torn bool, err error) {
	info, err := out.Stat()
	if err != nil || info.Size() == 0 {
		return 0, false, err
	}
	last := make([]byte, 1)
	if _, err := out.ReadAt(last, info.Size()-1); err != nil {
		return 0, false, err
	}
	return info.Size(), last[0] != '\n', nil
}

// deleted says whether somebody deleted a file while it is open: what is written to it is lost.
func deleted(out *os.File) bool {
	var stat syscall.Stat_t
	return syscall.Fstat(int(out.Fd()), &stat) == nil && stat.Nlink == 0
}

// rotate moves each file to the next number, deletes the last, and begins a new one. Files only move upward and are
// gone at the end, which readers rely on.
func (f *file) rotate() error {
	path := f.out.Name()
	f.close()
	for n := f.dir.cfg.MaxFiles; ; n++ { // there were more of them once
		if err := os.Remove(numbered(path, n)); err != nil {
			break
		}
	}
	for n := f.dir.cfg.MaxFiles - 1; n > 0; n-- {
		if err := os.Rename(numbered(path, n-1), numbered(path, n)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("rotating: %w", err)
		}
	}
	if f.dir.cfg.MaxFiles == 1 {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("rotating: %w", err)
		}
	}
	return f.open()
}

// close closes the file itself.
func (f *file) close() {
	if f.timer != nil {
		f.timer.Stop()
		f.waiting = false
	}
	if f.out != nil {
		_ = f.out.Close()
		f.out = nil
	}
}

// stop ends the file with its folder.
func (f *file) stop() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.flush()
	f.close()
	f.stopped = true
}

func logName(ref string) string { return ref + ".log" }

// numbered returns the path of a file that was rotated n times.
func numbered(path string, n int) string {
	if n == 0 {
		return path
	}
	return path + "." + strconv.Itoa(n)
}
