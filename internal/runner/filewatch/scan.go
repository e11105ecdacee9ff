package filewatch

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/attune-automation/sensors/internal/runner/filewatch/glob"
	"github.com/attune-automation/sensors/internal/runner/filewatch/walk"
	"github.com/attune-automation/sensors/internal/sensor"
)

// Of one sensor. Beyond, it needs more memory and time than a worker should have to spend on it.
const (
	maxFiles   = 1_000_000
	maxFolders = 200_000
)

// scan is how the files differ from what is known of them.
type scan struct {
	walk.Result
	fresh     map[string]walk.File // there is no record of them
	differing []difference
	missing   []*record // there is no file any more
}

type difference struct {
	record *record
	file   walk.File
}

// scan looks at all files. Records stay as they are.
func (w *watcher) scan(ctx context.Context) (*scan, error) {
	s := &scan{fresh: map[string]walk.File{}}
	state := w.state
	state.scans++
	met := 0
	walker := w.walker(func(path []byte, file walk.File) {
		r := state.files[string(path)]
		switch {
		case r == nil:
			s.fresh[string(path)] = file
		case r.seen == state.scans: // by another pattern
		default:
			r.seen = state.scans
			met++
			if w.differs(r, file) {
				s.differing = append(s.differing, difference{r, file})
			}
		}
	})
	if !state.entering {
		walker.Known = func(path []byte) bool { return state.files[string(path)] != nil }
	}
	var err error
	if s.Result, err = walker.Walk(ctx); err != nil {
		return nil, w.walkFault(err)
	}
	if len(state.files)+len(s.fresh) > maxFiles {
		return nil, fault(sensor.FaultLimit, "more than %d files match: name fewer in `paths`, or split them among sensors", maxFiles)
	}
	if met < len(state.files) {
		for _, r := range state.files {
			if r.seen != state.scans {
				s.missing = append(s.missing, r)
			}
		}
	}
	return s, w.checkMounts(s)
}

// walker returns a walk over the sensor's files.
func (p *poll) walker(file func([]byte, walk.File)) *walk.Walker {
	return &walk.Walker{
		Patterns: p.cfg.Paths, Ignore: p.cfg.Ignore, Follow: p.cfg.Follow, MaxDirs: maxFolders,
		Folder: p.folder, File: file,
	}
}

func (p *poll) walkFault(err error) error {
	if unreadable, ok := errors.AsType[*walk.Unreadable](err); ok {
		return fault(sensor.FaultException, "%v", unreadable)
	}
	if errors.Is(err, walk.ErrTooMany) {
		return fault(sensor.FaultLimit, "more than %d folders are to be searched: name deeper ones in `paths`, or leave some out by `ignore`", maxFolders)
	}
	return err
}

func (w *watcher) differs(r *record, f walk.File) bool {
	if !w.cfg.Hash {
		f.Changed = r.file.Changed
	}
	return r.file != f
}

// checkMounts makes sure that files are not taken for deleted whose file system is away: the folder that was its place
// is empty then, and on another device, or is not there.
func (w *watcher) checkMounts(s *scan) error {
	if w.state.entering {
		return nil
	}
	for _, r := range s.missing {
		for _, p := range s.Absent {
			if strings.HasPrefix(r.path, p.Base()+"/") {
				return fault(sensor.FaultException, "%s is gone, with the %d files that were in it: if it is on a mount, mount it; if they are meant to be gone, make the folder",
					glob.Printable(p.Base()), len(s.missing))
			}
		}
		for folder := filepath.Dir(r.path); folder != "/"; folder = filepath.Dir(folder) {
			if device, empty := s.Empty[folder]; empty && device != r.file.Device {
				return fault(sensor.FaultException, "%s is empty, and not the file system on which %d files were: mount it; if they are meant to be gone, put any file there",
					glob.Printable(folder), len(s.missing))
			}
		}
	}
	return nil
}

// remarkOn says what people should know of what was seen, and not seen.
func (p *poll) remarkOn(seen walk.Result) string {
	var remarks []string
	for _, absent := range seen.Absent {
		remarks = append(remarks, fmt.Sprintf("nothing is at %s yet", glob.Printable(absent.Base())))
	}
	for _, loop := range seen.Loops {
		remarks = append(remarks, fmt.Sprintf("%s is a loop of symbolic links and was not followed", glob.Printable(loop)))
	}
	if p.watch != nil {
		if err := p.watch.Refused(); err != nil {
			remarks = append(remarks, fmt.Sprintf("changes wait for the poll interval: %v", err))
		}
	}
	const most = 5
	if more := len(remarks) - most; more > 0 {
		remarks = append(remarks[:most], fmt.Sprintf("and %d more", more))
	}
	return strings.Join(remarks, "; ")
}
