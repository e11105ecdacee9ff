package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// trial is one run of a benchmark. It is a testing.TB for what benchmarks share with tests: a failed assertion ends it,
// and its cleanups run in the end, last one first.
type trial struct {
	testing.TB // nil, for the method that nobody else can have; benchmarks call the methods below and no others

	name     string
	ctx      context.Context
	cleanups []func()
	failures []error
}

// runTrial runs a benchmark to its end and says why it failed.
func runTrial(ctx context.Context, b benchmark) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	t := &trial{name: b.name, ctx: ctx}
	done := make(chan struct{})
	go func() { // which FailNow ends
		defer close(done)
		defer t.cleanUp()
		defer cancel()
		b.run(t)
	}()
	<-done
	return errors.Join(t.failures...)
}

// cleanUp runs the cleanups, whatever becomes of each.
func (t *trial) cleanUp() {
	last := len(t.cleanups) - 1
	if last < 0 {
		return
	}
	f := t.cleanups[last]
	t.cleanups = t.cleanups[:last]
	defer t.cleanUp()
	f()
}

func (t *trial) Helper()                  {}
func (t *trial) Name() string             { return t.name }
func (t *trial) Context() context.Context { return t.ctx }
func (t *trial) Cleanup(f func())         { t.cleanups = append(t.cleanups, f) }
func (t *trial) FailNow()                 { runtime.Goexit() }
func (t *trial) Log(args ...any)          { fmt.Fprintln(os.Stderr, args...) }
func (t *trial) Errorf(format string, args ...any) {
	t.failures = append(t.failures, fmt.Errorf(format, args...))
}

// TempDir returns a new folder that is gone after the trial.
func (t *trial) TempDir() string {
	dir, err := os.MkdirTemp("", "attune-bench-"+t.name+"-")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	return dir
}

// Setenv sets a variable until the end of the trial.
func (t *trial) Setenv(name, value string) {
	before, was := os.LookupEnv(name)
	require.NoError(t, os.Setenv(name, value))
	t.Cleanup(func() {
		if was {
			require.NoError(t, os.Setenv(name, before))
		} else {
			require.NoError(t, os.Unsetenv(name))
		}
	})
}

// report prints a figure of the benchmark and adds it to the file of all figures.
func (t *trial) report(figure string, value float64, unit string) {
	name := strings.Join([]string{t.name, figure}, "_")
	fmt.Printf("%s: %s %s\n", name, significant(value), unit)
	require.NoError(t, record(name, value))
}
