package process

import (
	"cmp"
	"crypto/sha256"
	"fmt"
	"maps"
	"os"
	"slices"
	"syscall"

	"github.com/attune-automation/sensors/internal/runner/jail"
	"github.com/attune-automation/sensors/internal/runner/packs"
	"github.com/attune-automation/sensors/internal/sensor"
)

// launch is how a sensor's code is started.
type launch struct {
	identity identity
	command  jail.Command // without files
	prepared packs.Prepared
	sdk      bool // an SDK speaks on fd 3 alone; otherwise stdout carries events, too
	warm     bool // the process may stay up after a poll
	limits   sensor.Limits
}

// identity is what must be the same for a process to do another poll.
type identity struct {
	ref         string
	program     string // in the pack's copy, whose path has its digest in it
	folder      uint64 // the copy's inode: it may have been cleaned away, and unpacked again
	interpreter string
	sdk         string
	sandbox     sensor.SandboxMode
	network     string
	limits      sensor.Limits
	secrets     [sha256.Size]byte // a process keeps what it was given, and only the last values are masked
}

// newLaunch finds out how to start the sensor's code.
func (r *Runner) newLaunch(s sensor.Sensor, p packs.Prepared, secrets map[string]string, limits sensor.Limits) (launch, error) {
	l := launch{prepared: p, sdk: s.Runtime != sensor.RuntimeExec, limits: limits}
	path, args := p.Program, []string{p.Program}
	visible := p.Visible
	if l.sdk {
		bootstrap, flags, err := r.bootstrap(s.Runtime)
		if err != nil {
			return launch{}, err
		}
		path = p.Interpreter
		args = slices.Concat([]string{path}, flags, []string{bootstrap, "serve", s.Entrypoint})
		visible = append(slices.Clone(visible), r.sdks.Dir())
		l.identity.sdk = bootstrap
	}
	info, err := os.Stat(p.Dir)
	if err != nil {
		return launch{}, err
	}
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		l.identity.folder = stat.Ino
	}
	l.identity.ref, l.identity.program, l.identity.interpreter = s.Ref, p.Program, p.Interpreter
	l.identity.sandbox, l.identity.network, l.identity.limits = s.Sandbox, s.Network, l.limits
	l.identity.secrets = digest(secrets)
	l.command = jail.Command{
		Path: path, Args: args, Env: r.env, Dir: p.Dir, Visible: visible,
		Network: s.Network != sensor.NetworkNone,
		Mode:    jail.Mode(s.Sandbox),
		Limits: jail.Limits{
			CPU: l.limits.CPU, Memory: l.limits.Memory, OpenFiles: l.limits.OpenFiles, Processes: l.limits.Processes,
		},
	}
	l.warm = l.sdk && r.pool.max > 0 && !s.Streams() && (s.Warm == nil || *s.Warm)
	return l, nil
}

// bootstrap returns the SDK's file and the interpreter's flags.
func (r *Runner) bootstrap(runtime string) (file string, flags []string, err error) {
	if runtime == sensor.RuntimePython {
		file, err = r.sdks.Python()
		return file, []string{"-B", "-u"}, err
	}
	file, err = r.sdks.Node()
	return file, nil, err
}

// limitsOf applies the defaults.
func (r *Runner) limitsOf(s sensor.Sensor) sensor.Limits {
	l := sensor.Limits{
		CPU:       cmp.Or(s.Limits.CPU, r.limits.CPU),
		Memory:    cmp.Or(s.Limits.Memory, r.limits.Memory),
		OpenFiles: cmp.Or(s.Limits.OpenFiles, r.limits.OpenFiles),
		Processes: cmp.Or(s.Limits.Processes, r.limits.Processes),
		Output:    cmp.Or(s.Limits.Output, r.limits.Output),
	}
	if s.Streams() {
		l.CPU = 0 // it never ends
	}
	return l
}

// digest is the same for the same secrets.
func digest(secrets map[string]string) [sha256.Size]byte {
	h := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(secrets)) {
		fmt.Fprintf(h, "%q=%q\n", name, secrets[name])
	}
	return [sha256.Size]byte(h.Sum(nil))
}

// environment is all that a program has in its environment, but for HOME, TMPDIR and PWD, as docs/sensors.md lists it.
func environment(path string) []string {
	return []string{
		"PATH=" + path,
		"LANG=C.UTF-8",
		"TZ=UTC",
		"PYTHONDONTWRITEBYTECODE=1", // pack folders stay as they were applied
		"PYTHONUNBUFFERED=1",        // the log of a poll that hangs shows how far it got
	}
}
