package replay

import (
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
