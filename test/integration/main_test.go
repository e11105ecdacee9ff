package integration

import (
	"context"
	"encoding/json"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/internal/store"
	"github.com/attune-automation/sensors/test/stack"
	"github.com/attune-automation/sensors/workflows"
)

func TestMain(m *testing.M) { stack.Main(m) }

// await waits until a sensor's status is as wanted.
func await(t *testing.T, s *stack.Stack, ref string, want func(workflows.Status) bool) workflows.Status {
	t.Helper()
	return s.AwaitStatus(ref, want)
}

// awaitEvents waits until a sensor has so many events, or more.
func awaitEvents(t *testing.T, s *stack.Stack, ref string, n int) {
	t.Helper()
	s.Eventually(func(ctx context.Context) error {
		events, err := s.Store.Events(ctx, store.EventFilter{SensorRef: ref, Limit: n})
		if err != nil {
			return err
		}
		return expect(len(events) == n, "there are %d of %d events", len(events), n)
	})
}

// numbers returns the n of a sensor's events, oldest first.
func numbers(t *testing.T, s *stack.Stack, ref string) []int {
	t.Helper()
	events, err := s.Store.Events(t.Context(), store.EventFilter{SensorRef: ref, Limit: 100_000})
	require.NoError(t, err)
	all := []int{}
	for _, e := range slices.Backward(events) {
		var payload struct{ N int }
		require.NoError(t, json.Unmarshal(e.Payload, &payload))
		all = append(all, payload.N)
	}
	return all
}

// upTo returns 1 to n.
func upTo(n int) []int {
	all := make([]int, n)
	for i := range all {
		all[i] = i + 1
	}
	return all
}

// unbroken requires that a sensor's events are those of a life without trouble, at least so many, and that rows and
// messages are sound.
func unbroken(t *testing.T, s *stack.Stack, messages *stack.Messages, ref string, least int) {
	t.Helper()
	awaitEvents(t, s, ref, least)
	s.Sound(messages)
	got := numbers(t, s, ref)
	require.Equal(t, upTo(len(got)), got)
}
