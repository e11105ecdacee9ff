package filewatch

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/attune-automation/sensors/internal/runner/filewatch/walk"
	"github.com/attune-automation/sensors/internal/sensor"
)

// rotatedFor is how long a file that was moved away is read on after its last change.
const rotatedFor = time.Hour

// maxTailed is how many files one sensor reads.
const maxTailed = 10_000

// tailer is one poll of a sensor that reads lines.
type tailer struct {
	*poll
	state   *tailState
	waiting map[fileID]sighting
	due     time.Time // when the first end that may go on counts as complete
	found   []candidate
	current map[fileID]walk.File // of the files that are read, what they are now
	rotated []rotation
	more    bool
}

// candidate is a file that matches.
type candidate struct {
	path string
	file walk.File
}

// run finds the files and brings what was appended to them.
func (t *tailer) run(ctx context.Context) (sensor.Poll, error) {
	seen, err := t.find(ctx)
	if err != nil {
		return sensor.Poll{}, err
	}
	if err := t.reconcile(ctx); err != nil {
		return sensor.Poll{}, err
	}
	t.waiting = map[fileID]sighting{}
	for _, file := range t.inOrder() {
		if t.more = t.more || t.ledger.full() || t.tired(); t.more {
			break
		}
		if err := t.read(ctx, file); err != nil {
			return sensor.Poll{}, err
		}
	}
	t.state.waiting = t.waiting
	if t.state.entering {
		t.state.entering = false
		t.ledger.part.Cursor = t.cursor(t.cfg.Scope)
	}
	if err := t.ledger.flush(ctx); err != nil {
		return sensor.Poll{}, err
	}
	return sensor.Poll{More: t.more, NextAt: t.nextAt(t.due), Skip: t.remark(seen)}, nil
}

// find looks for the files that match. Each is met once, under the first of its names.
func (t *tailer) find(ctx context.Context) (walk.Result, error) {
	names := map[string]walk.File{}
	seen, err := t.walker(func(path []byte, file walk.File) {
		if !compressed(string(path)) {
			names[string(path)] = file
		}
	}).Walk(ctx)
	if err != nil {
		return seen, t.walkFault(err)
	}
	if len(names)+len(t.state.files) > maxTailed {
		return seen, fault(sensor.FaultLimit, "more than %d files match: name fewer in `paths`, or split them among sensors", maxTailed)
	}
	for path, file := range names {
		t.found = append(t.found, candidate{path, file})
	}
	slices.SortFunc(t.found, func(a, b candidate) int { return cmp.Compare(a.path, b.path) })
	met := map[fileID]bool{}
	t.found = slices.DeleteFunc(t.found, func(c candidate) bool {
		again := met[idOf(c.file)]
		met[idOf(c.file)] = true
		return again
	})
	return seen, nil
}

// inOrder returns the files that may have something new: first those that were moved away, the oldest first.
func (t *tailer) inOrder() []*tracked {
	var files []*tracked
	for _, f := range t.state.files {
		files = append(files, f)
	}
	slices.SortFunc(files, func(a, b *tracked) int {
		switch aAway, bAway := a.at != a.path, b.at != b.path; {
		case aAway && bAway:
			return cmp.Or(cmp.Compare(a.file.Modified, b.file.Modified), cmp.Compare(a.at, b.at))
		case aAway:
			return -1
		case bAway:
			return 1
		}
		return cmp.Compare(a.path, b.path)
	})
	return files
}

// read brings what was appended to one file.
func (t *tailer) read(ctx context.Context, file *tracked) error {
	if file.offset == file.file.Size {
		return nil
	}
	f, err := t.open(file)
	if err != nil || f == nil {
		return err
	}
	defer func() { _ = f.Close() }()
	lines := newLineReader(f, file.offset, t.cfg.MaxLine)
	a := assembler{cfg: t.cfg, file: file, emit: func(p piece) error { return t.emit(ctx, f, p, file) }}
	for n := 1; ; n++ {
		text, from, to, kind, err := lines.next()
		if err != nil {
			return unreadable(file.at, err)
		}
		if kind == none || kind == open_ && file.skip != skipLine {
			return t.end(ctx, f, &a, text, from, to, kind)
		}
		if err := a.take(text, from, to, kind); err != nil {
			return err
		}
		if t.ledger.full() || n%1024 == 0 && t.tired() {
			t.more = true
			return t.stamp(f, file)
		}
		if n%1024 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
	}
}

// end decides about what may go on at the end of a file: it is complete when the file has been quiet for long enough.
func (t *tailer) end(ctx context.Context, f *os.File, a *assembler, text []byte, from, to int64, kind lineKind) error {
	quiet := t.quiet(a.file)
	if kind == open_ {
		if quiet < t.cfg.Partial {
			t.await(a.file, t.cfg.Partial-quiet)
		} else if err := a.take(text, from, to, kind); err != nil {
			return err
		}
	}
	if a.open {
		if quiet < t.cfg.Flush {
			t.await(a.file, t.cfg.Flush-quiet)
		} else if err := a.flush(); err != nil {
			return err
		}
	}
	return t.stamp(f, a.file)
}

// quiet returns for how long a file is known to be as it is.
func (t *tailer) quiet(file *tracked) time.Duration {
	unchanged := file.file
	unchanged.Changed = 0
	s := sighting{file: unchanged, since: t.now}
	if before, ok := t.state.waiting[idOf(file.file)]; ok && before.file == unchanged {
		s.since = before.since
	}
	t.waiting[idOf(file.file)] = s
	return max(t.now.Sub(s.since), t.now.Sub(time.Unix(0, file.file.Modified))-trusted)
}

func (t *tailer) await(file *tracked, rest time.Duration) {
	if due := t.now.Add(rest); t.due.IsZero() || due.Before(t.due) {
		t.due = due
	}
}

// open opens a tracked file; nil: it is not there any more, which the next poll sees.
func (t *tailer) open(file *tracked) (*os.File, error) {
	f, err := open(file.at, t.cfg.Follow)
	if err != nil {
		if vanished(err) {
			return nil, nil
		}
		return nil, unreadable(file.at, err)
	}
	now, regular, err := walk.Stat(f)
	if err != nil || !regular || !now.Same(file.file) {
		_ = f.Close()
		if err != nil {
			err = unreadable(file.at, err)
		}
		return nil, err
	}
	return f, nil
}

// emit brings a record if it is what the sensor looks for, and stores what was brought when it is enough.
func (t *tailer) emit(ctx context.Context, f *os.File, p piece, file *tracked) error {
	if payload := t.cfg.payload(p, file); payload != nil {
		t.ledger.add(sensor.Item{Payload: payload})
	}
	if !t.ledger.ready() {
		return nil
	}
	if err := t.stamp(f, file); err != nil {
		return err
	}
	return t.ledger.flush(ctx)
}

// stamp notes how far a file was read.
func (t *tailer) stamp(f *os.File, file *tracked) error {
	if file.offset != file.stored.Offset || int64(file.head.Bytes) < min(printBytes, file.file.Size) {
		if err := file.stamp(f); err != nil {
			return unreadable(file.at, err)
		}
	}
	t.keep(file)
	return nil
}

// keep notes what is known of a file, if the database does not know it. That a file has grown it need not know.
func (t *tailer) keep(file *tracked) {
	value, stored := file.value(), file.stored
	if value.Offset == stored.Offset {
		stored.Size, stored.Modified = value.Size, value.Modified
	}
	if value != stored {
		t.ledger.keep(entryOf(idOf(file.file).key(), value))
		file.stored = value
	}
}

// forget notes that a file is of no interest any more.
func (t *tailer) forget(file *tracked) {
	delete(t.state.files, idOf(file.file))
	t.ledger.keep(sensor.Entry{Key: idOf(file.file).key()})
}

// remark says what people should know of a poll that may have brought nothing, and has the log tell it once.
func (t *tailer) remark(seen walk.Result) string {
	text := t.remarkOn(seen)
	if len(t.found) == 0 && len(seen.Absent) < len(t.cfg.Paths) {
		text = join(text, fmt.Sprintf("no file matches %s", patterns(t.cfg.Paths)))
	}
	if text != t.state.remark && text != "" {
		t.note("%s", text)
	}
	t.state.remark = text
	return text
}
