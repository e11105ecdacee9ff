package workflows_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/activities"
	"github.com/attune-automation/sensors/internal/sensor"
	"github.com/attune-automation/sensors/workflows"
)

// A group is closed a little after its time, and tried again for as long as something keeps it from being closed.
func TestGroup(t *testing.T) {
	t.Parallel()
	env := workflows.NewEnv()
	start := time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)
	env.SetStartTime(start)
	closer := &activities.GroupCloser{}
	env.RegisterActivity(closer)
	var calls []time.Duration
	answers := []activities.GroupResult{
		{Status: sensor.GroupOpen, Wait: time.Second}, {Status: sensor.GroupOpen, Wait: time.Second},
		{Status: sensor.GroupOpen, Wait: 10 * time.Second}, {Status: sensor.GroupDone, EnforcementID: 7},
	}
	env.OnActivity(closer.CloseGroup, mock.Anything, mock.Anything).Return(
		func(context.Context, sensor.GroupHead) (activities.GroupResult, error) {
			calls = append(calls, env.Now().Sub(start).Round(time.Second))
			return answers[len(calls)-1], nil
		})
	env.ExecuteWorkflow(workflows.Group, sensor.GroupHead{ID: 3, Due: start.Add(5 * time.Minute)})
	require.NoError(t, env.GetWorkflowError())
	var res activities.GroupResult
	require.NoError(t, env.GetWorkflowResult(&res))
	require.EqualValues(t, 7, res.EnforcementID)
	at := 5*time.Minute + 2*time.Second
	require.Equal(t, []time.Duration{at, at + time.Second, at + 3*time.Second, at + 13*time.Second}, calls)
}

// What fails at first is tried again by a regular activity, which shows.
func TestGroupOutlivesFailures(t *testing.T) {
	t.Parallel()
	env := workflows.NewEnv()
	closer := &activities.GroupCloser{}
	env.RegisterActivity(closer)
	calls := 0
	env.OnActivity(closer.CloseGroup, mock.Anything, mock.Anything).Return(
		func(context.Context, sensor.GroupHead) (activities.GroupResult, error) {
			if calls++; calls < 4 {
				return activities.GroupResult{}, errors.New("the database is away")
			}
			return activities.GroupResult{Status: sensor.GroupDropped, Reason: "the rule has been deleted"}, nil
		})
	env.ExecuteWorkflow(workflows.Group, sensor.GroupHead{ID: 3})
	require.NoError(t, env.GetWorkflowError())
	require.Equal(t, 4, calls)
}

// A group that nothing more has to come to is closed at once, whether its workflow waits or is started for that.
func TestGroupIsClosedWhenItIsOver(t *testing.T) {
	t.Parallel()
	for name, over := range map[string]bool{"told": false, "started": true} {
		env := workflows.NewEnv()
		start := time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)
		env.SetStartTime(start)
		closer := &activities.GroupCloser{}
		env.RegisterActivity(closer)
		var calls []time.Duration
		env.OnActivity(closer.CloseGroup, mock.Anything, mock.Anything).Return(
			func(context.Context, sensor.GroupHead) (activities.GroupResult, error) {
				if calls = append(calls, env.Now().Sub(start).Round(time.Second)); len(calls) == 1 {
					return activities.GroupResult{Status: sensor.GroupOpen, Wait: 2 * time.Second}, nil
				}
				return activities.GroupResult{Status: sensor.GroupCancelled, Reason: "paid came with event 12"}, nil
			})
		env.RegisterDelayedCallback(func() { env.SignalWorkflow(workflows.SignalClose, nil) }, 0)
		if !over {
			env.RegisterDelayedCallback(func() { env.SignalWorkflow(workflows.SignalClose, nil) }, time.Minute)
		}
		head := sensor.GroupHead{ID: 3, Due: start.Add(5 * time.Minute), Over: over}
		env.ExecuteWorkflow(workflows.Group, head)
		require.NoError(t, env.GetWorkflowError(), name)
		require.Equal(t, []time.Duration{0, 2 * time.Second}, calls, name)
	}
}
