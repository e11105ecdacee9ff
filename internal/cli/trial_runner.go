package cli

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"go.uber.org/zap"

	"github.com/attune-automation/sensors/internal/config"
	"github.com/attune-automation/sensors/internal/runner/jail"
	"github.com/attune-automation/sensors/internal/runner/process"
	"github.com/attune-automation/sensors/internal/secret"
	"github.com/attune-automation/sensors/internal/sensorlog"
)

// trialRunner runs sensors' code as a worker with the same settings does. Its logs are nobody else's.
type trialRunner struct {
	*process.Runner
	logs *sensorlog.Dir
	dir  string // of the logs
}

func openTrialRunner(cfg config.Config, from archives, environ []string) (_ *trialRunner, err error) {
	secrets, err := secret.New(secret.Config{Environ: environ, Directory: cfg.Secret.Directory})
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
	settings := cfg.Runtime
	t.Runner, err = process.New(process.Config{
		Archives: from, CacheDir: cfg.Worker.CacheDir, Python: settings.Python, Node: settings.Node, Path: settings.Path,
		InstallEnv: pick(environ, settings.InstallEnvironment), InstallTimeout: settings.InstallTimeout,
		Sandbox: jail.Mode(settings.Sandbox), Hidden: hiddenFromSensors(cfg), Limits: settings.Limits,
		Secrets: secrets, Logs: t.logs,
	})
	return t, err
}

// hiddenFromSensors returns what no sensor is to see, besides the cache.
func hiddenFromSensors(cfg config.Config) []string {
	paths := slices.Concat(cfg.Runtime.Hide, []string{cfg.File, cfg.Secret.Directory, cfg.Log.SensorDirectory})
	return slices.DeleteFunc(paths, func(path string) bool { return path == "" })
}

// pick returns the variables of an environment that have one of the names.
func pick(environ, names []string) []string {
	return slices.DeleteFunc(slices.Clone(environ), func(entry string) bool {
		name, _, _ := strings.Cut(entry, "=")
		return !slices.Contains(names, name)
	})
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
