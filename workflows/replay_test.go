package workflows_test

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/workflow"

	"github.com/attune-automation/sensors/activities"
	"github.com/attune-automation/sensors/workflows"
)

// A replay carries over how far it is when it continues as new, and goes on from there.
func TestReplayContinuesAsNew(t *testing.T) {
	t.Parallel()
	var replayer *activities.Replayer
	env := workflows.NewEnv()
	env.SetContinueAsNewSuggested(true)
	env.OnActivity(replayer.ReplayEvents, mock.Anything, activities.ReplayOrder{ReplayID: 7}).Return(activities.ReplayPart{
		ReplayCounts: activities.ReplayCounts{Events: 3, Enforcements: 2, Rules: []activities.RuleCount{{RuleRef: "a.b", Enforcements: 2}}},
		After:        12, Total: 9,
	}, nil)
	env.ExecuteWorkflow(workflows.Replay, workflows.ReplayInput{ReplayID: 7})
	var again *workflow.ContinueAsNewError
	require.True(t, errors.As(env.GetWorkflowError(), &again))
	var next workflows.ReplayInput
	require.NoError(t, converter.GetDefaultDataConverter().FromPayloads(again.Input, &next))
	require.EqualValues(t, 12, next.Status.After)
	require.EqualValues(t, 2, next.Status.Enforcements)

	env = workflows.NewEnv()
	env.OnActivity(replayer.ReplayEvents, mock.Anything, mock.Anything).Return(
		func(_ context.Context, in activities.ReplayOrder) (activities.ReplayPart, error) {
			if in.After != 12 {
				return activities.ReplayPart{}, errors.New("it began anew")
			}
			return activities.ReplayPart{
				ReplayCounts: activities.ReplayCounts{Events: 6, Enforcements: 1, Rules: []activities.RuleCount{{RuleRef: "a.b", Enforcements: 1}}},
				After:        20, Total: 9, Done: true,
			}, nil
		})
	env.ExecuteWorkflow(workflows.Replay, next)
	require.NoError(t, env.GetWorkflowError())
	var status workflows.ReplayStatus
	require.NoError(t, env.GetWorkflowResult(&status))
	require.Equal(t, activities.ReplayCounts{Events: 9, Enforcements: 3, Rules: []activities.RuleCount{{RuleRef: "a.b", Enforcements: 3}}}, status.ReplayCounts)
	require.True(t, status.Done)
}
