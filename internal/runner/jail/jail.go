// Package jail starts programs of sensors, contains them, limits what they take, and ends them with all that they
// started. With bubblewrap (bwrap) a program has a PID namespace of its own and sees the file system read-only; without
// it, its processes are found by a mark that they inherit and that the kernel does not let them change. It needs 64-bit
// Linux.
//
// A process that makes a Jail becomes a child subreaper: orphans of all of its children become its own children.
package jail

import (
	"cmp"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sys/unix"
)

// Mode says what contains a program.
type Mode string

// The modes. Empty means ModeAuto.
const (
	ModeAuto  Mode = "auto"  // bwrap where it works, else none
	ModeBwrap Mode = "bwrap" // bwrap, or not at all
	ModeNone  Mode = "none"  // limits and a clean end only
)

// Config says how programs are contained.
type Config struct {
	Mode  Mode   // default ModeAuto
	Bwrap string // the bwrap command, on PATH or a path; default bwrap
	// Hidden are files and folders that programs in bwrap must not see. What is not there when a program starts is not
	// hidden from it, and a file that is replaced while it runs appears again: prefer folders.
	Hidden []string
	Temp   string // folder for the programs' temporary folders where there is no bwrap; default: the system's
	// Warden says that the main function of this process calls RunWarden first. Then nothing outlives this process, also
	// if it is killed; otherwise what programs without a sandbox started may, until the next Jail is made.
	Warden bool
	Logger *zap.Logger
}

// Jail starts programs.
type Jail struct {
	mode    Mode  // of programs that have no wish
	wanted  Mode  // by the configuration
	reason  error // why the mode is ModeNone
	hidden  []string
	self    worker
	host    *procfs
	starter *starter // of programs in bwrap
	sealed  *starter // of others
	temps   *temps
	warden  warden
	sampler *sampler
	files   memoryFiles
	bwrap   *bwrap // nil: it does not work, or is not wanted
}

// New returns a Jail after it tried bwrap, and ends what was left behind by workers that were killed. It fails when the
// mode is ModeBwrap and bwrap does not work.
func New(cfg Config) (*Jail, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	// Go opens everything close-on-exec, but what this process itself inherited is not, and would reach programs. Old
	// kernels refuse: programs then see what the worker was started with.
	_ = unix.CloseRange(3, ^uint(0)>>1, unix.CLOSE_RANGE_CLOEXEC)
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return nil, fmt.Errorf("becoming a child subreaper: %w", err)
	}
	self, err := thisWorker()
	if err != nil {
		return nil, err
	}
	host, err := openProcfs("/proc")
	if err != nil {
		return nil, err
	}
	j := &Jail{
		wanted: cmp.Or(cfg.Mode, ModeAuto), hidden: slices.Concat(cfg.Hidden, []string{sandboxRun}), self: self, host: host,
		warden: warden{wanted: cfg.Warden, self: self}, sampler: newSampler(host),
	}
	logger := cmp.Or(cfg.Logger, zap.NewNop())
	j.starter, _ = newStarter(func() error { return nil })
	if j.sealed, err = newStarter(sealThread); err != nil {
		logger.Warn("programs without a sandbox could hide from their end: the kernel does not seal their processes", zap.Error(err))
	}
	if killOrphans(host, self, time.Now().Add(killGrace)) {
		logger.Warn("ended processes that a killed worker left")
	}
	if j.files, err = newMemoryFiles(); err == nil {
		j.temps, err = newTemps(cfg.Temp)
	}
	if err == nil {
		err = j.choose(cfg.Bwrap, logger)
	}
	if err != nil {
		return nil, errors.Join(err, j.Close())
	}
	return j, nil
}

func (c Config) validate() error {
	switch c.Mode {
	case "", ModeAuto, ModeBwrap, ModeNone:
	default:
		return fmt.Errorf("runtime.sandbox %q: must be auto, bwrap or none", c.Mode)
	}
	for _, path := range c.Hidden {
		if !filepath.IsAbs(path) || filepath.Clean(path) == "/" {
			return fmt.Errorf("hidden path %q: must be absolute, and not all of the file system", path)
		}
	}
	return nil
}

// remedy is for workers where bwrap does not work.
const remedy = "install bubblewrap and let it make namespaces (in containers and on some distributions it needs a setting), " +
	"or accept sensors without a sandbox with runtime.sandbox: none"

// choose decides what contains programs.
func (j *Jail) choose(command string, logger *zap.Logger) error {
	j.mode, j.reason = ModeNone, errors.New("runtime.sandbox is none on this worker")
	if j.wanted == ModeNone {
		return nil
	}
	j.reason = j.findBwrap(command)
	switch {
	case j.reason == nil:
		j.mode = ModeBwrap
		if j.bwrap.offline != nil {
			logger.Warn("sensors that are to have no network cannot run here", zap.Error(j.bwrap.offline))
		}
	case j.wanted == ModeBwrap:
		return fmt.Errorf("runtime.sandbox is bwrap, and that does not work here: %w: %s", j.reason, remedy)
	default:
		logger.Warn("sensors run without a sandbox, as bwrap does not work here", zap.Error(j.reason), zap.String("remedy", remedy))
	}
	return nil
}

// Mode returns what contains programs that have no wish: ModeBwrap or ModeNone.
func (j *Jail) Mode() Mode { return j.mode }

// Reason returns why the mode is ModeNone; nil when it is not.
func (j *Jail) Reason() error { return j.reason }

// Close ends what the Jail needed. Kill is to be called before, for all programs; the kernel kills those that still run.
func (j *Jail) Close() error {
	j.starter.close()
	j.sealed.close()
	j.warden.close()
	if j.temps == nil {
		return nil
	}
	return j.temps.close()
}
