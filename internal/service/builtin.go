package service

import (
	"maps"
	"os"

	"github.com/attune-automation/sensors/internal/config"
	"github.com/attune-automation/sensors/internal/runner"
	"github.com/attune-automation/sensors/internal/runner/filewatch"
	"github.com/attune-automation/sensors/internal/runner/timer"
	"github.com/attune-automation/sensors/internal/runner/webhook"
	"github.com/attune-automation/sensors/internal/secret"
	"github.com/attune-automation/sensors/internal/sensor"
)

// localRunners are the runners of what sensor.Sensor.Local names: any worker that drives sensors polls these.
func (s *Service) localRunners() (map[string]runner.Runner, error) {
	secrets, err := secret.New(secret.Config{Environ: os.Environ(), Directory: s.config.Secret.Directory})
	if err != nil {
		return nil, err
	}
	webhooks, err := webhook.NewRunner(webhook.RunnerConfig{
		Deliveries: s.store, Secrets: secrets, Catalog: s.store, Metrics: s.metrics,
	})
	if err != nil {
		return nil, err
	}
	return map[string]runner.Runner{sensor.RuntimeTimer: timer.New(timer.Config{Rest: s.local.Rest}), sensor.RuntimeWebhook: webhooks}, nil
}

// hostRunners are the runners of built-in runtimes that are bound to a host.
func (s *Service) hostRunners() (map[string]runner.Runner, error) {
	s.files = filewatch.New(filewatch.RunnerConfig{Wake: s.waker.Wake, Logs: s.code.logs, Logger: s.logger.Named("filewatch")})
	return map[string]runner.Runner{sensor.RuntimeFileWatch: s.files}, nil
}

// openRunners makes a worker ready to poll what its roles have it poll.
func (s *Service) openRunners() error {
	runtimes, err := s.localRunners()
	if err != nil {
		return err
	}
	if s.has(config.RoleActivities) {
		if s.code, err = s.openCode(); err != nil {
			return err
		}
		maps.Copy(runtimes, s.code.processes.Runtimes())
		bound, err := s.hostRunners()
		if err != nil {
			return err
		}
		maps.Copy(runtimes, bound)
	}
	if len(runtimes) == 0 {
		return nil
	}
	s.runners, err = runner.New(runner.Config{Runtimes: runtimes})
	return err
}
