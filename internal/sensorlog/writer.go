package sensorlog

import (
	"strings"
	"time"
)

// Writer writes the log of one sensor during one poll. It is safe for concurrent use; two polls of one sensor write to
// the same file.
type Writer struct {
	file   *file
	closed bool // guarded by file.mu
}

// Writer begins a poll of a sensor. Nothing is opened before the first line. Close it when the poll is over.
func (d *Dir) Writer(ref string) *Writer {
	d.mu.Lock()
	defer d.mu.Unlock()
	f := d.files[ref]
	if f == nil {
		f = &file{dir: d, ref: ref}
		d.files[ref] = f
	}
	f.users++
	return &Writer{file: f}
}

// WriteLine writes what source said at a moment; source is one of the constants. Text of several lines becomes several.
// It may reach the file half a second later.
func (w *Writer) WriteLine(at time.Time, source, text string) {
	f := w.file
	f.mu.Lock()
	defer f.mu.Unlock()
	if w.closed || f.stopped {
		return
	}
	for {
		line, rest, more := strings.Cut(text, "\n")
		f.add(at, source, strings.TrimSuffix(line, "\r"))
		if !more || rest == "" {
			return
		}
		text = rest
	}
}

// Close writes what is still to be written, and closes the file unless another poll of the sensor is going on.
func (w *Writer) Close() {
	f := w.file
	f.mu.Lock()
	defer f.mu.Unlock()
	if w.closed {
		return
	}
	w.closed = true
	f.flush()
	f.dir.mu.Lock()
	defer f.dir.mu.Unlock()
	if f.users--; f.users == 0 {
		delete(f.dir.files, f.ref)
		f.close()
	}
}
