package integration

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/test/stack"
)

// gated yields numbers from its cursor on, config.batch of them a poll, and waits while its gate is closed.
const gated = `
-- pack.yaml --
ref: t
-- triggers/number.yaml --
ref: t.number
-- sensors/gated.yaml --
ref: t.gated
runtime: core.python3
entrypoint: gated.py
trigger: t.number
poll_interval: 1s
config: {gate: /nowhere, batch: 3}
-- rules/big.yaml --
ref: t.big
trigger: t.number
conditions:
  - {field: n, operator: greater_than, value: 4}
action: {ref: core.echo}
-- rules/all.yaml --
ref: t.all
trigger: t.number
action: {ref: core.echo}
-- gated.py --
import os, pathlib, time

def poll(ctx):
    gate = pathlib.Path(ctx.config["gate"])
    with open(gate / "entered", "a") as entered:
        print(os.getpid(), file=entered)
    while (gate / "closed").exists():
        time.sleep(0.05)
    n = ctx.cursor or 0
    for n in range(n + 1, n + 1 + ctx.config["batch"]):
        yield {"n": n}
    ctx.cursor = n
`

// gate holds up the polls of a gated sensor.
type gate struct {
	t   *testing.T
	dir string
}

// newGate returns an open gate.
func newGate(t *testing.T) gate { return gate{t: t, dir: t.TempDir()} }

// apply applies the gated sensor with this gate.
func (g gate) apply(s *stack.Stack, set ...string) {
	g.t.Helper()
	g.applyText(s, gated, set...)
}

// applyText applies a variant of the gated sensor with this gate.
func (g gate) applyText(s *stack.Stack, text string, set ...string) {
	g.t.Helper()
	s.Apply(text, append([]string{"t.gated.gate=" + g.dir}, set...)...)
}

func (g gate) close() {
	g.t.Helper()
	require.NoError(g.t, os.WriteFile(filepath.Join(g.dir, "closed"), nil, 0o644))
}

func (g gate) open() {
	g.t.Helper()
	require.NoError(g.t, os.Remove(filepath.Join(g.dir, "closed")))
}

// pids returns the processes of all polls so far.
func (g gate) pids() []int {
	g.t.Helper()
	text, err := os.ReadFile(filepath.Join(g.dir, "entered"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	require.NoError(g.t, err)
	var pids []int
	for line := range strings.Lines(string(text)) {
		if line, whole := strings.CutSuffix(line, "\n"); whole {
			pid, err := strconv.Atoi(line)
			require.NoError(g.t, err)
			pids = append(pids, pid)
		}
	}
	return pids
}

// polls is how many polls have begun.
func (g gate) polls() int {
	g.t.Helper()
	return len(g.pids())
}

// await waits until so many polls have begun.
func (g gate) await(s *stack.Stack, polls int) {
	g.t.Helper()
	s.Eventually(func(context.Context) error {
		return expect(g.polls() >= polls, "%d of %d polls have begun", g.polls(), polls)
	})
}

// deserted requires that none of these processes of polls is left.
func (g gate) deserted(s *stack.Stack, pids []int) {
	g.t.Helper()
	s.Eventually(func(context.Context) error {
		for _, pid := range pids {
			if alive(pid) {
				return fmt.Errorf("process %d of a poll still runs", pid)
			}
		}
		return nil
	})
}

// alive says whether a process runs. What a killed worker leaves becomes a zombie of this process, which has workers too.
func alive(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	_, state, _ := strings.Cut(string(stat), ") ")
	return !strings.HasPrefix(state, "Z")
}
