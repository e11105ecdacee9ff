package packs

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// lockFile is in the folder of each key. Who holds its lock may change the folder; the kernel ends the lock with its
// process.
const lockFile = "lock"

// tryLock makes the folder and locks it until the file is closed. It returns nil if somebody else has it locked.
func tryLock(dir string) (*os.File, error) {
	for {
		if err := prepareFolder(dir); err != nil {
			return nil, err
		}
		path := filepath.Join(dir, lockFile)
		f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
		if errors.Is(err, os.ErrNotExist) {
			continue // the folder was swept meanwhile
		}
		if err != nil {
			return nil, err
		}
		err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, f.Close()
		}
		if err != nil {
			return nil, errors.Join(fmt.Errorf("locking %s: %w", path, err), f.Close())
		}
		if isStill(f, path) {
			return f, nil
		}
		// It is the lock of a folder that was swept meanwhile.
		if err := f.Close(); err != nil {
			return nil, err
		}
	}
}

func isStill(f *os.File, path string) bool {
	opened, err := f.Stat()
	if err != nil {
		return false
	}
	found, err := os.Stat(path)
	return err == nil && os.SameFile(opened, found)
}
