package service

import (
	"errors"
	"os"
	"slices"
	"strings"

	"github.com/attune-automation/sensors/internal/config"
	"github.com/attune-automation/sensors/internal/runner"
	"github.com/attune-automation/sensors/internal/runner/jail"
	"github.com/attune-automation/sensors/internal/runner/process"
	"github.com/attune-automation/sensors/internal/secret"
	"github.com/attune-automation/sensors/internal/sensor"
	"github.com/attune-automation/sensors/internal/sensorlog"
)

// code is what runs sensors' code.
type code struct {
	processes *process.Runner
	mux       *runner.Mux
	logs      *sensorlog.Dir
	lenient   bool // a sensor may do without a sandbox
}

// openCode makes a worker that polls ready to run code.
func (s *Service) openCode() error {
	if !s.has(config.RoleActivities) {
		return nil
	}
	settings, log, logger := s.config.Runtime, s.config.Log, s.logger.Named("sensor")
	secrets, err := secret.New(secret.Config{Environ: os.Environ(), Directory: s.config.Secret.Directory})
	if err != nil {
		return err
	}
	c := &code{lenient: jail.Mode(settings.Sandbox) == jail.ModeAuto}
	c.logs, err = sensorlog.Open(sensorlog.Config{
		Dir: log.SensorDirectory, MaxBytes: log.SensorMaxSize, MaxFiles: log.SensorMaxFiles, Logger: logger,
	})
	if err != nil {
		return err
	}
	c.processes, err = process.New(process.Config{
		Archives: s.store, CacheDir: s.config.Worker.CacheDir,
		Python: settings.Python, Node: settings.Node, Path: settings.Path,
		InstallEnv: variables(settings.InstallEnvironment), InstallTimeout: settings.InstallTimeout,
		Sandbox: jail.Mode(settings.Sandbox), Hidden: s.hidden(), Secrets: secrets, Logs: c.logs, Limits: settings.Limits,
		WarmProcesses: settings.WarmProcesses, WarmIdle: settings.WarmIdle, WarmPolls: settings.WarmPolls,
		Logger: logger,
	})
	if err != nil {
		return errors.Join(err, c.logs.Close())
	}
	s.code = c
	c.mux, err = runner.New(runner.Config{Runtimes: c.processes.Runtimes()})
	return err
}

// sandbox returns what contains a sensor's code on this worker.
func (c *code) sandbox(def sensor.Sensor) string {
	if c.lenient && def.Sandbox == sensor.SandboxNone {
		return string(jail.ModeNone)
	}
	return c.processes.Sandbox()
}

// close ends the processes that stayed up, and closes what they needed.
func (c *code) close() error { return errors.Join(c.processes.Close(), c.logs.Close()) }

// hidden returns what no sensor is to see, besides the cache folder.
func (s *Service) hidden() []string {
	all := slices.Concat(s.config.Runtime.Hide, []string{s.config.File, s.config.Secret.Directory, s.config.Log.SensorDirectory})
	return slices.DeleteFunc(all, func(path string) bool { return path == "" })
}

// variables returns those of the worker's environment that have one of the names.
func variables(names []string) []string {
	return slices.DeleteFunc(os.Environ(), func(entry string) bool {
		name, _, _ := strings.Cut(entry, "=")
		return !slices.Contains(names, name)
	})
}
