package integration

import (
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/internal/config"
	"github.com/attune-automation/sensors/test/stack"
	"github.com/attune-automation/sensors/workflows"
)

// An old failure does not keep a sensor down that was started again since.
func TestATerminatedSensorIsStartedAgainThoughItOnceFailed(t *testing.T) {
	t.Parallel()
	s := stack.New(t, map[string]string{"SENSOR__MAX_RESTART_ATTEMPTS": "1"})
	mood := newMood(t, "bad")
	s.StartWorker()
	s.Apply(moody, "t.moody.mood="+mood.path)
	s.Eventually(func(ctx context.Context) error {
		failed, err := s.Fleet.Failed(ctx)
		if err != nil {
			return err
		}
		return expect(len(failed) == 1, "failed are %v", failed)
	})
	mood.set(t, "good")
	definition, err := s.Store.Sensor(t.Context(), "t.moody")
	require.NoError(t, err)
	_, err = s.Fleet.Launch(t.Context(), definition.Spec(s.Config.SensorSettings()))
	require.NoError(t, err)
	polls(t, s, "t.moody")
	require.NoError(t, s.Fleet.Terminate(t.Context(), "t.moody", "an operator's slip"))
	s.Eventually(func(ctx context.Context) error {
		runs, err := s.Fleet.History(ctx, "t.moody", 10)
		if err != nil {
			return err
		}
		return expect(len(runs) == 3 && runs[0].Status == "Running", "runs are %+v", runs)
	})
	live, err := s.Fleet.Live(t.Context())
	require.NoError(t, err)
	require.Equal(t, workflows.StateRunning, live["t.moody"].State)
}

// New defaults reach sensors that run.
func TestChangedDefaultsTakeEffectAfterTheWorkersRestart(t *testing.T) {
	t.Parallel()
	s := stack.New(t, map[string]string{"SENSOR__POLL_INTERVAL": "1s"})
	mood := newMood(t, "good")
	s.Apply(strings.ReplaceAll(moody, "poll_interval: 1s\n", ""), "t.moody.mood="+mood.path)
	w := s.StartWorker()
	polls(t, s, "t.moody")
	require.NoError(t, w.Stop())
	s.StartWorker(func(c *config.Config) { c.Sensor.PollInterval = c.Sensor.PollInterval * 7 })
	s.Eventually(func(ctx context.Context) error {
		status, err := s.Fleet.Status(ctx, "t.moody")
		if err != nil {
			return err
		}
		return expect(status.PollInterval == "7s", "status is %+v", status)
	})
}

// polls waits until the sensor's workflow has polled.
func polls(t *testing.T, s *stack.Stack, ref string) {
	t.Helper()
	s.Eventually(func(ctx context.Context) error {
		status, err := s.Fleet.Status(ctx, ref)
		if err != nil {
			return err
		}
		return expect(status.Running && status.Events > 0, "status is %+v", status)
	})
}
