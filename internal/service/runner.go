package service

import (
	"errors"
	"os"
	"slices"
	"strings"

	"github.com/attune-automation/sensors/internal/runner"
	"github.com/attune-automation/sensors/internal/runner/jail"
	"github.com/attune-automation/sensors/internal/runner/process"
	"github.com/attune-automation/sensors/internal/secret"
	"github.com/attune-automation/sensors/internal/sensorlog"
)

// newRunner returns what runs sensors' code, and what closes it when nothing is polled any more.
func (s *Service) newRunner() (*runner.Mux, func() error, error) {
	settings, log, logger := s.config.Runtime, s.config.Log, s.logger.Named("sensor")
	secrets, err := secret.New(secret.Config{Environ: os.Environ(), Directory: s.config.Secret.Directory})
	if err != nil {
		return nil, nil, err
	}
	logs, err := sensorlog.Open(sensorlog.Config{
		Dir: log.SensorDirectory, MaxBytes: log.SensorMaxSize, MaxFiles: log.SensorMaxFiles, Logger: logger,
	})
	if err != nil {
		return nil, nil, err
	}
	processes, err := process.New(process.Config{
		Archives: s.store, CacheDir: s.config.Worker.CacheDir,
		Python: settings.Python, Node: settings.Node, Path: settings.Path,
		InstallEnv: variables(settings.InstallEnvironment), InstallTimeout: settings.InstallTimeout,
		Sandbox: jail.Mode(settings.Sandbox), Hidden: s.hidden(), Secrets: secrets, Logs: logs, Limits: settings.Limits,
		WarmProcesses: settings.WarmProcesses, WarmIdle: settings.WarmIdle, WarmPolls: settings.WarmPolls,
		Logger: logger,
	})
	if err != nil {
		return nil, nil, errors.Join(err, logs.Close())
	}
	mux, err := runner.New(runner.Config{Runtimes: processes.Runtimes()})
	return mux, func() error { return errors.Join(processes.Close(), logs.Close()) }, err
}

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
