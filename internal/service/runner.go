package service

import (
	"errors"
	"os"

	"github.com/attune-automation/sensors/internal/runner/jail"
	"github.com/attune-automation/sensors/internal/runner/process"
	"github.com/attune-automation/sensors/internal/runner/setup"
	"github.com/attune-automation/sensors/internal/sensor"
	"github.com/attune-automation/sensors/internal/sensorlog"
)

// code is what runs sensors' code.
type code struct {
	processes *process.Runner
	logs      *sensorlog.Dir
	lenient   bool // a sensor may do without a sandbox
}

// openCode makes a worker that polls ready to run code.
func (s *Service) openCode() (*code, error) {
	log, logger := s.config.Log, s.logger.Named("sensor")
	processes, err := setup.Processes(s.config, os.Environ())
	if err != nil {
		return nil, err
	}
	c := &code{lenient: processes.Sandbox == jail.ModeAuto}
	c.logs, err = sensorlog.Open(sensorlog.Config{
		Dir: log.SensorDirectory, MaxBytes: log.SensorMaxSize, MaxFiles: log.SensorMaxFiles, Logger: logger,
	})
	if err != nil {
		return nil, err
	}
	processes.Archives, processes.Logs, processes.Logger, processes.Warden = s.store, c.logs, logger, s.warden
	c.processes, err = process.New(processes)
	if err != nil {
		return nil, errors.Join(err, c.logs.Close())
	}
	return c, nil
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
