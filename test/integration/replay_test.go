package integration

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/internal/messaging"
	"github.com/attune-automation/sensors/internal/sensor"
	"github.com/attune-automation/sensors/internal/store"
	"github.com/attune-automation/sensors/test/stack"
	"github.com/attune-automation/sensors/workflows"
)

// late is a rule that is applied after the events have come.
const late = `
-- rules/late.yaml --
ref: t.late
trigger: t.number
conditions:
  - {field: n, operator: greater_than, value: 100}
action: {ref: core.echo}
`

// counted are events of the counter, numbers of them, and then a rule that has not matched them.
func counted(t *testing.T, s *stack.Stack, numbers string) {
	t.Helper()
	text := strings.Replace(counter, "{batch: 3, last: 9}", "{batch: "+numbers+", last: "+numbers+"}", 1)
	s.Apply(text)
	s.AwaitStatus("t.counter", func(status workflows.Status) bool { return status.Events > 0 && status.Polls > 1 })
	stopped(t, s, "t.counter")
	s.Apply(text + late)
}

func order(t *testing.T, s *stack.Stack, r sensor.Replay) sensor.Replay {
	t.Helper()
	ordered, err := s.Store.OrderReplay(t.Context(), r)
	require.NoError(t, err)
	require.NoError(t, s.Fleet.StartReplay(t.Context(), ordered))
	return ordered
}

func replayed(t *testing.T, s *stack.Stack, r sensor.Replay) workflows.ReplayStatus {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), stack.Timeout)
	defer cancel()
	status, err := s.Fleet.WaitReplay(ctx, r.ID)
	require.NoError(t, err)
	return status
}

// enforced returns how many enforcements a rule has, and of how many events.
func enforced(t *testing.T, s *stack.Stack, ref string) (rows, events int) {
	t.Helper()
	all, err := s.Store.Enforcements(t.Context(), store.EnforcementFilter{RuleRef: ref, Limit: 100_000})
	require.NoError(t, err)
	of := map[int64]bool{}
	for _, e := range all {
		of[e.EventID] = true
	}
	return len(all), len(of)
}

// A worker that is killed in the middle of a replay costs it time: another goes on, and nothing is missing or twice.
func TestAKilledWorkerLeavesNoGapInAReplay(t *testing.T) {
	t.Parallel()
	s := stack.New(t, nil)
	messages := s.Watch()
	killed := s.StartProcess(nil)
	counted(t, s, "700")
	r := order(t, s, sensor.Replay{RuleRefs: []string{"t.late"}, TriggerRefs: []string{"t.number"}, Rate: 60})
	require.EqualValues(t, 700, r.Events)
	s.Eventually(func(context.Context) error {
		rows, _ := enforced(t, s, "t.late")
		return expect(rows >= 120, "there are %d", rows)
	})
	killed.Kill()
	rows, _ := enforced(t, s, "t.late")
	require.Less(t, rows, 600, "it was not through")

	s.StartWorker()
	status := replayed(t, s, r)
	require.EqualValues(t, 700, status.Events)
	require.EqualValues(t, 600, status.Enforcements)
	require.Zero(t, status.Existing)
	rows, events := enforced(t, s, "t.late")
	require.Equal(t, 600, rows)
	require.Equal(t, 600, events)
	report := s.Sound(messages)
	require.EqualValues(t, 700+696+600, report.Enforcements)
	done, err := s.Store.Replay(t.Context(), r.ID)
	require.NoError(t, err)
	require.NotNil(t, done.Finished)
}

// What is there is never doubled but by force, and a forced one says what it repeats.
func TestAReplayDoublesNothingButByForce(t *testing.T) {
	t.Parallel()
	s := stack.New(t, nil)
	messages := s.Watch()
	s.StartWorker()
	counted(t, s, "150")

	dry := replayed(t, s, order(t, s, sensor.Replay{Rate: 1000, DryRun: true}))
	require.EqualValues(t, 50, dry.Enforcements)
	require.EqualValues(t, 150+146, dry.Existing)
	rows, _ := enforced(t, s, "t.late")
	require.Zero(t, rows)

	// Two at once: one of them writes each.
	one, two := order(t, s, sensor.Replay{Rate: 1000}), order(t, s, sensor.Replay{Rate: 1000})
	require.EqualValues(t, 50, replayed(t, s, one).Enforcements+replayed(t, s, two).Enforcements)
	rows, _ = enforced(t, s, "t.late")
	require.Equal(t, 50, rows)

	first, err := s.Store.Enforcements(t.Context(), store.EnforcementFilter{RuleRef: "t.late", Limit: 1})
	require.NoError(t, err)
	event := first[0].EventID
	forced := order(t, s, sensor.Replay{FirstEvent: event, RuleRefs: []string{"t.late", "t.all"}, Rate: 1000, Forced: true})
	require.EqualValues(t, 2, replayed(t, s, forced).Enforcements)
	repeated, err := s.Store.Enforcements(t.Context(), store.EnforcementFilter{RuleRef: "t.late", EventID: event})
	require.NoError(t, err)
	require.Len(t, repeated, 2)
	require.Equal(t, first[0].ID, *repeated[0].ReplayedFrom)
	require.Equal(t, forced.ID, *repeated[0].Replay)
	s.Sound(messages)

	told := map[int64]messaging.EnforcementCreated{}
	for _, d := range messages.All() {
		if d.Message.MessageType == messaging.TypeEnforcementCreated {
			p, err := messaging.DecodePayload[messaging.EnforcementCreated](d.Message)
			require.NoError(t, err)
			told[p.EnforcementID] = p
		}
	}
	require.Equal(t, forced.ID, *told[repeated[0].ID].ReplayID)
	require.Equal(t, first[0].ID, *told[repeated[0].ID].ReplayedFrom)
	require.NotNil(t, told[first[0].ID].ReplayID)
	require.Nil(t, told[first[0].ID].ReplayedFrom)
}

// A replay that is stopped leaves what it wrote, published; and a shadow orders nothing in it either.
func TestAReplayCanBeStopped(t *testing.T) {
	t.Parallel()
	s := stack.New(t, nil)
	messages := s.Watch()
	s.StartWorker()
	counted(t, s, "700")
	r := order(t, s, sensor.Replay{Rate: 20})
	s.Eventually(func(context.Context) error {
		rows, _ := enforced(t, s, "t.late")
		return expect(rows > 0, "it has not begun")
	})
	require.NoError(t, s.Fleet.StopReplay(t.Context(), r.ID))
	status := replayed(t, s, r)
	require.True(t, status.Stopped)
	rows, _ := enforced(t, s, "t.late")
	require.EqualValues(t, rows, status.Enforcements)
	require.Less(t, rows, 600)
	done, err := s.Store.Replay(t.Context(), r.ID)
	require.NoError(t, err)
	require.WithinDuration(t, time.Now(), *done.Finished, stack.Timeout)
	s.Sound(messages)
}

// An operator orders a replay, leaves it, and comes back to it: each look at it ends with what it did.
func TestAReplayIsFollowedToItsEnd(t *testing.T) {
	t.Parallel()
	s := stack.New(t, nil)
	s.StartWorker()
	counted(t, s, "150")

	code, out := starter(t, s, "replay", "--since", "1h", "--rules", "t.late", "--detach")
	require.Zero(t, code, out)
	require.Equal(t, "replay 1 of 150 events: `starter replay --attach 1` shows it\n", out)
	for range 2 { // while it runs, and when it is through
		code, out = starter(t, s, "replay", "--attach", "1")
		require.Zero(t, code, out)
		require.Contains(t, out, "replay 1 wrote 50 enforcements of 150 events; 0 matches had one already\n")
	}
	code, out = starter(t, s, "replay", "--since", "1h", "--rules", "t.late")
	require.Zero(t, code, out)
	require.Contains(t, out, "replay 2 wrote 0 enforcements of 150 events; 50 matches had one already\n")
}
