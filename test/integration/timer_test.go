package integration

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/internal/runner/timer"
	"github.com/attune-automation/sensors/internal/store"
	"github.com/attune-automation/sensors/test/stack"
	"github.com/attune-automation/sensors/workflows"
)

// clockPack is a pack with one timer.
func clockPack(config string) string {
	return `
-- pack.yaml --
ref: t
-- sensors/clock.yaml --
ref: t.clock
runtime: core.timer
config: ` + config + `
-- rules/tick.yaml --
ref: t.tick
trigger: core.timer
action: {ref: core.echo}
`
}

// ticks returns what fired, oldest first.
func ticks(t *testing.T, s *stack.Stack) []timer.Payload {
	t.Helper()
	events, err := s.Store.Events(t.Context(), store.EventFilter{SensorRef: "t.clock", Limit: 1000})
	require.NoError(t, err)
	fired := make([]timer.Payload, len(events))
	for i, event := range events {
		require.NoError(t, json.Unmarshal(event.Payload, &fired[len(events)-1-i]))
	}
	return fired
}

func at(t *testing.T, p timer.Payload) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339, p.ScheduledAt)
	require.NoError(t, err)
	return at
}

// awaitTime waits until a time has come.
func awaitTime(s *stack.Stack, when time.Time) {
	s.Eventually(func(context.Context) error {
		return expect(time.Now().After(when), "it is not %s yet", when)
	})
}

func TestATickFiresOnceWhateverRestarts(t *testing.T) {
	t.Parallel()
	s := stack.New(t, nil)
	messages := s.Watch()
	s.Apply(clockPack(`{every: 1s, catch_up: all}`))
	first := s.StartProcess(nil)
	awaitEvents(t, s, "t.clock", 3)
	first.Kill()
	second := s.StartProcess(nil)
	awaitEvents(t, s, "t.clock", 8)
	require.NoError(t, s.Client.TerminateWorkflow(t.Context(), workflows.SensorID("t.clock"), "", "a test"))
	awaitEvents(t, s, "t.clock", 12)
	second.Kill()
	s.StartProcess(nil)
	awaitEvents(t, s, "t.clock", 15)
	s.StopSensor("t.clock", "enough")

	fired := ticks(t, s)
	for i, p := range fired {
		require.EqualValues(t, i+1, p.Sequence)
		require.Equal(t, "UTC", p.Timezone)
		require.Equal(t, "every 1s", p.Schedule)
		if i > 0 {
			require.Equal(t, time.Second, at(t, p).Sub(at(t, fired[i-1])), "none is missing, none is there twice")
		}
	}
	report := s.Sound(messages)
	require.EqualValues(t, len(fired), report.Events)
}

// One rule for ticks that are missed by a pause, by an outage, and by a stop.
func TestMissedTicksOfATimer(t *testing.T) {
	t.Parallel()
	for _, rule := range []timer.CatchUp{timer.CatchUpAll, timer.CatchUpLast, timer.CatchUpNone} {
		t.Run(string(rule), func(t *testing.T) {
			t.Parallel()
			s := stack.New(t, nil)
			s.Apply(clockPack(fmt.Sprintf(`{every: 1s, catch_up: %s}`, rule)))
			worker := s.StartWorker()
			awaitEvents(t, s, "t.clock", 1)

			_, err := s.Fleet.Pause(t.Context(), "t.clock")
			require.NoError(t, err)
			checkMissed(t, s, rule, func() {
				_, err := s.Fleet.Resume(t.Context(), "t.clock")
				require.NoError(t, err)
			})
			require.NoError(t, worker.Stop())
			checkMissed(t, s, rule, func() { s.StartWorker() })
			s.StopSensor("t.clock", "a test")
			checkMissed(t, s, rule, func() {
				require.NoError(t, s.Store.SetStopped(t.Context(), "t.clock", false))
				require.NoError(t, s.Fleet.Poke(t.Context()))
			})
		})
	}
}

// checkMissed lets a timer that is due every second, and does not run, miss some ticks, and looks at what fires of them
// once it runs again.
func checkMissed(t *testing.T, s *stack.Stack, rule timer.CatchUp, goOn func()) {
	t.Helper()
	before := ticks(t, s)
	last := at(t, before[len(before)-1])
	awaitTime(s, last.Add(5*time.Second))
	again := time.Now()
	goOn()
	awaitEvents(t, s, "t.clock", len(before)+3)

	var missed []time.Duration
	for _, p := range ticks(t, s)[len(before):] {
		if tick := at(t, p); tick.Before(again) {
			require.True(t, p.CatchUp, "%+v", p)
			missed = append(missed, tick.Sub(last))
		}
	}
	switch rule {
	case timer.CatchUpAll:
		require.Equal(t, time.Second, missed[0])
		require.GreaterOrEqual(t, len(missed), 4)
		require.Equal(t, time.Duration(len(missed))*time.Second, missed[len(missed)-1], "none is missing")
	case timer.CatchUpLast:
		require.LessOrEqual(t, len(missed), 1)
	case timer.CatchUpNone:
		require.Empty(t, missed)
	}
}

func TestATimerOfSingleInstantsCompletes(t *testing.T) {
	t.Parallel()
	s := stack.New(t, nil)
	messages := s.Watch()
	s.StartWorker()
	soon := time.Now().Add(3 * time.Second).Truncate(time.Second).UTC()
	s.Apply(clockPack(fmt.Sprintf(`{schedules: [{at: %s}, {at: %s}]}`, soon.Format(time.RFC3339), soon.Add(time.Second).Format(time.RFC3339))))
	await(t, s, "t.clock", func(status workflows.Status) bool { return status.State == workflows.StateCompleted })
	fired := ticks(t, s)
	require.Len(t, fired, 2)
	require.True(t, soon.Equal(at(t, fired[0])))

	later := time.Now().Add(3 * time.Second).Truncate(time.Second).UTC()
	s.Apply(clockPack(fmt.Sprintf(`{schedules: [{at: %s}, {at: %s}]}`, soon.Format(time.RFC3339), later.Format(time.RFC3339))))
	awaitEvents(t, s, "t.clock", 3)
	await(t, s, "t.clock", func(status workflows.Status) bool { return status.State == workflows.StateCompleted })
	fired = ticks(t, s)
	require.Len(t, fired, 3, "what has fired does not fire again")
	require.True(t, later.Equal(at(t, fired[2])))
	s.Sound(messages)
}
