package main

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/internal/store"
	"github.com/attune-automation/sensors/internal/testenv"
	"github.com/attune-automation/sensors/test/stack"
)

// system is a whole system with one worker, a process of its own.
type system struct {
	*stack.Stack
	temporal *temporalServer
	worker   *process
}

// newSystem sets up a system without sensors. Its database is new, so that what tests left behind does not slow it down.
func (t *trial) newSystem(settings map[string]string) *system {
	s := &system{temporal: t.startTemporal()}
	url := testenv.EmptyDatabase(t)
	_, err := store.Migrate(t.ctx, url)
	require.NoError(t, err)
	all := map[string]string{"DATABASE__URL": url}
	maps.Copy(all, settings)
	s.Stack = stack.New(t, all)

	program := filepath.Join(t.TempDir(), "worker")
	build := exec.CommandContext(t.ctx, "go", "build", "-o", program, "./worker")
	build.Stderr = os.Stderr
	require.NoError(t, build.Run())
	s.worker = t.start(os.Stderr, s.Env, program)
	return s
}
