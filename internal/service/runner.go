package service

import (
	"github.com/attune-automation/sensors/internal/runner"
	"github.com/attune-automation/sensors/internal/runner/process"
)

// newRunner returns what runs sensors' code.
func (s *Service) newRunner() (*runner.Mux, error) {
	processes, err := process.New(process.Config{
		Archives: s.store,
		CacheDir: s.config.Worker.CacheDir,
		Python:   s.config.Runtime.Python,
		Node:     s.config.Runtime.Node,
		Path:     s.config.Runtime.Path,
		Logger:   s.logger.Named("sensor"),
	})
	if err != nil {
		return nil, err
	}
	return runner.New(runner.Config{Runtimes: processes.Runtimes()})
}
