package sensorlog

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"io/fs"
	"math"
	"os"
	"slices"
	"time"
)

// tail reads the files of one sensor and one worker, and goes on where it stopped. It keeps the file open in which that
// was, so that it knows it again under another number.
type tail struct {
	path   string   // of the current file
	file   *os.File // nil: there was none yet
	offset int64    // behind the last line that was read
}

// next returns the lines since then: at first at least the last ones, if last is not 0.
func (t *tail) next(since time.Time, last int) ([]Line, error) {
	if t.file == nil {
		return t.begin(since, last)
	}
	moved, err := t.moved()
	if err != nil {
		return nil, err
	}
	lines, err := t.rest(since, moved)
	if err != nil || !moved {
		return lines, err
	}
	files, err := openAll(t.path)
	if err != nil {
		return nil, err
	}
	newer := len(files) // all, if the file is gone by now
	for i, f := range files {
		if sameFile(t.file, f) {
			newer = i
		}
	}
	closeAll(files[newer:])
	if newer == 0 {
		return lines, nil // the new one comes in a moment
	}
	for _, f := range slices.Backward(files[:newer]) { // oldest first
		t.close()
		t.file, t.offset = f, 0
		more, err := t.rest(since, f != files[0])
		if err != nil {
			closeAll(files[:slices.Index(files, f)])
			return nil, err
		}
		lines = append(lines, more...)
	}
	return lines, nil
}

// begin reads from the newest file backward, as far as the lines are asked for.
func (t *tail) begin(since time.Time, last int) ([]Line, error) {
	files, err := openAll(t.path)
	if err != nil || len(files) == 0 {
		return nil, err
	}
	defer func() { closeAll(files[1:]) }()
	t.file = files[0]
	lines, err := t.rest(since, false)
	for _, f := range files[1:] {
		if err != nil || last > 0 && len(lines) >= last || !changedSince(f, since) {
			break
		}
		older := tail{file: f}
		var more []Line
		more, err = older.rest(since, true)
		lines = append(more, lines...)
	}
	return lines, err
}

// rest returns the lines behind the offset; also one without end if the file is complete.
func (t *tail) rest(since time.Time, complete bool) ([]Line, error) {
	info, err := t.file.Stat()
	if err != nil {
		return nil, err
	}
	if info.Size() < t.offset { // somebody emptied it
		t.offset = 0
	}
	if info.Size() == t.offset {
		return nil, nil
	}
	var lines []Line
	buffered := bufio.NewReaderSize(io.NewSectionReader(t.file, t.offset, math.MaxInt64-t.offset), 64<<10)
	for {
		raw, err := buffered.ReadBytes('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, err
		}
		if err != nil && !complete || len(raw) == 0 {
			return lines, nil
		}
		t.offset += int64(len(raw))
		line, ok := parseLine(bytes.TrimSuffix(raw, []byte{'\n'}))
		if ok && !line.Time.Before(since) {
			lines = append(lines, line)
		}
	}
}

// moved says whether the file is no longer the current one: then nothing is added to it.
func (t *tail) moved() (bool, error) {
	now, err := os.Stat(t.path)
	if errors.Is(err, fs.ErrNotExist) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	then, err := t.file.Stat()
	return err == nil && !os.SameFile(now, then), err
}

func (t *tail) close() {
	if t.file != nil {
		_ = t.file.Close()
		t.file = nil
	}
}

// openAll opens the files of a sensor and worker, newest first. While they are rotated they move from number to number
// upward, so going upward meets each of them, some twice; a number may be free for a moment.
func openAll(path string) ([]*os.File, error) {
	var files []*os.File
	for n, missing := 0, 0; missing < 2; n++ {
		f, err := os.Open(numbered(path, n))
		if errors.Is(err, fs.ErrNotExist) {
			missing++
			continue
		}
		if err != nil {
			closeAll(files)
			return nil, err
		}
		missing = 0
		if slices.ContainsFunc(files, func(other *os.File) bool { return sameFile(f, other) }) {
			_ = f.Close()
			continue
		}
		files = append(files, f)
	}
	return files, nil
}

func closeAll(files []*os.File) {
	for _, f := range files {
		_ = f.Close()
	}
}

func sameFile(a, b *os.File) bool {
	infoA, errA := a.Stat()
	infoB, errB := b.Stat()
	return errA == nil && errB == nil && os.SameFile(infoA, infoB)
}

func changedSince(f *os.File, since time.Time) bool {
	info, err := f.Stat()
	return err != nil || !info.ModTime().Before(since)
}
