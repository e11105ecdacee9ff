package integration

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	sdkpb "go.temporal.io/api/sdk/v1"
	"go.temporal.io/sdk/converter"

	"github.com/attune-automation/sensors/test/stack"
	"github.com/attune-automation/sensors/workflows"
)

// What people see of a sensor in the Web UI without asking it.
func TestTheWebUIShowsASensor(t *testing.T) {
	t.Parallel()
	s := stack.New(t, nil)
	s.StartWorker()
	s.Apply(counter)
	s.Eventually(func(ctx context.Context) error {
		status, err := s.Fleet.Status(ctx, "t.counter")
		if err != nil {
			return err
		}
		return expect(status.Polls >= 3 && status.Events == 9, "status is %+v", status)
	})
	id := workflows.SensorID("t.counter")

	described, err := s.Client.DescribeWorkflowExecution(t.Context(), id, "")
	require.NoError(t, err)
	require.Equal(t, "t.counter watches for t.number", decode(t, described.GetExecutionConfig().GetUserMetadata().GetSummary()))
	attributes := described.GetWorkflowExecutionInfo().GetSearchAttributes().GetIndexedFields()
	for name, want := range map[string]string{
		"SensorRef": `"t.counter"`, "SensorRuntime": `"core.python3"`, "SensorTrigger": `"t.number"`, "SensorState": `"running"`, "SensorVersion": `1`,
	} {
		require.Equal(t, want, string(attributes[name].GetData()), name)
	}

	var metadata sdkpb.WorkflowMetadata
	value, err := s.Client.QueryWorkflow(t.Context(), id, "", "__temporal_workflow_metadata")
	require.NoError(t, err)
	require.NoError(t, value.Get(&metadata))
	for _, want := range []string{"**running**", "| last poll |", "| last events |", "| next poll |", "3 batches, 9 events, 14 enforcements"} {
		require.Contains(t, metadata.CurrentDetails, want)
	}

	summarised := map[enumspb.EventType]bool{}
	for history := s.Client.GetWorkflowHistory(t.Context(), id, "", false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT); history.HasNext(); {
		event, err := history.Next()
		require.NoError(t, err)
		switch event.EventType {
		case enumspb.EVENT_TYPE_TIMER_STARTED, enumspb.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED, enumspb.EVENT_TYPE_MARKER_RECORDED:
			require.NotEmpty(t, decode(t, event.GetUserMetadata().GetSummary()), "%s has no summary", event.EventType)
			summarised[event.EventType] = true
		}
	}
	require.Len(t, summarised, 3)
}

// decode reads a string, empty when there is none.
func decode(t *testing.T, payload *commonpb.Payload) (s string) {
	t.Helper()
	if payload != nil {
		require.NoError(t, converter.GetDefaultDataConverter().FromPayload(payload, &s))
	}
	return s
}
