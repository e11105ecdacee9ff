// Package process runs sensors' own code, one child process a poll: Python and Node.js through small SDKs that are part
// of this program, and any executable. docs/sensor-protocol.md says what goes over the pipes.
package process

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sys/unix"

	"github.com/attune-automation/sensors/internal/runner"
	"github.com/attune-automation/sensors/internal/sensor"
)

// Archives fetches the files of packs.
type Archives interface {
	// PackArchive returns the gzipped tar whose SHA-256 is digest.
	PackArchive(ctx context.Context, digest string) ([]byte, error)
}

// Config says where pack code is kept and what runs it.
type Config struct {
	Archives Archives
	CacheDir string // unpacked packs, the SDKs, and the polls' temporary folders; workers may share it
	Python   string // a command on Path, or a path; default python3
	Node     string // a command on Path, or a path; default node
	Path     string // PATH of sensor code; default: the worker's own
	LogLines int    // how many of the last lines of its log a Fault keeps; default 50
	Logger   *zap.Logger
}

// Runner runs the code of sensors, each poll in a process of its own.
type Runner struct {
	python   *interpreter
	node     *interpreter
	env      []string // of every child; HOME and TMPDIR are added for each poll
	logLines int
	logger   *zap.Logger
	packs    *packCache
	sdks     *sdkCache
	tmp      string
}

// maxPollAge is when a poll's temporary folder must be a leftover of a worker that was killed.
const maxPollAge = 24 * time.Hour

// New prepares the cache folder. The interpreters are looked up at each poll, so that one may be installed later.
func New(cfg Config) (*Runner, error) {
	if cfg.Archives == nil {
		return nil, errors.New("no Archives: the runner needs a source of pack files")
	}
	if cfg.CacheDir == "" {
		return nil, errors.New("no CacheDir: name a folder for unpacked packs (worker.cache_dir)")
	}
	cache, err := filepath.Abs(cfg.CacheDir)
	if err != nil {
		return nil, fmt.Errorf("cache folder %q: %w", cfg.CacheDir, err)
	}
	path := cmp.Or(cfg.Path, os.Getenv("PATH"), "/usr/local/bin:/usr/bin:/bin")
	env := environment(path)
	r := &Runner{
		python: &interpreter{
			command: cmp.Or(cfg.Python, "python3"), setting: "runtime.python", path: path, env: env,
			self: []string{"-c", "import sys; print(sys.executable)"}, real: map[string]string{},
		},
		node: &interpreter{
			command: cmp.Or(cfg.Node, "node"), setting: "runtime.node", path: path, env: env,
			self: []string{"-p", "process.execPath"}, real: map[string]string{},
		},
		env:      env,
		logLines: cmp.Or(cfg.LogLines, 50),
		logger:   cmp.Or(cfg.Logger, zap.NewNop()),
		packs:    &packCache{dir: filepath.Join(cache, "packs"), archives: cfg.Archives},
		tmp:      filepath.Join(cache, "tmp"),
	}
	if err := sweep(r.tmp, maxPollAge); err != nil {
		return nil, fmt.Errorf("preparing the cache folder (worker.cache_dir): %w", err)
	}
	if r.sdks, err = newSDKCache(filepath.Join(cache, "sdk")); err != nil {
		return nil, err
	}
	// Go opens everything close-on-exec, but what this process itself inherited is not, and would reach sensors. Old
	// kernels refuse: sensors then see what the worker was started with.
	_ = unix.CloseRange(3, ^uint(0)>>1, unix.CLOSE_RANGE_CLOEXEC)
	return r, nil
}

// Poll runs the sensor's entrypoint once and returns what it brought. It ends within the timeout plus two seconds.
func (r *Runner) Poll(ctx context.Context, req runner.Request) (sensor.Poll, error) {
	if req.Timeout <= 0 {
		return sensor.Poll{}, fmt.Errorf("polling sensor %q: no timeout", req.Sensor.Ref)
	}
	poll, err := r.poll(ctx, req)
	var fault *sensor.Fault
	switch {
	case err == nil, errors.As(err, &fault):
		return poll, err
	case ctx.Err() != nil:
		return sensor.Poll{}, ctx.Err()
	}
	return sensor.Poll{}, fmt.Errorf("polling sensor %q: %w", req.Sensor.Ref, err)
}

func (r *Runner) poll(ctx context.Context, req runner.Request) (sensor.Poll, error) {
	if err := ctx.Err(); err != nil {
		return sensor.Poll{}, err
	}
	cmd, err := r.command(ctx, req.Sensor)
	if err != nil {
		return sensor.Poll{}, err
	}
	home, err := r.tempDir()
	if err != nil {
		return sensor.Poll{}, err
	}
	defer os.RemoveAll(home)
	cmd.env = append(r.env[:len(r.env):len(r.env)], "HOME="+home, "TMPDIR="+home)

	request, err := newRequest(req, cmd.dir, time.Now())
	if err != nil {
		return sensor.Poll{}, err
	}
	out := newOutput(cmd.sdk, newLogTail(r.logger.With(zap.String("sensor_ref", req.Sensor.Ref)), r.logLines))
	run, err := start(cmd, request, out)
	if err != nil {
		return sensor.Poll{}, err
	}
	poll, err := out.verdict(run.wait(ctx, req.Timeout), req.Timeout)
	if sameJSON(poll.Cursor, req.Cursor) {
		poll.Cursor = nil // many programs write it every time, and a poll that brings nothing is to cost nothing
	}
	return poll, err
}

func (r *Runner) tempDir() (string, error) {
	// Something may have cleaned the cache folder since the worker started.
	if err := os.MkdirAll(r.tmp, 0o755); err != nil {
		return "", err
	}
	return os.MkdirTemp(r.tmp, "poll-")
}

// sweep makes the folder and removes what is older than age.
func sweep(dir string, age time.Duration) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		// Another worker may be sweeping, too: what is gone is gone.
		if info, err := entry.Info(); err == nil && time.Since(info.ModTime()) > age {
			_ = os.RemoveAll(filepath.Join(dir, entry.Name()))
		}
	}
	return nil
}
