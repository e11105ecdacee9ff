package sensorlog

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/attune-automation/sensors/internal/sensor"
)

// followInterval is the time between two looks at the files.
const followInterval = 200 * time.Millisecond

// Query says which lines to read.
type Query struct {
	Dir   string // that workers were given; it may be missing
	Ref   string // of the sensor
	Since time.Time
	Last  int // at most so many, the newest ones; 0: all
}

// Read returns the lines of a sensor that the workers of this host keep, by time. It returns nil if there are none.
func Read(q Query) ([]Line, error) {
	r := reader{query: q, tails: map[string]*tail{}}
	defer r.close()
	return r.next()
}

// Follow reads what Read does, and then what is added until ctx ends. It calls emit with lines by time, also once with
// none if there are none to begin with; its error ends Follow.
func Follow(ctx context.Context, q Query, emit func([]Line) error) error {
	r := reader{query: q, tails: map[string]*tail{}}
	defer r.close()
	ticker := time.NewTicker(followInterval)
	defer ticker.Stop()
	for first := true; ; first = false {
		lines, err := r.next()
		if err == nil && (first || len(lines) > 0) {
			err = emit(lines)
		}
		if err != nil {
			return err
		}
		r.query.Last = 0 // what is added counts as a whole
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

// reader reads the files of one sensor in the folders of all workers.
type reader struct {
	query Query
	tails map[string]*tail // by folder
}

// next returns the lines since the call before, by time.
func (r *reader) next() ([]Line, error) {
	if err := r.scan(); err != nil {
		return nil, fmt.Errorf("reading the log of sensor %q: %w", r.query.Ref, err)
	}
	var lines []Line
	for _, t := range r.tails {
		more, err := t.next(r.query.Since, r.query.Last)
		if err != nil {
			return nil, fmt.Errorf("reading the log of sensor %q: %w", r.query.Ref, err)
		}
		lines = append(lines, more...)
	}
	slices.SortStableFunc(lines, func(a, b Line) int { return a.Time.Compare(b.Time) })
	if r.query.Last > 0 && len(lines) > r.query.Last {
		lines = lines[len(lines)-r.query.Last:]
	}
	return lines, nil
}

// scan finds the folders of workers that are new.
func (r *reader) scan() error {
	if err := sensor.CheckRef(r.query.Ref); err != nil {
		return err
	}
	entries, err := os.ReadDir(r.query.Dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, entry := range entries {
		name := entry.Name()
		if strings.HasPrefix(name, slotPrefix) && r.tails[name] == nil {
			r.tails[name] = &tail{path: filepath.Join(r.query.Dir, name, logName(r.query.Ref))}
		}
	}
	return nil
}

func (r *reader) close() {
	for _, t := range r.tails {
		t.close()
	}
}
