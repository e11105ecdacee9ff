package jail

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// temps makes temporary folders for programs without a sandbox, in a folder of this worker that it holds a lock on:
// folders that nobody holds are of workers that were killed.
type temps struct {
	dir  string
	lock *os.File
}

const tempPattern = "attune-jail-"

// newTemps makes the worker's folder below parent and removes those of dead workers.
func newTemps(parent string) (*temps, error) {
	parent, err := filepath.Abs(cmp.Or(parent, os.TempDir()))
	if err != nil {
		return nil, fmt.Errorf("folder for temporary files: %w", err)
	}
	if err := os.MkdirAll(parent, 0o755); err != nil {
		return nil, fmt.Errorf("folder for temporary files: %w", err)
	}
	removeOrphaned(parent)
	for {
		dir, err := os.MkdirTemp(parent, tempPattern)
		if err != nil {
			return nil, fmt.Errorf("folder for temporary files: %w", err)
		}
		lock, err := lockFolder(dir)
		if err == nil {
			return &temps{dir: dir, lock: lock}, nil
		}
		if !errors.Is(err, os.ErrNotExist) && !errors.Is(err, unix.EWOULDBLOCK) { // else another worker was quicker to remove it
			return nil, fmt.Errorf("folder for temporary files: %w", err)
		}
	}
}

// lockFolder returns the folder, locked, if it is still there then.
func lockFolder(dir string) (*os.File, error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	if err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err == nil {
		_, err = os.Stat(dir)
	}
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	return f, nil
}

func removeOrphaned(parent string) {
	// What cannot be removed now is tried again by the next worker.
	old, _ := filepath.Glob(filepath.Join(parent, tempPattern+"*"))
	for _, dir := range old {
		if lock, err := lockFolder(dir); err == nil {
			removeAll(dir)
			_ = lock.Close()
		}
	}
}

// make returns a new empty folder.
func (t *temps) make() (string, error) {
	// Something may have cleaned up since the worker started.
	err := os.MkdirAll(t.dir, 0o700)
	dir := ""
	if err == nil {
		dir, err = os.MkdirTemp(t.dir, "")
	}
	if err != nil {
		return "", fmt.Errorf("making a temporary folder for a program: %w", err)
	}
	return dir, nil
}

func (t *temps) close() error {
	removeAll(t.dir)
	return t.lock.Close()
}

// removeAll removes a folder and all that a program made there, folders without permissions included. What cannot be
// removed is tried again by the next worker.
func removeAll(dir string) {
	if os.RemoveAll(dir) == nil {
		return
	}
	_ = filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() {
			_ = os.Chmod(path, 0o700)
		}
		return nil
	})
	_ = os.RemoveAll(dir)
}
