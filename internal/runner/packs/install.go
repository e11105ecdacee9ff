package packs

import (
	"cmp"
	"context"
	"fmt"
	"path/filepath"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/attune-automation/sensors/internal/sensor"
)

// current is a link in the folder of a key to the attempt that succeeded. An attempt has a folder of its own, where what
// it leaves running when this process dies can harm no other.
const current = "current"

const (
	installsAtOnce = 2                // an install takes a core and more, and the machine has polls to run
	whileRunning   = 2 * time.Second  // after which to ask again
	firstRetry     = 10 * time.Second // after a failed install; doubles with each further one
	longestRetry   = 10 * time.Minute
)

// installer installs dependencies in the background, each key once.
type installer struct {
	deps    string // folder
	npm     string // as configured
	path    string
	env     []string
	mask    *mask
	timeout time.Duration
	launch  Launcher
	uses    *uses
	now     func() time.Time
	logger  *zap.Logger
	jobs    chan job

	mu     sync.Mutex
	states map[string]*state // by key; what is installed has none
}

// job is an install that waits for its turn.
type job struct {
	plan   *plan
	dir    string
	ref    string // of the pack
	logger *zap.Logger
}

// state is how the install of one key goes.
type state struct {
	running  bool // or waiting for its turn
	failures int
	failure  string
	retryAt  time.Time
	tried    map[string]bool // digests of the packs that asked for it
}

func newInstaller(cfg Config, c *Cache) *installer {
	i := &installer{
		deps: c.deps, npm: cfg.Npm, path: c.path, env: cfg.InstallEnv, mask: newMask(cfg.InstallEnv),
		timeout: cmp.Or(cfg.InstallTimeout, 10*time.Minute), launch: cfg.Launcher, uses: c.uses, now: c.now, logger: c.logger,
		jobs: make(chan job, 1000), states: map[string]*state{},
	}
	if i.launch == nil {
		i.launch = Plain{}
	}
	return i
}

// serve installs one after another, until ctx ends.
func (i *installer) serve(ctx context.Context) {
	for {
		select {
		case j := <-i.jobs:
			i.work(ctx, j)
		case <-ctx.Done():
			return
		}
	}
}

// ensure returns the folder of what is planned if it is installed. Otherwise it begins to install it, unless somebody
// does that already or it just failed, and returns a *sensor.NotReady.
func (i *installer) ensure(p *plan, s sensor.Sensor) (string, error) {
	dir := filepath.Join(i.deps, p.key)
	if ok, err := i.installed(dir); ok || err != nil {
		return dir, err
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	st := i.states[p.key]
	if st == nil {
		st = &state{tried: map[string]bool{}}
		i.states[p.key] = st
	}
	if wait := st.retryAt.Sub(i.now()); !st.running && st.tried[s.PackDigest] && wait > 0 {
		return "", &sensor.NotReady{Reason: fmt.Sprintf("failed: %s; tried again at %s", st.failure, st.retryAt.UTC().Format(time.RFC3339)), RetryAfter: wait}
	}
	if !st.running {
		logger := i.logger.With(zap.String("pack_ref", s.PackRef), zap.String("runtime", s.Runtime), zap.String("dependencies", p.key))
		select {
		case i.jobs <- job{plan: p, dir: dir, ref: s.PackRef, logger: logger}:
			st.running, st.tried[s.PackDigest] = true, true
		default: // who asks again finds a place
		}
	}
	return "", &sensor.NotReady{Reason: "installing the dependencies of pack " + s.PackRef, RetryAfter: whileRunning}
}

// installed says whether the folder of a key holds an install that succeeded.
func (i *installer) installed(dir string) (bool, error) {
	if !isDir(filepath.Join(dir, current)) {
		return false, nil
	}
	return i.uses.use(dir)
}

// work installs and keeps what came of it in the state.
func (i *installer) work(ctx context.Context, j job) {
	err := i.once(ctx, j)
	i.mu.Lock()
	defer i.mu.Unlock()
	st := i.states[j.plan.key]
	st.running = false
	switch {
	case err == nil:
		delete(i.states, j.plan.key)
	case ctx.Err() != nil: // it ended with this process, not by itself
	default:
		st.failures++
		st.failure = fmt.Sprintf("installing the dependencies of pack %s: %s", j.ref, i.mask.hide(err.Error()))
		wait := min(firstRetry<<min(st.failures-1, 10), longestRetry)
		st.retryAt = i.now().Add(wait)
		j.logger.Warn("installing dependencies failed", zap.String("error", st.failure), zap.Duration("retry_after", wait))
	}
}

// once installs unless another worker has done so, or does; how that one ends is seen by asking again.
func (i *installer) once(ctx context.Context, j job) error {
	lock, err := tryLock(j.dir)
	if err != nil || lock == nil {
		return err
	}
	defer lock.Close()
	if ok, err := i.installed(j.dir); ok || err != nil {
		return err
	}
	began := time.Now()
	j.logger.Info("installing dependencies")
	ctx, cancel := context.WithTimeout(ctx, i.timeout)
	defer cancel()
	if err := i.attempt(ctx, j.plan, j.dir); err != nil {
		return err
	}
	j.logger.Info("installed dependencies", zap.Duration("took", time.Since(began)))
	return nil
}
