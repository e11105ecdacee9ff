package filewatch

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"github.com/attune-automation/sensors/internal/runner/filewatch/walk"
	"github.com/attune-automation/sensors/internal/sensor"
)

// record is what is known of a file: what was last reported, or found at the beginning.
type record struct {
	path string
	file walk.File // Changed is 0 unless content is compared
	hash string    // SHA-256 in hex; empty: not known
	seen uint32    // the last scan that met it
}

// sighting is a difference between a file and its record, since when it is as it is.
type sighting struct {
	file  walk.File // zero: there is no file
	since time.Time
}

// watchState is all that is known of the files of a sensor.
type watchState struct {
	files    map[string]*record
	pending  map[string]sighting // of what is not yet quiet; lost with the process, which costs a delay only
	scans    uint32
	entering bool // the files that are there have not all been taken stock of
	remark   string
}

func newWatchState(entries []sensor.Entry) (*watchState, error) {
	s := &watchState{files: make(map[string]*record, len(entries))}
	for _, e := range entries {
		r, err := recordOf(e)
		if err != nil {
			return nil, err
		}
		s.files[r.path] = r
	}
	return s, nil
}

// change is one difference that is to be told.
type change struct {
	kind Change // empty: to nobody, it is only kept
	path string
	old  *record   // nil: there was no file
	now  walk.File // zero: there is no file
	pair bool      // it is what a file was moved to, old is where from
}

// watcher is one poll of a sensor that watches.
type watcher struct {
	*poll
	state   *watchState
	next    map[string]sighting
	due     time.Time // when the first of what is not quiet will be
	changes []change
}

// run looks at all files and brings what is quiet.
func (w *watcher) run(ctx context.Context) (sensor.Poll, error) {
	seen, err := w.scan(ctx)
	if err != nil {
		return sensor.Poll{}, err
	}
	w.next = map[string]sighting{}
	w.compare(seen)
	w.state.pending = w.next
	slices.SortFunc(w.changes, func(a, b change) int { return cmp.Compare(a.path, b.path) })
	more, err := w.bring(ctx)
	if err != nil {
		return sensor.Poll{}, err
	}
	if w.state.entering && !more {
		w.state.entering = false
		w.ledger.part.Cursor = w.cursor(w.cfg.Scope)
	}
	if err := w.ledger.flush(ctx); err != nil {
		return sensor.Poll{}, err
	}
	return sensor.Poll{More: more, NextAt: w.nextAt(w.due), Skip: w.remark(seen)}, nil
}

// compare finds what has changed, and what of it is quiet.
func (w *watcher) compare(seen *scan) {
	if w.state.entering {
		w.enter(seen)
	} else {
		w.pairMoves(seen)
		for _, r := range seen.missing {
			if w.quiet(r.path, walk.File{}) {
				w.changes = append(w.changes, change{kind: Deleted, path: r.path, old: r})
			}
		}
	}
	for path, file := range seen.fresh {
		if w.quiet(path, file) {
			w.changes = append(w.changes, change{kind: Created, path: path, now: file})
		}
	}
	for _, d := range seen.differing {
		c := change{kind: Modified, path: d.record.path, old: d.record, now: d.file}
		switch {
		case !w.cfg.Hash && d.record.file.Size == d.file.Size && d.record.file.Modified == d.file.Modified:
			c.kind = "" // it was replaced by a copy of itself
			w.changes = append(w.changes, c)
		case w.quiet(c.path, c.now):
			w.changes = append(w.changes, c)
		}
	}
}

// enter takes stock of what is there: what is not known is kept without being told, unless all is to be told, and what
// is not met any more is forgotten, as the config may have left it out.
func (w *watcher) enter(seen *scan) {
	for _, r := range seen.missing {
		w.changes = append(w.changes, change{path: r.path, old: r})
	}
	if w.cfg.Report {
		return
	}
	for path, file := range seen.fresh {
		w.changes = append(w.changes, change{path: path, now: file})
	}
	seen.fresh = nil
}

// identity is what a file keeps when it is moved.
type identity struct {
	device, inode  uint64
	size, modified int64
}

func identify(f walk.File) identity { return identity{f.Device, f.Inode, f.Size, f.Modified} }

// pairMoves takes out of the scan what is gone at one path and new at another. A file that was changed as well is not
// taken for the same: its inode may have been used again.
func (w *watcher) pairMoves(seen *scan) {
	if !w.cfg.Changes[Moved] || len(seen.missing) == 0 || len(seen.fresh) == 0 {
		return
	}
	lost := map[identity][]*record{}
	slices.SortFunc(seen.missing, func(a, b *record) int { return cmp.Compare(a.path, b.path) })
	for _, r := range seen.missing {
		lost[identify(r.file)] = append(lost[identify(r.file)], r)
	}
	moved := map[*record]bool{}
	for _, path := range slices.Sorted(maps.Keys(seen.fresh)) {
		file := seen.fresh[path]
		from := lost[identify(file)]
		if len(from) == 0 {
			continue
		}
		lost[identify(file)] = from[1:]
		moved[from[0]] = true
		delete(seen.fresh, path)
		if w.quiet(path, file) {
			w.changes = append(w.changes, change{kind: Moved, path: path, old: from[0], now: file, pair: true})
		}
	}
	seen.missing = slices.DeleteFunc(seen.missing, func(r *record) bool { return moved[r] })
}

// trusted is how old a change must be for us to believe the clock of a file system that it is over. A file that this
// worker saw unchanged for the settle time needs no such belief.
const trusted = time.Minute

// quiet notes a difference and says whether it has been the same for long enough.
func (w *watcher) quiet(path string, file walk.File) bool {
	now := w.now
	s := sighting{file: file, since: now}
	if before, ok := w.state.pending[path]; ok && before.file == file {
		s.since = before.since
	}
	due := s.since.Add(w.cfg.Settle)
	if !due.After(now) || file != (walk.File{}) && now.Sub(time.Unix(0, file.Changed)) >= w.cfg.Settle+trusted {
		w.next[path] = s // it may be left for the next poll
		return true
	}
	w.next[path] = s
	if w.due.IsZero() || due.Before(w.due) {
		w.due = due
	}
	return false
}

// bring puts the changes into parts. It returns true if there are more than one poll brings.
func (w *watcher) bring(ctx context.Context) (more bool, err error) {
	for _, c := range w.changes {
		if w.ledger.full() || w.tired() {
			return true, nil
		}
		if err := w.apply(ctx, c); err != nil {
			return false, err
		}
		delete(w.next, c.path)
		if err := w.ledger.settle(ctx); err != nil {
			return false, err
		}
	}
	return false, nil
}

// apply tells one change, if somebody wants to know, and keeps that it was told.
func (w *watcher) apply(ctx context.Context, c change) error {
	if c.now == (walk.File{}) {
		w.tell(c, nil)
		delete(w.state.files, c.path)
		w.ledger.keep(c.old.gone())
		return nil
	}
	r := &record{path: c.path, file: c.now, seen: w.state.scans}
	switch {
	case c.pair:
		r.hash = c.old.hash
	case w.cfg.Hash:
		var ok bool
		var err error
		if r.hash, ok, err = hashOf(ctx, c.path, c.now, w.cfg.Follow); err != nil || !ok {
			return err // it is changing, or gone: the next poll sees what it is by then
		}
	}
	if !w.cfg.Hash {
		r.file.Changed = 0
	}
	if c.kind == Modified && w.cfg.Hash && sameContent(c.old, r) {
		c.kind = ""
	}
	w.tell(c, r)
	if c.pair {
		delete(w.state.files, c.old.path)
		w.ledger.keep(c.old.gone())
	}
	w.state.files[c.path] = r
	w.ledger.keep(r.entry())
	return nil
}

// sameContent compares by hash; if one is not known, as the config did not ask for it then, by size and time.
func sameContent(a, b *record) bool {
	if a.hash == "" {
		return a.file.Size == b.file.Size && a.file.Modified == b.file.Modified
	}
	return a.hash == b.hash
}

// remark says what people should know of a poll that may have brought nothing, and has the log tell it once.
func (w *watcher) remark(seen *scan) string {
	text := w.remarkOn(seen.Result)
	if text != w.state.remark && text != "" {
		w.note("%s", text)
	}
	w.state.remark = text
	return text
}
