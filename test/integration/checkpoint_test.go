package integration

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/test/stack"
	"github.com/attune-automation/sensors/workflows"
)

// brittle brings numbers up to a checkpoint, one more behind it, and crashes. After its last number it is well.
const brittle = `
-- pack.yaml --
ref: t
-- triggers/number.yaml --
ref: t.number
-- sensors/brittle.yaml --
ref: t.brittle
runtime: core.python3
entrypoint: brittle.py
trigger: t.number
poll_interval: 1s
config: {step: 3, last: 30}
-- rules/all.yaml --
ref: t.all
trigger: t.number
action: {ref: core.echo}
-- brittle.py --
def poll(ctx):
    n = ctx.cursor or 0
    if n == ctx.config["last"]:
        return
    for n in range(n + 1, n + 1 + ctx.config["step"]):
        yield {"n": n}
    ctx.checkpoint(n)
    yield {"n": n + 1}
    raise RuntimeError("broken again")
`

// A sensor that fails for good has events of all that its polls had completed, and of nothing else.
func TestTheLastFailureLosesNothing(t *testing.T) {
	t.Parallel()
	s := stack.New(t, nil)
	messages := s.Watch()
	s.StartWorker()
	s.Apply(brittle)
	status := await(t, s, "t.brittle", func(status workflows.Status) bool { return status.Failed })
	require.EqualValues(t, 9, status.Events)
	require.EqualValues(t, 3, status.Polls)
	require.Zero(t, status.Recoveries, "what is stored of a failed poll makes no poll good")
	require.Contains(t, status.LastError, "broken again")
	unbroken(t, s, messages, "t.brittle", 9)
	require.Equal(t, upTo(9), numbers(t, s, "t.brittle"))
}

// A worker that dies between two crashes changes nothing of that.
func TestCrashesAndAKilledWorkerLoseNothing(t *testing.T) {
	t.Parallel()
	s := stack.New(t, map[string]string{"SENSOR__MAX_RESTART_ATTEMPTS": "100"})
	messages := s.Watch()
	s.Apply(brittle, "t.brittle.last=12")
	first := s.StartProcess(nil)
	awaitEvents(t, s, "t.brittle", 3)
	first.Kill()
	s.StartWorker()
	awaitEvents(t, s, "t.brittle", 12)
	await(t, s, "t.brittle", func(status workflows.Status) bool { return status.Recoveries == 1 && status.FailureCount == 0 })
	stopped(t, s, "t.brittle")
	unbroken(t, s, messages, "t.brittle", 12)
	require.Equal(t, upTo(12), numbers(t, s, "t.brittle"))
}
