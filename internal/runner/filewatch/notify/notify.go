// Package notify has sensors woken when something happens in the folders that they look into. It is a help only: what it
// misses, on file systems of other machines or beyond the limits of the kernel, the next poll finds.
package notify

import (
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"time"

	"github.com/fsnotify/fsnotify"
	"go.uber.org/zap"
	"golang.org/x/sys/unix"
)

const (
	// debounce is how long an event waits for others.
	debounce = 20 * time.Millisecond
	// pause is the shortest time between two wakes of a sensor, whatever its polls take.
	pause = time.Second
	// share is the part of the time that polls take at most of a sensor whose files change all the time.
	share = 10
	// idle is how long folders are watched of a sensor that is not polled any more.
	idle = 10 * time.Minute
	// maxFolders is how many folders one worker watches.
	maxFolders = 50_000
)

// Config is what a Notifier needs.
type Config struct {
	Wake   func(sensorRef string) // does not block
	Logger *zap.Logger
}

// Notifier watches folders for all sensors of a worker.
type Notifier struct {
	wake   func(string)
	logger *zap.Logger
	kernel *fsnotify.Watcher // nil: the kernel gave none
	done   chan struct{}
	ended  sync.WaitGroup

	mu         sync.Mutex
	folders    map[string]map[*sensor]bool
	sensors    map[string]*sensor
	complained bool
	closed     bool
}

// sensor is what is known of one sensor. It is guarded by the Notifier's mu.
type sensor struct {
	ref     string
	folders map[string]uint64 // and the last poll that looked into each
	polls   uint64
	took    time.Duration // the last poll
	expires time.Time
	woken   time.Time
	timer   *time.Timer // nil: no wake is due
}

// New begins to listen. When the kernel has no notifications to give, that is logged, and there are none.
func New(cfg Config) *Notifier {
	n := &Notifier{
		wake: cfg.Wake, logger: cfg.Logger, done: make(chan struct{}),
		folders: map[string]map[*sensor]bool{}, sensors: map[string]*sensor{},
	}
	kernel, err := fsnotify.NewWatcher()
	if err != nil {
		n.complain(err)
		return n
	}
	n.kernel = kernel
	n.ended.Go(n.listen)
	return n
}

// Close ends all wakes.
func (n *Notifier) Close() error {
	n.mu.Lock()
	if n.closed {
		n.mu.Unlock()
		return nil
	}
	n.closed = true
	close(n.done)
	for _, s := range n.sensors {
		s.stop()
	}
	n.mu.Unlock()
	if n.kernel == nil {
		return nil
	}
	err := n.kernel.Close()
	n.ended.Wait()
	return err
}

// complain says once what to do about a limit of the kernel.
func (n *Notifier) complain(err error) {
	if n.complained {
		return
	}
	n.complained = true
	remedy := "see what the kernel says"
	switch {
	case errors.Is(err, unix.ENOSPC):
		remedy = "raise fs.inotify.max_user_watches (sysctl)"
	case errors.Is(err, unix.EMFILE):
		remedy = "raise fs.inotify.max_user_instances (sysctl)"
	}
	n.logger.Warn("the kernel notifies of no more folders: changes in them wait for the poll interval of their sensors",
		zap.String("remedy", remedy), zap.Error(err))
}

// listen hands events to the sensors that they concern.
func (n *Notifier) listen() {
	sweep := time.NewTicker(time.Minute)
	defer sweep.Stop()
	for {
		select {
		case <-n.done:
			return
		case now := <-sweep.C:
			n.sweep(now)
		case event, ok := <-n.kernel.Events:
			if !ok {
				return
			}
			n.happened(event.Name, filepath.Dir(event.Name))
		case err, ok := <-n.kernel.Errors:
			if !ok {
				return
			}
			n.failed(err)
		}
	}
}

func (n *Notifier) happened(paths ...string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, path := range paths {
		for s := range n.folders[path] {
			n.due(s)
		}
	}
}

// failed has all sensors look, as events may be lost.
func (n *Notifier) failed(err error) {
	if !errors.Is(err, fsnotify.ErrEventOverflow) {
		n.logger.Warn("a notification of the kernel failed; all file sensors are polled", zap.Error(err))
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, s := range n.sensors {
		n.due(s)
	}
}

// due has a sensor woken: soon, or once its pause is over.
func (n *Notifier) due(s *sensor) {
	if s.timer != nil || n.closed {
		return
	}
	rest := time.Until(s.woken.Add(max(pause, share*s.took)))
	s.timer = time.AfterFunc(max(debounce, rest), func() {
		n.mu.Lock()
		s.timer, s.woken = nil, time.Now()
		closed := n.closed
		n.mu.Unlock()
		if !closed {
			n.wake(s.ref)
		}
	})
}

func (s *sensor) stop() {
	if s.timer != nil {
		s.timer.Stop()
	}
}

// sweep forgets sensors that are not polled any more.
func (n *Notifier) sweep(now time.Time) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for ref, s := range n.sensors {
		if now.Before(s.expires) {
			continue
		}
		s.stop()
		for folder := range s.folders {
			n.leave(s, folder)
		}
		delete(n.sensors, ref)
	}
}

// leave ends the interest of a sensor in a folder.
func (n *Notifier) leave(s *sensor, folder string) {
	delete(s.folders, folder)
	delete(n.folders[folder], s)
	if len(n.folders[folder]) == 0 {
		delete(n.folders, folder)
		_ = n.kernel.Remove(folder) // it may be gone already
	}
}

// Watch is the interest of a sensor during one poll.
type Watch struct {
	n       *Notifier
	s       *sensor
	poll    uint64
	begun   time.Time
	every   time.Duration
	refused error
}

// Begin begins a poll of a sensor that is polled so often.
func (n *Notifier) Begin(ref string, every time.Duration) *Watch {
	n.mu.Lock()
	defer n.mu.Unlock()
	s := n.sensors[ref]
	if s == nil {
		s = &sensor{ref: ref, folders: map[string]uint64{}, expires: time.Now().Add(time.Hour)}
		n.sensors[ref] = s
	}
	s.polls++
	return &Watch{n: n, s: s, poll: s.polls, begun: time.Now(), every: every}
}

// Add is to be called before a folder is read: what happens in it from then on wakes the sensor. It is asked for anew in
// each poll, as the folder may be another one of the same name.
func (w *Watch) Add(folder string) {
	n := w.n
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.kernel == nil || n.closed || w.refused != nil {
		return
	}
	if n.folders[folder] == nil && len(n.folders) >= maxFolders {
		w.refused = fmt.Errorf("this worker is notified of %d folders already", maxFolders)
		n.complain(w.refused)
		return
	}
	if err := n.kernel.Add(folder); err != nil {
		if !errors.Is(err, unix.ENOENT) && !errors.Is(err, unix.ENOTDIR) {
			w.refused = err
			n.complain(err)
		}
		return
	}
	if n.folders[folder] == nil {
		n.folders[folder] = map[*sensor]bool{}
	}
	n.folders[folder][w.s] = true
	w.s.folders[folder] = w.poll
}

// Refused returns why the sensor is not notified of some folder; nil: it is of all.
func (w *Watch) Refused() error {
	if w.n.kernel == nil {
		return errors.New("the kernel gives this worker no notifications")
	}
	return w.refused
}

// End ends the poll. Folders that it did not look into are left.
func (w *Watch) End() {
	n := w.n
	n.mu.Lock()
	defer n.mu.Unlock()
	now := time.Now()
	w.s.took = now.Sub(w.begun)
	w.s.expires = now.Add(max(idle, 2*w.every))
	for folder, poll := range w.s.folders {
		if poll < w.poll {
			n.leave(w.s, folder)
		}
	}
}
