// Package setup makes the settings of a program into what runs sensors' code, so that a sensor that is tried out runs as it
// does on a worker.
package setup

import (
	"slices"
	"strings"

	"github.com/attune-automation/sensors/internal/config"
	"github.com/attune-automation/sensors/internal/runner/jail"
	"github.com/attune-automation/sensors/internal/runner/process"
	"github.com/attune-automation/sensors/internal/secret"
)

// Processes returns how sensors' code is run by the settings, with the secrets of an environment as os.Environ returns it.
// Archives, Logs, Logger and Warden are left to the caller.
func Processes(cfg config.Config, environ []string) (process.Config, error) {
	secrets, err := secret.New(secret.Config{Environ: environ, Directory: cfg.Secret.Directory})
	if err != nil {
		return process.Config{}, err
	}
	r := cfg.Runtime
	return process.Config{
		CacheDir: cfg.Worker.CacheDir, Python: r.Python, Node: r.Node, Path: r.Path,
		InstallEnv: pick(environ, r.InstallEnvironment), InstallTimeout: r.InstallTimeout,
		Sandbox: jail.Mode(r.Sandbox), Hidden: hidden(cfg), Secrets: secrets, Limits: r.Limits,
		WarmProcesses: r.WarmProcesses, WarmIdle: r.WarmIdle, WarmPolls: r.WarmPolls,
	}, nil
}

// hidden returns what no sensor is to see, besides the cache folder.
func hidden(cfg config.Config) []string {
	paths := slices.Concat(cfg.Runtime.Hide, cfg.Files(), []string{cfg.Secret.Directory, cfg.Log.SensorDirectory})
	return slices.DeleteFunc(paths, func(path string) bool { return path == "" })
}

// pick returns the variables of an environment that have one of the names.
func pick(environ, names []string) []string {
	return slices.DeleteFunc(slices.Clone(environ), func(entry string) bool {
		name, _, _ := strings.Cut(entry, "=")
		return !slices.Contains(names, name)
	})
}
