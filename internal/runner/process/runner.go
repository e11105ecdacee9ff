// Package process runs sensors' own code in processes: Python and Node.js through the SDKs, whose processes stay up
// between the polls of a sensor, and any executable, one process a poll. docs/sensor-protocol.md says what goes over the
// pipes.
package process

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/attune-automation/sensors/internal/runner"
	"github.com/attune-automation/sensors/internal/runner/jail"
	"github.com/attune-automation/sensors/internal/runner/packs"
	"github.com/attune-automation/sensors/internal/runner/sdk"
	"github.com/attune-automation/sensors/internal/secret"
	"github.com/attune-automation/sensors/internal/sensor"
	"github.com/attune-automation/sensors/internal/sensorlog"
)

// Config says where code comes from and how it is run.
type Config struct {
	Archives packs.Archives
	CacheDir string // packs, their dependencies and the SDKs are kept below it; workers of one user may share it
	Python   string // a command on Path, or a path; default python3
	Node     string // a command on Path, or a path; default node
	Path     string // PATH of sensor code; default: the worker's own

	InstallEnv     []string      // NAME=value, for installers of dependencies only
	InstallTimeout time.Duration // longest duration of an install; default 10 minutes

	Sandbox jail.Mode      // default jail.ModeAuto
	Warden  bool           // see jail.Config
	Hidden  []string       // files and folders that sandboxed code must not see, besides CacheDir
	Secrets *secret.Source // nil: there are none
	Logs    *sensorlog.Dir // nil: what sensors print is kept for faults only. It is not closed
	Limits  sensor.Limits  // of sensors that name none; zero values are no limit

	WarmProcesses int           // most processes that stay up between polls, with those that are at one; 0: none
	WarmIdle      time.Duration // how long a process stays up without a poll; default 10 minutes
	WarmPolls     int           // how many polls a process does before it is replaced; default 1000

	LogLines int // how many of the last lines of its log a Fault keeps; default 50
	Logger   *zap.Logger
}

// Runner runs the code of sensors.
type Runner struct {
	packs    *packs.Cache
	sdks     *sdk.Cache
	jail     *jail.Jail
	secrets  *secret.Source
	logs     *sensorlog.Dir
	env      []string // of every program
	limits   sensor.Limits
	maxPolls int
	logLines int
	logger   *zap.Logger
	pool     *pool

	preparing sync.WaitGroup // packs that are being put in place
	closed    chan struct{}
	closing   sync.Once
	closeErr  error
}

// New prepares the cache folder and tries the sandbox. Close the Runner when nothing is polled any more.
func New(cfg Config) (*Runner, error) {
	if err := cfg.complete(); err != nil {
		return nil, err
	}
	r := &Runner{
		secrets:  cfg.Secrets,
		logs:     cfg.Logs,
		env:      environment(cfg.Path),
		limits:   cfg.Limits,
		maxPolls: cfg.WarmPolls,
		logLines: cfg.LogLines,
		logger:   cfg.Logger,
		closed:   make(chan struct{}),
		pool:     newPool(cfg.WarmProcesses, cfg.WarmIdle, cfg.Logger),
	}
	var err error
	if r.sdks, err = sdk.New(filepath.Join(cfg.CacheDir, "sdk")); err != nil {
		return nil, fmt.Errorf("preparing the cache folder (worker.cache_dir): %w", err)
	}
	r.jail, err = jail.New(jail.Config{
		Mode: cfg.Sandbox, Hidden: append(cfg.Hidden[:len(cfg.Hidden):len(cfg.Hidden)], cfg.CacheDir),
		Temp: filepath.Join(cfg.CacheDir, "tmp"), Warden: cfg.Warden, Logger: cfg.Logger,
	})
	if err != nil {
		return nil, err
	}
	r.packs, err = packs.New(packs.Config{
		Archives: cfg.Archives, CacheDir: cfg.CacheDir, Python: cfg.Python, Node: cfg.Node, Path: cfg.Path,
		InstallEnv: cfg.InstallEnv, InstallTimeout: cfg.InstallTimeout, Launcher: launcher{r.jail}, Logger: cfg.Logger,
	})
	if err != nil {
		return nil, errors.Join(err, r.jail.Close())
	}
	return r, nil
}

// complete checks a config and sets what is left out.
func (c *Config) complete() (err error) {
	switch {
	case c.Archives == nil:
		return errors.New("no Archives: the runner needs a source of pack files")
	case c.CacheDir == "":
		return errors.New("no CacheDir: name a folder for packs and their dependencies (worker.cache_dir)")
	case c.WarmProcesses < 0:
		return fmt.Errorf("WarmProcesses is %d: it must not be negative (runtime.warm_processes)", c.WarmProcesses)
	}
	if c.CacheDir, err = filepath.Abs(c.CacheDir); err != nil {
		return fmt.Errorf("cache folder %q: %w", c.CacheDir, err)
	}
	if c.Secrets == nil {
		if c.Secrets, err = secret.New(secret.Config{}); err != nil {
			return err
		}
	}
	c.Path = cmp.Or(c.Path, os.Getenv("PATH"), "/usr/local/bin:/usr/bin:/bin")
	c.WarmIdle, c.WarmPolls = cmp.Or(c.WarmIdle, 10*time.Minute), cmp.Or(c.WarmPolls, 1000)
	c.LogLines, c.Logger = cmp.Or(c.LogLines, 50), cmp.Or(c.Logger, zap.NewNop())
	return nil
}

// Close ends the processes that stayed up, and installs. Polls must have ended before.
func (r *Runner) Close() error {
	r.closing.Do(func() {
		close(r.closed)
		r.preparing.Wait()
		r.pool.close()
		r.packs.Close()
		r.closeErr = r.jail.Close()
	})
	return r.closeErr
}

// Sandbox returns what contains the code of sensors that have no wish: bwrap or none.
func (r *Runner) Sandbox() string { return string(r.jail.Mode()) }

// Runtimes returns the runtimes that r runs, for runner.Config.
func (r *Runner) Runtimes() map[string]runner.Runner {
	return map[string]runner.Runner{sensor.RuntimePython: r, sensor.RuntimeNode: r, sensor.RuntimeExec: r}
}

// Warm returns how many processes are up and wait for the next poll of their sensor.
func (r *Runner) Warm() int { return r.pool.size() }

// Poll runs the sensor's code once, or a stream until it ends. It returns within two seconds after the timeout, and
// within about a second after ctx ended; what the code brought up to a checkpoint has been taken also then. With a
// *sensor.Fault comes a Poll that says what it took.
func (r *Runner) Poll(ctx context.Context, req runner.Request) (sensor.Poll, error) {
	switch {
	case req.Take == nil:
		return sensor.Poll{}, fmt.Errorf("polling sensor %q: nobody takes what it brings", req.Sensor.Ref)
	case req.Timeout <= 0 && !req.Sensor.Streams():
		return sensor.Poll{}, fmt.Errorf("polling sensor %q: no timeout", req.Sensor.Ref)
	}
	began := time.Now()
	p := r.newPoll(req, began)
	defer p.journal.close()
	err := p.prepare(ctx)
	if err == nil {
		err = p.run(ctx)
	}
	err = outcome(ctx, req, err)
	if fault, ok := errors.AsType[*sensor.Fault](err); ok {
		p.journal.fault(fault)
	}
	p.outcome.Usage.Wall = time.Since(began)
	return p.outcome, err
}

// outcome tells the sensor's failures from those of its surroundings.
func outcome(ctx context.Context, req runner.Request, err error) error {
	var fault *sensor.Fault
	var notReady *sensor.NotReady
	var taking *takeError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &taking) && (ctx.Err() == nil || !errors.Is(taking.err, context.Canceled)):
		return taking.err
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.As(err, &fault):
		return fault
	case errors.As(err, &notReady):
		return notReady
	}
	return fmt.Errorf("polling sensor %q: %w", req.Sensor.Ref, err)
}
