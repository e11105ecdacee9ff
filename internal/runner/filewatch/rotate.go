package filewatch

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/attune-automation/sensors/internal/runner/filewatch/glob"
	"github.com/attune-automation/sensors/internal/runner/filewatch/walk"
)

// compressed says whether a name is that of a file whose lines cannot be read.
func compressed(path string) bool {
	switch filepath.Ext(path) {
	case ".gz", ".bz2", ".xz", ".zst", ".lz4", ".lzma", ".zip", ".br", ".Z", ".tgz":
		return true
	}
	return false
}

// rotated says whether a name is one that a file gets when it is rotated: app.log.1, app.log-20260131, app-2026-01-31.log.
func rotated(name, from string) bool {
	if rest, ok := strings.CutPrefix(name, from); ok {
		return rest != "" && strings.ContainsAny(rest[:1], ".-_~")
	}
	ext := filepath.Ext(from)
	rest, ok := strings.CutPrefix(name, strings.TrimSuffix(from, ext))
	if !ok {
		return false
	}
	middle, ok := strings.CutSuffix(rest, ext)
	return ok && middle != "" && strings.ContainsAny(middle[:1], ".-_") && strings.Trim(middle, "0123456789.-_:TZ") == ""
}

// reconcile finds out what became of the files that are read, and which are new.
func (t *tailer) reconcile(ctx context.Context) error {
	fresh, moved := t.meet()
	for _, file := range t.inOrder() {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := t.check(file, fresh); err != nil {
			return err
		}
		if moved[file] {
			t.between(file, file.file.Modified, fresh)
		}
	}
	for _, c := range t.found {
		if _, ok := fresh[idOf(c.file)]; ok {
			if err := t.begin(c); err != nil {
				return err
			}
		}
	}
	return nil
}

// meet finds the files that are read among those that match, and elsewhere if they were moved. It returns those that
// match and are not known, and those that are not where they were.
func (t *tailer) meet() (fresh map[fileID]candidate, moved map[*tracked]bool) {
	fresh, moved, t.current = map[fileID]candidate{}, map[*tracked]bool{}, map[fileID]walk.File{}
	for _, c := range t.found {
		id := idOf(c.file)
		file := t.state.files[id]
		if file == nil {
			fresh[id] = c
			continue
		}
		moved[file] = file.at != c.path
		file.at = c.path
		t.current[id] = c.file
	}
	for _, file := range t.inOrder() {
		if _, met := t.current[idOf(file.file)]; met {
			continue
		}
		if t.state.entering && file.at == file.path {
			t.forget(file) // the config may have left it out
			continue
		}
		moved[file] = t.search(file, fresh)
	}
	return fresh, moved
}

// search looks for a file that is at no path that matches, and says whether it was moved.
func (t *tailer) search(file *tracked, fresh map[fileID]candidate) (moved bool) {
	if now, regular, err := walk.Lstat(file.at); err == nil && regular && now.Same(file.file) {
		t.away(file, now)
		return false
	}
	for _, folder := range slices.Compact([]string{filepath.Dir(file.path), filepath.Dir(file.at)}) {
		for _, s := range siblings(folder) {
			if s.file.Same(file.file) {
				file.at = s.path
				t.away(file, s.file)
				return true
			}
		}
	}
	t.note("%s is gone: what was written to it after byte %d is lost, unless it was read", glob.Printable(file.at), file.offset)
	t.forget(file)
	t.between(file, file.file.Modified, fresh)
	return false
}

// away notes that a file is read on where it is now, but not for ever.
func (t *tailer) away(file *tracked, now walk.File) {
	if file.at != file.path && file.offset == now.Size && t.now.Sub(moment(now.Modified)) > rotatedFor {
		t.forget(file)
		return
	}
	t.current[idOf(now)] = now
}

// check looks whether a file has only grown since it was read. If not, it begins anew, and what was not yet read is
// looked for in a copy.
func (t *tailer) check(file *tracked, fresh map[fileID]candidate) error {
	now, ok := t.current[idOf(file.file)]
	if now.Changed = 0; !ok || now == file.file {
		return nil
	}
	f, err := t.open(file)
	if err != nil || f == nil {
		return err
	}
	defer func() { _ = f.Close() }()
	same, err := file.is(f, now.Size)
	if err != nil {
		return unreadable(file.at, err)
	}
	switch {
	case !same && file.at != file.path:
		t.overwritten(file, fresh)
		return nil
	case !same:
		t.copied(file, fresh)
		file.restart()
	}
	file.file = now
	t.keep(file)
	return nil
}

// overwritten treats what has the inode of a file that was moved away as if it were new. It may be the next copy of the
// file whose rotation that was.
func (t *tailer) overwritten(file *tracked, fresh map[fileID]candidate) {
	t.note("%s is not what it was: what was written to it after byte %d is lost, unless it was read", glob.Printable(file.at), file.offset)
	t.forget(file)
	for _, c := range t.found {
		if c.file.Same(file.file) {
			fresh[idOf(c.file)] = c
		}
	}
}

// copied has the rest of what was in a file read from the copy that was made of it before it was truncated.
func (t *tailer) copied(file *tracked, fresh map[fileID]candidate) {
	after := file.file.Modified
	if file.head.Bytes > 0 {
		c := t.copyOf(file)
		if c == nil {
			t.note("%s was truncated or replaced: what was written to it after byte %d is lost, unless it was read",
				glob.Printable(file.path), file.offset)
		} else {
			delete(fresh, idOf(c.file))
			t.track(c)
			after = c.file.Modified
		}
	}
	t.between(file, after, fresh)
}

// copyOf returns the copy of a file beside it; nil: there is none.
func (t *tailer) copyOf(file *tracked) *tracked {
	for _, s := range t.rotations(file) {
		if f, err := open(s.path, false); err == nil {
			same, err := file.is(f, s.file.Size)
			_ = f.Close()
			if same && err == nil {
				c := *file
				c.at, c.file, c.stored = s.path, s.file, tailEntry{}
				return &c
			}
		}
	}
	return nil
}

// between has files read that came and were rotated away after a moment, while nobody looked.
func (t *tailer) between(file *tracked, after int64, fresh map[fileID]candidate) {
	for _, s := range t.rotations(file) {
		if s.file.Modified < after {
			continue // the clock of a file system is coarse: what is as old may have come later
		}
		delete(fresh, idOf(s.file))
		t.track(&tracked{path: file.path, at: s.path, file: s.file})
	}
}

// rotations returns the files beside a file that have names of its rotations, and are not read.
func (t *tailer) rotations(file *tracked) []candidate {
	var found []candidate
	for _, folder := range slices.Compact([]string{filepath.Dir(file.path), filepath.Dir(file.at)}) {
		for _, s := range siblings(folder) {
			known := t.state.files[idOf(s.file)] != nil
			if !known && !compressed(s.path) && rotated(filepath.Base(s.path), filepath.Base(file.path)) {
				found = append(found, s)
			}
		}
	}
	return found
}

// track begins to read a file.
func (t *tailer) track(file *tracked) {
	file.file.Changed = 0
	t.state.files[idOf(file.file)] = file
	t.keep(file)
}

// begin begins to read a file that matches and is new: from its beginning, unless it was there before the sensor, or is
// a copy of one that is read.
func (t *tailer) begin(c candidate) error {
	file := &tracked{path: c.path, at: c.path, file: c.file}
	f, err := t.open(file)
	if err != nil || f == nil {
		return err
	}
	defer func() { _ = f.Close() }()
	switch original, err := t.isCopy(f, c); {
	case err != nil:
		return unreadable(c.path, err)
	case original != nil:
		file.path, file.offset = original.path, c.file.Size
	case t.state.entering && !t.cfg.Beginning:
		if err := t.toEnd(f, file); err != nil {
			return unreadable(c.path, err)
		}
	}
	if err := file.stamp(f); err != nil {
		return unreadable(c.path, err)
	}
	t.track(file)
	return nil
}

// isCopy returns the file of which one is a copy that was just made; nil: none. All that it has is read there.
func (t *tailer) isCopy(f *os.File, c candidate) (*tracked, error) {
	for _, file := range t.state.files {
		if file.offset == 0 || file.at == c.path || filepath.Dir(file.path) != filepath.Dir(c.path) ||
			!rotated(filepath.Base(c.path), filepath.Base(file.path)) {
			continue
		}
		if same, err := file.is(f, c.file.Size); same || err != nil {
			return file, err
		}
	}
	return nil, nil //nolint:nilnil // it is none
}

// toEnd moves the offset behind the last end of a line.
func (t *tailer) toEnd(f *os.File, file *tracked) error {
	size := file.file.Size
	buf := make([]byte, min(size, int64(t.cfg.MaxLine)))
	n, err := f.ReadAt(buf, size-int64(len(buf)))
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	switch i := bytes.LastIndexByte(buf[:n], '\n'); {
	case i >= 0:
		file.offset = size - int64(len(buf)) + int64(i) + 1
		if t.cfg.Multiline() {
			file.skip = skipRecord
		}
	case int64(n) < size:
		file.offset, file.skip = size, skipLine
	}
	return nil
}

// siblings returns the regular files of a folder, by name; of one that cannot be read, none.
func siblings(folder string) []candidate {
	entries, _ := os.ReadDir(folder) //nolint:errcheck // what it has is enough
	var files []candidate
	for _, e := range entries {
		path := glob.Join(folder, e.Name())
		if file, regular, err := walk.Lstat(path); err == nil && regular {
			files = append(files, candidate{path, file})
		}
	}
	return files
}
