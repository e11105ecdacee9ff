package replay

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/internal/sensor"
	"github.com/attune-automation/sensors/test/stack"
	"github.com/attune-automation/sensors/workflows"
)

const grouping = `
-- pack.yaml --
ref: t
-- triggers/a.yaml --
ref: t.a
-- triggers/b.yaml --
ref: t.b
-- rules/both.yaml --
ref: t.both
trigger: t.a
correlate: {within: %s, then: [{name: b, trigger: t.b}]}
action: {ref: core.echo}
`

// group lives through a group of a correlation, which is closed when its parts have come, or when its time is over.
func group(t *testing.T, s *stack.Stack, within string, parts ...string) string {
	t.Helper()
	s.Apply(fmt.Sprintf(grouping, within))
	s.StartWorker()
	for _, part := range parts {
		id, err := s.Store.StoreSystemEvent(t.Context(), sensor.SystemEvent{TriggerRef: "t." + part, Payload: []byte(`{}`)})
		require.NoError(t, err)
		_, err = s.Fleet.Emit(t.Context(), id)
		require.NoError(t, err)
	}
	require.NoError(t, s.Client.GetWorkflow(t.Context(), workflows.GroupID(1), "").Get(t.Context(), nil))
	return workflows.GroupID(1)
}

const crowding = `
-- pack.yaml --
ref: t
-- triggers/a.yaml --
ref: t.a
-- rules/each.yaml --
ref: t.each
trigger: t.a
throttle: {once_after: 1h, group_by: [payload.n]}
action: {ref: core.echo}
-- sensors/sensor.yaml --
ref: t.sensor
runtime: core.exec
entrypoint: bin/sensor
trigger: t.a
poll_interval: 1h
-- bin/sensor --
#!/bin/sh
seq -f '{"n": %.0f}' 50
`

// openMany lives through the start of the groups of a batch that opens many.
func openMany(t *testing.T, s *stack.Stack) string {
	t.Helper()
	s.Apply(crowding)
	s.StartWorker()
	id := workflows.OpenGroupsID(1)
	s.Eventually(func(ctx context.Context) error {
		return s.Client.GetWorkflow(ctx, id, "").Get(ctx, nil)
	})
	return id
}
