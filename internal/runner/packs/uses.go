package packs

import (
	"os"
	"sync"
	"time"
)

// touchEvery is how often the time of a folder in use is written.
const touchEvery = time.Hour

// uses knows which folders of the cache are in use. Their time of change tells other workers of the same cache.
type uses struct {
	now func() time.Time

	mu      sync.Mutex
	touched map[string]time.Time
	held    map[string]int
}

func newUses(now func() time.Time) *uses {
	return &uses{now: now, touched: map[string]time.Time{}, held: map[string]int{}}
}

// use says whether the folder is there, and if so, keeps it for a week.
func (u *uses) use(dir string) (bool, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if ok, err := ours(dir); !ok || err != nil {
		return false, err
	}
	return u.touch(dir)
}

// touch writes the folder's time if it is old, and says whether the folder is there.
func (u *uses) touch(dir string) (bool, error) {
	now := u.now()
	if last, ok := u.touched[dir]; ok && now.Sub(last) < touchEvery {
		return true, nil
	}
	if err := os.Chtimes(dir, now, now); os.IsNotExist(err) {
		return false, nil // another worker's sweep was quicker
	} else if err != nil {
		return false, err
	}
	u.touched[dir] = now
	return true, nil
}

func (u *uses) hold(dirs []string) (release func()) {
	u.add(dirs, 1)
	return sync.OnceFunc(func() { u.add(dirs, -1) })
}

func (u *uses) add(dirs []string, n int) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, dir := range dirs {
		if u.held[dir] += n; u.held[dir] == 0 {
			delete(u.held, dir)
		}
	}
}

// refresh writes the time of all folders that are held, so that no worker takes them for unused.
func (u *uses) refresh() {
	u.mu.Lock()
	defer u.mu.Unlock()
	for dir := range u.held {
		_, _ = u.touch(dir) // one that is gone can't be kept
	}
}

// discard moves the folder to another name unless it is held or was used since the given time, and says whether it did.
func (u *uses) discard(dir, to string, since time.Time) (bool, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	info, err := os.Lstat(dir)
	if err != nil || u.held[dir] > 0 || info.ModTime().After(since) {
		return false, ignoreMissing(err)
	}
	delete(u.touched, dir)
	err = os.Rename(dir, to)
	return err == nil, ignoreMissing(err)
}

func ignoreMissing(err error) error {
	if os.IsNotExist(err) {
		return nil
	}
	return err
}
