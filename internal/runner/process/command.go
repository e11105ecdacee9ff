package process

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/attune-automation/sensors/internal/runner"
	"github.com/attune-automation/sensors/internal/sensor"
)

// Runtimes returns the runtimes that r runs, for runner.Config.
func (r *Runner) Runtimes() map[string]runner.Runner {
	return map[string]runner.Runner{sensor.RuntimePython: r, sensor.RuntimeNode: r, sensor.RuntimeExec: r}
}

// command is what is to be run for one poll.
type command struct {
	path string // of the program
	args []string
	dir  string // the pack's copy
	env  []string
	sdk  bool // an SDK speaks on fd 3 alone; otherwise stdout carries events, too
}

// command finds the sensor's code and what runs it.
func (r *Runner) command(ctx context.Context, s sensor.Sensor) (command, error) {
	entrypoint := filepath.FromSlash(s.Entrypoint)
	if !filepath.IsLocal(entrypoint) {
		return command{}, startFault("entrypoint %q is not a path below the pack's folder", s.Entrypoint)
	}
	dir, err := r.packs.folder(ctx, s.PackDigest)
	if err != nil {
		return command{}, err
	}
	program := filepath.Join(dir, entrypoint)
	if info, err := os.Stat(program); err != nil || !info.Mode().IsRegular() {
		return command{}, startFault("there is no file %q in the pack: correct the sensor's `entrypoint` or add the file, and apply the pack", s.Entrypoint)
	}
	switch s.Runtime {
	case sensor.RuntimePython:
		return r.interpreted(ctx, r.python, []string{"-B", "-u"}, pythonSDK, dir, entrypoint)
	case sensor.RuntimeNode:
		return r.interpreted(ctx, r.node, nil, nodeSDK, dir, entrypoint)
	case sensor.RuntimeExec:
		if !isExecutable(program) {
			return command{}, startFault("%q is not executable: `chmod +x` it and apply the pack", s.Entrypoint)
		}
		return command{path: program, args: []string{program}, dir: dir}, nil
	}
	return command{}, startFault("no runtime %q", s.Runtime)
}

func (r *Runner) interpreted(ctx context.Context, by *interpreter, flags []string, sdk, dir, entrypoint string) (command, error) {
	path, err := by.find(ctx)
	if err != nil {
		return command{}, err
	}
	bootstrap, err := r.sdks.file(sdk)
	if err != nil {
		return command{}, err
	}
	args := append([]string{path}, flags...)
	return command{path: path, args: append(args, bootstrap, entrypoint), dir: dir, sdk: true}, nil
}

// environment is all that a child has in its environment, but for HOME and TMPDIR, as docs/sensors.md lists it.
func environment(path string) []string {
	return []string{
		"PATH=" + path,
		"LANG=C.UTF-8",
		"TZ=UTC",
		"PYTHONDONTWRITEBYTECODE=1", // pack folders stay as they were applied
		"PYTHONUNBUFFERED=1",        // the log of a poll that hangs shows how far it got
	}
}

func startFault(format string, args ...any) *sensor.Fault {
	return &sensor.Fault{Kind: sensor.FaultStart, Message: fmt.Sprintf(format, args...)}
}
