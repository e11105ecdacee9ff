package faults

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/internal/sensor"
	"github.com/attune-automation/sensors/internal/store"
	"github.com/attune-automation/sensors/test/stack"
)

const (
	last = 30 // numbers that the source has
	step = 8  // of them a poll
)

// drives are the ways in which a sensor is brought to rest.
var drives = map[string]func(*line){
	"started anew": (*line).until, "tried again": (*line).patient, "attended": (*line).attended,
}

// Whatever moment a worker dies at, once or twice, and whether its steps are tried again or the sensor is started anew:
// the rows and the messages are those of a worker that never died.
func TestEveryCrashPointComesToTheSame(t *testing.T) {
	t.Parallel()
	for _, p := range points {
		for times := 1; times <= 2; times++ {
			for name, drive := range drives {
				t.Run(fmt.Sprintf("%s, %d times, %s", p, times, name), func(t *testing.T) {
					t.Parallel()
					s := stack.New(t, nil)
					s.Apply(numbers)
					messages := s.Watch()
					l := newLine(t, s, &source{step: step, last: last})
					l.left[p] = times
					drive(l)
					require.Zero(t, l.left[p], "the crash happened")
					require.Len(t, l.groups.started, 1, "what collects has a workflow that closes it")
					sound(t, s, messages)
				})
			}
		}
	}
}

// Every point fails in turn, in one life of a sensor.
func TestAWorkerThatDiesEverywhere(t *testing.T) {
	t.Parallel()
	s := stack.New(t, nil)
	s.Apply(numbers)
	messages := s.Watch()
	l := newLine(t, s, &source{step: step, last: last})
	for _, p := range points {
		l.left[p] = 2
	}
	l.until()
	sound(t, s, messages)
}

// Workers that all believe they own the sensor poll and work at the same time.
func TestManyWorkersOnOneSensor(t *testing.T) {
	t.Parallel()
	s := stack.New(t, nil)
	s.Apply(numbers)
	messages := s.Watch()
	var wg sync.WaitGroup
	for n := range 4 {
		l := newLine(t, s, &source{step: step, last: last})
		poll := l.poll
		if n%2 == 1 {
			poll = l.attend
		}
		wg.Go(func() {
			for range 200 {
				worked, err := l.cycleOf(poll)
				if err == nil && !worked {
					return
				}
			}
			t.Error("the sensor never comes to rest")
		})
	}
	wg.Wait()
	newLine(t, s, &source{step: step, last: last}).until() // what the last of them left to do
	sound(t, s, messages)
}

// A poller that was away while others went on stores nothing.
func TestAZombiePollerLoses(t *testing.T) {
	t.Parallel()
	s := stack.New(t, nil)
	s.Apply(numbers)
	turn, err := s.Store.Turn(t.Context(), "t.numbers")
	require.NoError(t, err)
	l := newLine(t, s, &source{step: step, last: last})
	l.until()
	_, err = s.Store.Append(t.Context(), turn, sensor.Part{Items: []sensor.Item{{Payload: []byte(`{"n": 1}`)}}, Cursor: []byte("1")})
	require.ErrorIs(t, err, sensor.ErrTurnLost)
}

// sound checks rows and messages against what the source's numbers come to, and against each other.
func sound(t *testing.T, s *stack.Stack, messages *stack.Messages) {
	t.Helper()
	s.Sound(messages)
	events, enforcements, rejected := want(last)
	stored, err := s.Store.Events(t.Context(), store.EventFilter{SensorRef: "t.numbers", Limit: 1000})
	require.NoError(t, err)
	require.Len(t, stored, events)
	activity, err := s.Store.RuleActivity(t.Context(), store.RuleFilter{TriggerRef: "t.number"}, time.Now().Add(-time.Hour))
	require.NoError(t, err)
	require.EqualValues(t, counted(stored, "t.number"), activity["t.brittle"].Errors, "each event that a rule has no result for counts once")
	for i := 1; i < len(stored); i++ { // newest first
		require.Greater(t, number(t, stored[i-1]), number(t, stored[i]), "poll order")
	}
	orders, err := s.Store.Enforcements(t.Context(), store.EnforcementFilter{Limit: 1000})
	require.NoError(t, err)
	require.Len(t, orders, enforcements)
	refused, err := s.Store.Rejected(t.Context(), store.RejectedFilter{SensorRef: "t.numbers", Limit: 1000})
	require.NoError(t, err)
	require.Len(t, refused, rejected)
	cursor, _, err := s.Store.Cursor(t.Context(), "t.numbers")
	require.NoError(t, err)
	require.JSONEq(t, fmt.Sprint(last), string(cursor))
	keys, err := s.Store.Keys(t.Context(), store.KeyFilter{SensorRef: "t.numbers", Limit: 1000})
	require.NoError(t, err)
	require.Len(t, keys, events, "those of refused payloads are free")
}

// counted is how many of the events are of the trigger.
func counted(events []sensor.Event, trigger string) (n int) {
	for _, e := range events {
		if e.TriggerRef == trigger {
			n++
		}
	}
	return n
}
