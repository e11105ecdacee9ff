package cli

import (
	"context"
	"errors"
	"io/fs"
	"maps"
	"path/filepath"
	"strings"
	"time"

	"github.com/attune-automation/sensors/internal/pack"
	"github.com/attune-automation/sensors/internal/store"
)

const (
	lookInterval  = 300 * time.Millisecond // between two looks at the folders
	retryInterval = 5 * time.Second        // after an apply that failed for another reason than the packs
	maxUnsettled  = 5                      // looks after which a change counts although others follow it
)

// applyEachSave applies the packs, and again whenever something in their folders changes, until ctx ends. A change counts
// once the next look finds no other: editors write several files, and files in several steps.
func (s *session) applyEachSave(ctx context.Context, dirs, set []string, opts store.ApplyOptions) error {
	var applied files
	var retry <-chan time.Time
	due, unsettled := true, 0
	tick := time.NewTicker(lookInterval)
	defer tick.Stop()
	for last := look(dirs); ; {
		seen := look(dirs)
		due = due || !maps.Equal(seen, applied)
		switch {
		case !due:
		case maps.Equal(seen, last) || unsettled == maxUnsettled:
			retry = s.applyOnce(ctx, dirs, set, opts)
			applied, due, unsettled = seen, false, 0
		default:
			unsettled++
		}
		last = seen
		select {
		case <-ctx.Done():
			return nil
		case <-retry:
			due = true
		case <-tick.C:
		}
	}
}

// applyOnce is one apply with connections of its own, so that it does not matter what became of the servers since the
// last one. It returns when to try again, if that has nothing to do with the packs.
func (s *session) applyOnce(ctx context.Context, dirs, set []string, opts store.ApplyOptions) (retry <-chan time.Time) {
	one := *s
	one.closers = nil
	defer one.close()
	err := one.apply(ctx, dirs, set, opts)
	if ctx.Err() != nil {
		return nil
	}
	if err != nil {
		s.warn("%v", err)
		if _, ok := errors.AsType[no](err); !ok {
			retry = time.After(retryInterval)
		}
	}
	s.say("watching %s: save a file to apply it, Ctrl-C ends this", strings.Join(dirs, ", "))
	return retry
}

// files is what is known of the files in folders without reading them, by path.
type files map[string]fileState

type fileState struct {
	size    int64
	mode    fs.FileMode
	changed int64 // in nanoseconds
}

// look lists the files that belong to packs. What cannot be read is left out: to apply it says why.
func look(dirs []string) files {
	seen := files{}
	for _, dir := range dirs {
		_ = filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
			switch {
			case err != nil:
				return nil
			case path != dir && pack.Skipped(entry.Name()):
				if entry.IsDir() {
					return fs.SkipDir
				}
				return nil
			case entry.IsDir():
				return nil
			}
			if info, err := entry.Info(); err == nil {
				seen[path] = fileState{info.Size(), info.Mode(), info.ModTime().UnixNano()}
			}
			return nil
		})
	}
	return seen
}
