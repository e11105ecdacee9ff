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
	fresh := t.meet()
	for _, file := range t.inOrder() {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := t.check(file, fresh); err != nil {
			return err
		}
	}
	// What is new at the path of a file that was rotated comes first: others may be copies of it.
	again := func(c candidate) bool {
		return slices.ContainsFunc(t.rotated, func(r rotation) bool { return r.path == c.path })
	}
	if err := t.beginAll(fresh, again); err != nil {
		return err
	}
	for _, r := range t.rotated {
		if err := t.between(r, fresh); err != nil {
			return err
		}
	}
	return t.beginAll(fresh, func(candidate) bool { return true })
}

// beginAll begins to read those that match and are new, and have not begun.
func (t *tailer) beginAll(fresh map[fileID]candidate, which func(candidate) bool) error {
	for _, c := range t.found {
		if _, ok := fresh[idOf(c.file)]; !ok || !which(c) {
			continue
		}
		delete(fresh, idOf(c.file))
		if err := t.begin(c, c.path); err != nil {
			return err
		}
	}
	return nil
}

// rotation says that a file is not what it was when it was last read.
type rotation struct {
	path, at string // of the file
	after    int64  // when it was last written to
}

// turned notes that a file was rotated, truncated or deleted, so that there may be others that came after it.
func (t *tailer) turned(file *tracked, after int64) {
	t.rotated = append(t.rotated, rotation{file.path, file.at, after})
}

// meet finds the files that are read among those that match, and elsewhere if they were moved. It returns those that
// match and are not known.
func (t *tailer) meet() map[fileID]candidate {
	fresh := map[fileID]candidate{}
	t.current = map[fileID]walk.File{}
	for _, c := range t.found {
		id := idOf(c.file)
		file := t.state.files[id]
		if file == nil {
			fresh[id] = c
			continue
		}
		if file.at != c.path {
			file.at = c.path
			t.turned(file, c.file.Modified)
			t.keep(file)
		}
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
		t.search(file)
	}
	return fresh
}

// search looks for a file that is at no path that matches.
func (t *tailer) search(file *tracked) {
	if now, regular, err := walk.Lstat(file.at); err == nil && regular && now.Same(file.file) {
		t.away(file, now)
		return
	}
	for _, folder := range slices.Compact([]string{filepath.Dir(file.path), filepath.Dir(file.at)}) {
		for _, s := range siblings(folder) {
			if s.file.Same(file.file) {
				file.at = s.path
				t.turned(file, s.file.Modified)
				t.keep(file)
				t.away(file, s.file)
				return
			}
		}
	}
	t.note("%s is gone: what was written to it after byte %d is lost, unless it was read", glob.Printable(file.at), file.offset)
	t.forget(file)
	t.turned(file, file.file.Modified)
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
	if file.head.Bytes == 0 {
		t.turned(file, file.file.Modified) // it was empty: nothing tells whether it was filled and copied since
	}
	if !same {
		t.copied(file, fresh)
		if file.at != file.path {
			t.overwritten(file, fresh)
			return nil
		}
		file.restart()
	}
	file.file = now
	t.keep(file)
	return nil
}

// overwritten treats what has the inode of a file that was moved away as if it were new. It may be the next copy of the
// file whose rotation that was.
func (t *tailer) overwritten(file *tracked, fresh map[fileID]candidate) {
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
	t.turned(file, after)
}

// copyOf returns the copy of a file beside it; nil: there is none.
func (t *tailer) copyOf(file *tracked) *tracked {
	for _, s := range t.rotations(file.path, file.at) {
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

// between has files read that came and were rotated away after a file was, while nobody looked.
func (t *tailer) between(r rotation, fresh map[fileID]candidate) error {
	for _, s := range t.rotations(r.path, r.at) {
		if s.file.Modified < r.after {
			continue // the clock of a file system is coarse: what is as old may have come later
		}
		delete(fresh, idOf(s.file))
		if err := t.begin(s, r.path); err != nil {
			return err
		}
	}
	return nil
}

// rotations returns the files beside a file that have names of its rotations, and are not read.
func (t *tailer) rotations(path, at string) []candidate {
	var found []candidate
	for _, folder := range slices.Compact([]string{filepath.Dir(path), filepath.Dir(at)}) {
		for _, s := range siblings(folder) {
			known := t.state.files[idOf(s.file)] != nil
			if !known && !compressed(s.path) && rotated(filepath.Base(s.path), filepath.Base(path)) {
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
// a copy of one that is read. It is known by the given path.
func (t *tailer) begin(c candidate, path string) error {
	file := &tracked{path: path, at: c.path, file: c.file}
	f, err := t.open(file)
	if err != nil || f == nil {
		return err
	}
	defer func() { _ = f.Close() }()
	switch original, err := t.isCopy(f, c); {
	case err != nil:
		return err
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
		if file.at == c.path || filepath.Dir(file.path) != filepath.Dir(c.path) || c.file.Size == 0 || c.file.Size > file.file.Size ||
			!rotated(filepath.Base(c.path), filepath.Base(file.path)) {
			continue
		}
		original, err := t.open(file)
		if err != nil {
			return nil, err
		}
		if original == nil {
			continue
		}
		same, err := begins(original, f, c.file.Size)
		_ = original.Close()
		if err != nil {
			return nil, unreadable(c.path, err)
		}
		if same {
			return file, nil
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
