package activities

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/testsuite"

	"github.com/attune-automation/sensors/internal/sensor"
)

// orders are enforcements, and what became of their actions.
type orders struct {
	mu     sync.Mutex
	list   []sensor.Enforcement
	became map[int64]string
}

func (o *orders) UndispatchedOf(context.Context, int64) ([]sensor.Enforcement, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	var left []sensor.Enforcement
	for _, e := range o.list {
		if o.became[e.ID] == "" {
			left = append(left, e)
		}
	}
	return left, nil
}

func (o *orders) Dispatched(_ context.Context, id int64, link sensor.Link) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.became[id] = link.WorkflowID
	return nil
}

func (o *orders) DispatchFailed(_ context.Context, id int64, reason string) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.became[id] = reason
	return nil
}

// cluster is a Temporal that is away for what goes to queue "away", and refuses what goes to "never".
type cluster struct{}

func (cluster) Dispatch(_ context.Context, e sensor.Enforcement, a sensor.TemporalAction) (sensor.Link, error) {
	switch a.TaskQueue {
	case "away":
		return sensor.Link{}, errors.New("connection refused")
	case "never":
		return sensor.Link{}, fmt.Errorf("%w: it runs already", sensor.ErrRefused)
	}
	return sensor.Link{WorkflowID: fmt.Sprintf("enforcement:%d", e.ID)}, nil
}

func TestDispatchDoesWhatItCan(t *testing.T) {
	t.Parallel()
	o := &orders{became: map[int64]string{}}
	for id, params := range []string{
		`{"operation": "start", "workflow": "W", "task_queue": "q"}`,
		`{"operation": "start", "workflow": "W", "task_queue": "away"}`,
		`{"operation": "start", "workflow": "W", "task_queue": "never"}`,
		`{"operation": "start", "workflow": 7}`,
		`{"operation": "start", "workflow": "W", "task_queue": "q"}`,
	} {
		o.list = append(o.list, sensor.Enforcement{
			ID: int64(id), RuleRef: "t.r", Status: sensor.EnforcementCreated,
			Config: fmt.Appendf(nil, `{"action": "core.temporal", "params": %s}`, params),
		})
	}
	var suite testsuite.WorkflowTestSuite
	env := suite.NewTestActivityEnvironment()
	d := &Dispatcher{Store: o, Target: cluster{}}
	env.RegisterActivity(d)
	_, err := env.ExecuteActivity(d.Dispatch, BatchInput{BatchID: 1})
	require.ErrorContains(t, err, "enforcement 1 of rule t.r: connection refused")
	require.Equal(t, "enforcement:0", o.became[0])
	require.Empty(t, o.became[1], "it is tried again")
	require.Equal(t, "refused: it runs already", o.became[2])
	require.Contains(t, o.became[3], "workflow: got number")
	require.Equal(t, "enforcement:4", o.became[4])
}

func TestOnlyActionsOfOurOwnAreDispatched(t *testing.T) {
	t.Parallel()
	for config, want := range map[string]bool{
		`{"action": "core.temporal", "params": {}}`:                  true,
		`{"action": "core.echo", "params": {"as": "core.temporal"}}`: false,
		`{"action": "core.echo", "params": {}}`:                      false,
	} {
		e := sensor.Enforcement{Status: sensor.EnforcementCreated, Config: []byte(config)}
		require.Equal(t, want, e.Undispatched(), config)
		e.Status = sensor.EnforcementFailed
		require.False(t, e.Undispatched())
	}
}
