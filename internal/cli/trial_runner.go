package cli

import (
	"context"
	"errors"
	"fmt"
	"os"

	"go.uber.org/zap"

	"github.com/attune-automation/sensors/internal/config"
	"github.com/attune-automation/sensors/internal/runner/filewatch"
	"github.com/attune-automation/sensors/internal/runner/process"
	"github.com/attune-automation/sensors/internal/runner/setup"
	"github.com/attune-automation/sensors/internal/runner/timer"
	"github.com/attune-automation/sensors/internal/sensor"
	"github.com/attune-automation/sensors/internal/sensorlog"
)

// trialRunner runs sensors' code as a worker with the same settings does. Its logs are nobody else's.
type trialRunner struct {
	*process.Runner
	logs *sensorlog.Dir
	dir  string // of the logs
}

func openTrialRunner(cfg config.Config, from archives, env Env) (_ *trialRunner, err error) {
	processes, err := setup.Processes(cfg, env.Environ)
	if err != nil {
		return nil, err
	}
	t := &trialRunner{}
	defer func() {
		if err != nil {
			err = errors.Join(err, t.close())
		}
	}()
	if t.dir, err = os.MkdirTemp("", "sensor-test-"); err != nil {
		return nil, fmt.Errorf("making a folder for the log: %w", err)
	}
	t.logs, err = sensorlog.Open(sensorlog.Config{Dir: t.dir, MaxBytes: cfg.Log.SensorMaxSize, MaxFiles: cfg.Log.SensorMaxFiles, Logger: zap.NewNop()})
	if err != nil {
		return nil, err
	}
	processes.Archives, processes.Logs = from, t.logs
	processes.WarmProcesses, processes.Warden = 0, env.Warden
	t.Runner, err = process.New(processes)
	return t, err
}

// Poll polls with the runner of the sensor's runtime.
func (t *trialRunner) Poll(ctx context.Context, req sensor.PollRequest) (sensor.Poll, error) {
	switch {
	case req.Sensor.Runtime == sensor.RuntimeTimer:
		return timer.New(timer.Config{}).Poll(ctx, req)
	case req.Sensor.Runtime == sensor.RuntimeFileWatch:
		return filewatch.New(filewatch.RunnerConfig{Logs: t.logs}).Poll(ctx, req)
	case !req.Sensor.RunsCode():
		return sensor.Poll{}, fmt.Errorf("%s has no code to run, and its runtime, %s, sees nothing here: apply the pack to see what it brings",
			req.Sensor.Ref, req.Sensor.Runtime)
	}
	return t.Runner.Poll(ctx, req)
}

// finish ends the processes and returns what the sensor has printed.
func (t *trialRunner) finish(ref string) (lines []sensorlog.Line, err error) {
	if err := t.Runner.Close(); err != nil {
		return nil, err
	}
	if err := t.logs.Close(); err != nil {
		return nil, err
	}
	return sensorlog.Read(sensorlog.Query{Dir: t.dir, Ref: ref})
}

// close ends what is left and deletes the log.
func (t *trialRunner) close() (err error) {
	if t.Runner != nil {
		err = t.Runner.Close()
	}
	if t.logs != nil {
		err = errors.Join(err, t.logs.Close())
	}
	if t.dir != "" {
		err = errors.Join(err, os.RemoveAll(t.dir))
	}
	return err
}
