package integration

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/internal/config"
	"github.com/attune-automation/sensors/test/stack"
	"github.com/attune-automation/sensors/workflows"
)

// A server that goes away while sensors run costs them no attempt. The activity that waits for it can be seen with what
// it last failed of, and goes on by itself.
func TestAnOutageHealsByItself(t *testing.T) {
	t.Parallel()
	database := func(c *config.Config) *string { return &c.Database.URL }
	broker := func(c *config.Config) *string { return &c.MessageQueue.URL }
	for name, test := range map[string]struct {
		setting func(*config.Config) *string
		begin   func(*stack.Proxy)
		failure string // a part of what the pending activity says, where it is always the same
	}{
		"the database is cut off": {database, (*stack.Proxy).Cut, ""},
		"the broker is cut off":   {broker, (*stack.Proxy).Cut, "broker at 127.0.0.1"},
		"the broker falls silent": {broker, (*stack.Proxy).Stall, "broker at 127.0.0.1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := stack.New(t, map[string]string{"MESSAGE_QUEUE__CONFIRM_TIMEOUT": "2s"})
			messages := s.Watch()
			newGate(t).apply(s)
			var proxy *stack.Proxy
			s.StartWorker(func(c *config.Config) {
				url := test.setting(c)
				proxy = stack.NewProxy(t, *url)
				*url = proxy.URL
			})
			awaitEvents(t, s, "t.gated", 3)
			test.begin(proxy)
			awaitPending(t, s, test.failure)
			known := len(numbers(t, s, "t.gated"))
			proxy.Restore()
			awaitEvents(t, s, "t.gated", known+6)
			status := await(t, s, "t.gated", func(status workflows.Status) bool { return status.Events >= int64(known+6) })
			require.Zero(t, status.FailureCount)
			require.Zero(t, status.Recoveries)
			require.Empty(t, status.LastError)
			stopped(t, s, "t.gated")
			unbroken(t, s, messages, "t.gated", known+6)
		})
	}
}

// awaitPending waits until an activity of the sensor is pending that has failed of something.
func awaitPending(t *testing.T, s *stack.Stack, failure string) {
	t.Helper()
	s.Eventually(func(ctx context.Context) error {
		found, err := s.Client.DescribeWorkflowExecution(ctx, workflows.SensorID("t.gated"), "")
		if err != nil {
			return err
		}
		for _, activity := range found.PendingActivities {
			if activity.LastFailure != nil {
				require.Contains(t, activity.LastFailure.Message, failure)
				return nil
			}
		}
		return expect(false, "no pending activity has failed: %v", found.PendingActivities)
	})
}
