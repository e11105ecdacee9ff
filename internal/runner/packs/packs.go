// Package packs puts what sensors run on disk: the files of their packs, unpacked once for each digest, and what their
// requirements.txt or package.json asks for, installed once for each content of those files. Afterwards neither the
// network nor an installer is needed. Workers may share the folder.
package packs

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/attune-automation/sensors/internal/sensor"
)

// Archives fetches the files of packs.
type Archives interface {
	// PackArchive returns the gzipped tar whose SHA-256 is digest.
	PackArchive(ctx context.Context, digest string) ([]byte, error)
}

// Config says where packs are kept, what runs their code and what installs what they depend on.
type Config struct {
	Archives       Archives
	CacheDir       string        // packs and dependencies are kept below it; workers of one user may share it
	Python         string        // a command on Path, or a path; default python3
	Node           string        // a command on Path, or a path; default node
	Npm            string        // a command on Path, or a path; default the npm that lies beside node, or npm on Path
	Path           string        // PATH of sensor code and of installers; default: the worker's own
	InstallEnv     []string      // NAME=value, for installers only, such as a proxy or an index with its password
	InstallTimeout time.Duration // longest duration of an install; default 10 minutes
	Launcher       Launcher      // runs installers; default: as plain processes
	Now            func() time.Time
	Logger         *zap.Logger
}

// Cache holds packs and their dependencies.
type Cache struct {
	archives Archives
	packs    string // folder of the packs' copies
	deps     string // folder of the dependencies
	path     string
	python   *interpreter
	node     *interpreter
	install  *installer
	uses     *uses
	now      func() time.Time
	logger   *zap.Logger

	unpacking sync.Mutex // one download and unpacking at a time
	plans     plans

	stop    context.CancelFunc
	working sync.WaitGroup // installs and the daily sweep
}

// New prepares the cache folder, and begins to remove what nobody used for a week, now and daily until Close.
// Interpreters and npm are looked up when they are needed, so that one may be installed later.
func New(cfg Config) (*Cache, error) {
	if cfg.Archives == nil {
		return nil, errors.New("no Archives: the cache needs a source of pack files")
	}
	if cfg.CacheDir == "" {
		return nil, errors.New("no CacheDir: name a folder for packs and their dependencies (worker.cache_dir)")
	}
	if cfg.InstallTimeout < 0 {
		return nil, fmt.Errorf("InstallTimeout is %s: it must be positive (runtime.install_timeout)", cfg.InstallTimeout)
	}
	for _, variable := range cfg.InstallEnv {
		// The value may be a secret: it is not shown.
		if name, _, ok := strings.Cut(variable, "="); !ok || name == "" {
			return nil, errors.New("InstallEnv has an entry that is not NAME=value (runtime.install_environment)")
		}
	}
	dir, err := filepath.Abs(cfg.CacheDir)
	if err != nil {
		return nil, fmt.Errorf("cache folder %q: %w", cfg.CacheDir, err)
	}
	c := newCache(cfg, dir)
	for _, folder := range []string{c.packs, c.deps} {
		if err := prepareFolder(folder); err != nil {
			return nil, fmt.Errorf("preparing the cache folder (worker.cache_dir): %w", err)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	c.stop = cancel
	c.working.Go(func() { c.sweepDaily(ctx) })
	for range installsAtOnce {
		c.working.Go(func() { c.install.serve(ctx) })
	}
	return c, nil
}

func newCache(cfg Config, dir string) *Cache {
	path := cmp.Or(cfg.Path, os.Getenv("PATH"), "/usr/local/bin:/usr/bin:/bin")
	now := cfg.Now
	if now == nil {
		now = time.Now
	}
	c := &Cache{
		archives: cfg.Archives,
		packs:    filepath.Join(dir, "packs"),
		deps:     filepath.Join(dir, "deps"),
		path:     path,
		python:   newPython(cmp.Or(cfg.Python, "python3"), path),
		node:     newNode(cmp.Or(cfg.Node, "node"), path),
		uses:     newUses(now),
		now:      now,
		logger:   cmp.Or(cfg.Logger, zap.NewNop()),
		plans:    plans{known: map[string]*plan{}},
	}
	c.install = newInstaller(cfg, c)
	return c
}

// Close ends the installs that are going on, which the next Cache repeats, and waits until they are gone. Nothing else
// may be called after it.
func (c *Cache) Close() {
	c.stop()
	c.working.Wait()
}

// Prepared is what is needed to run a sensor's code. All paths are absolute.
type Prepared struct {
	Dir         string   // the pack's copy; its files are read-only
	Program     string   // the sensor's entrypoint, in Dir
	Interpreter string   // that of the runtime, or that of the pack's virtual environment; empty for core.exec
	Visible     []string // folders that the program must be able to read
	held        []string // folders of the cache
}

// Hold keeps what was prepared from being removed however long it is used, until release is called. Without it, that is
// certain for a week.
func (c *Cache) Hold(p Prepared) (release func()) {
	return c.uses.hold(p.held)
}

func startFault(format string, args ...any) *sensor.Fault {
	return &sensor.Fault{Kind: sensor.FaultStart, Message: fmt.Sprintf(format, args...)}
}
