package main

import (
	"maps"
	"os"

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
	s.worker = t.start(os.Stderr, s.Env, "bin/worker")
	return s
}
