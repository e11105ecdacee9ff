package packs

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/attune-automation/sensors/internal/sensor"
)

// Prepare puts the sensor's pack and what it depends on in place and says how to run the sensor's code. It asks for
// little more than the state of a few files when all is there, and does not wait for an install: a *sensor.NotReady says
// that one is going on, or failed. A *sensor.Fault of kind start says what the pack must change, or what the machine
// lacks to run the sensor; any other error is the machine's own trouble.
func (c *Cache) Prepare(ctx context.Context, s sensor.Sensor) (Prepared, error) {
	p, err := c.prepare(ctx, s)
	if err == nil {
		return p, nil
	}
	var fault *sensor.Fault
	var notReady *sensor.NotReady
	if errors.As(err, &fault) || errors.As(err, &notReady) {
		return Prepared{}, err
	}
	return Prepared{}, fmt.Errorf("preparing pack %q: %w", s.PackRef, err)
}

func (c *Cache) prepare(ctx context.Context, s sensor.Sensor) (Prepared, error) {
	entrypoint := filepath.FromSlash(s.Entrypoint)
	if !filepath.IsLocal(entrypoint) {
		return Prepared{}, startFault("entrypoint %q is not a path below the pack's folder", s.Entrypoint)
	}
	dir, err := c.copyOf(ctx, s.PackDigest, "")
	if err != nil {
		return Prepared{}, err
	}
	program := filepath.Join(dir, entrypoint)
	if info, err := os.Stat(program); err != nil || !info.Mode().IsRegular() {
		return Prepared{}, startFault("there is no file %q in the pack: correct the sensor's `entrypoint` or add the file, and apply the pack", s.Entrypoint)
	}
	p := Prepared{Dir: dir, Program: program, Visible: []string{dir}, held: []string{dir}}
	switch s.Runtime {
	case sensor.RuntimePython:
		return c.prepareInterpreted(ctx, s, c.python, p)
	case sensor.RuntimeNode:
		return c.prepareInterpreted(ctx, s, c.node, p)
	case sensor.RuntimeExec:
		if !isExecutable(program) {
			return Prepared{}, startFault("%q is not executable: `chmod +x` it and apply the pack", s.Entrypoint)
		}
		return p, nil
	}
	return Prepared{}, startFault("no runtime %q", s.Runtime)
}

// prepareInterpreted adds the interpreter, and the dependencies if the pack names any.
func (c *Cache) prepareInterpreted(ctx context.Context, s sensor.Sensor, by *interpreter, p Prepared) (Prepared, error) {
	found, err := by.find(ctx)
	if err != nil {
		return Prepared{}, err
	}
	p.Interpreter = found.file
	p.Visible = append(p.Visible, found.folders...)
	plan, err := c.plan(s, found, p.Dir)
	if err != nil || plan == nil {
		return p, err
	}
	deps, err := c.install.ensure(plan, s)
	if err != nil {
		return Prepared{}, err
	}
	p.Visible = append(p.Visible, deps)
	p.held = append(p.held, deps)
	return c.withDependencies(ctx, s, plan, deps, p)
}

// withDependencies makes the code find what is installed in the folder deps: Python by being that of the virtual
// environment, Node.js by a node_modules in another copy of the pack, since it looks nowhere else for ES modules.
func (c *Cache) withDependencies(ctx context.Context, s sensor.Sensor, plan *plan, deps string, p Prepared) (Prepared, error) {
	if plan.runtime == sensor.RuntimePython {
		p.Interpreter = filepath.Join(deps, current, "venv", "bin", "python")
		return p, nil
	}
	dir, err := c.copyOf(ctx, s.PackDigest, plan.key)
	if err != nil {
		return Prepared{}, err
	}
	p.Visible[0] = dir
	p.held = append(p.held, dir)
	p.Dir, p.Program = dir, filepath.Join(dir, filepath.FromSlash(s.Entrypoint))
	return p, nil
}
