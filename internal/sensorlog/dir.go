// Package sensorlog keeps what sensors print in files that rotate, one line a line, and reads them again. Below the
// folder of logs each worker has a folder of its own, so that workers on one host never share a file:
//
//	worker-0/shop.orders.log      what is written now
//	worker-0/shop.orders.log.1    what came before it, and so on up to the number of files
//
// A log is for people. Whatever is wrong with its disk, the sensor goes on: lines are dropped, and the worker's own log
// says so.
package sensorlog

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"

	"go.uber.org/zap"
)

const (
	defaultBytes = 10 << 20
	defaultFiles = 5
	minBytes     = 1 << 10

	// slotPrefix begins the name of a worker's folder.
	slotPrefix = "worker-"
	// lockName is the file that a worker locks to have a folder for itself. The kernel unlocks it when the worker dies.
	lockName = ".lock"
	// maxSlots is more workers than a host has.
	maxSlots = 10_000
	// complainInterval is the time between two lines of the worker's log about lines that were lost.
	complainInterval = time.Minute
)

// Config says where logs are kept, and how much of them.
type Config struct {
	Dir      string // made when it is missing
	MaxBytes int64  // of one file; 0: 10 MiB. A line alone may be longer.
	MaxFiles int    // of one sensor and worker, the current one included; 0: 5
	Logger   *zap.Logger
}

// Dir is a worker's folder of logs. It is safe for concurrent use. Only sensors that are being polled have a file open.
type Dir struct {
	cfg Config

	mu    sync.Mutex
	lock  *os.File // nil: closed
	slot  string   // path of the worker's folder
	files map[string]*file

	lost       int // lines, since the last complaint
	complained time.Time
}

// Open makes the folder and takes the first place below it that no other worker has.
func Open(c Config) (*Dir, error) {
	c.MaxBytes = cmp.Or(c.MaxBytes, defaultBytes)
	c.MaxFiles = cmp.Or(c.MaxFiles, defaultFiles)
	switch {
	case c.Dir == "":
		return nil, errors.New("sensorlog: Dir is empty")
	case c.MaxBytes < minBytes:
		return nil, fmt.Errorf("sensorlog: MaxBytes is %d: use at least %d", c.MaxBytes, minBytes)
	case c.MaxFiles < 1:
		return nil, fmt.Errorf("sensorlog: MaxFiles is %d: use at least 1", c.MaxFiles)
	case c.Logger == nil:
		return nil, errors.New("sensorlog: Logger is missing")
	}
	d := &Dir{cfg: c, files: map[string]*file{}}
	if err := d.take(); err != nil {
		return nil, fmt.Errorf("log.sensor_directory %q cannot be used: let the worker write to it, or name another folder: %w", c.Dir, err)
	}
	return d, nil
}

// take locks the first free place.
func (d *Dir) take() error {
	for i := range maxSlots {
		slot := filepath.Join(d.cfg.Dir, slotPrefix+strconv.Itoa(i))
		if err := os.MkdirAll(slot, 0o700); err != nil {
			return err
		}
		lock, err := os.OpenFile(filepath.Join(slot, lockName), os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW, 0o600)
		if err != nil {
			return err
		}
		if err = syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err == nil {
			d.lock, d.slot = lock, slot
			return nil
		}
		_ = lock.Close()
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			return fmt.Errorf("locking %s: %w", slot, err)
		}
	}
	return fmt.Errorf("all of its %d places are taken", maxSlots)
}

// place returns the worker's folder. With renew it is made again, since it is gone.
func (d *Dir) place(renew bool) (string, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.lock == nil {
		return "", os.ErrClosed
	}
	if !renew {
		return d.slot, nil
	}
	old := d.lock
	if mine, err := old.Stat(); err == nil {
		if now, err := os.Stat(old.Name()); err == nil && os.SameFile(mine, now) {
			return d.slot, nil // another sensor's file was there first
		}
	}
	if err := d.take(); err != nil {
		return "", err
	}
	_ = old.Close()
	return d.slot, nil
}

// Close writes what is still to be written and lets the place go. Lines that come later are dropped.
func (d *Dir) Close() error {
	d.mu.Lock()
	var open []*file
	for _, f := range d.files {
		open = append(open, f)
	}
	d.mu.Unlock()
	for _, f := range open {
		f.stop()
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.lock == nil {
		return nil
	}
	err := d.lock.Close()
	d.lock = nil
	return err
}

// complain says, not too often, that lines were lost.
func (d *Dir) complain(ref string, lines int, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.lost += lines
	if now := time.Now(); now.Sub(d.complained) >= complainInterval {
		d.cfg.Logger.Warn("lines of sensor logs are lost: they cannot be written",
			zap.String("sensor_ref", ref), zap.Int("lines", d.lost), zap.Error(err))
		d.lost, d.complained = 0, now
	}
}
