package service

import (
	"runtime/debug"
	"time"

	"go.temporal.io/sdk/worker"

	"github.com/attune-automation/sensors/activities"
	"github.com/attune-automation/sensors/internal/config"
	"github.com/attune-automation/sensors/internal/runner"
	"github.com/attune-automation/sensors/internal/runner/process"
	"github.com/attune-automation/sensors/internal/schema"
	"github.com/attune-automation/sensors/workflows"
)

const (
	// otherActivities is how many activities that are not polls may run beside them.
	otherActivities = 20
	// localActivities is how many batches may be worked on at once: each takes a database connection.
	localActivities = 100
	// heartbeatThrottle bounds how long a cancelled poll goes on: it learns of it with its next heartbeat.
	heartbeatThrottle = 5 * time.Second
	// schemas is how many compiled JSON Schemas are kept.
	schemas = 1000
)

func (s *Service) workerOptions(fatal chan<- error) worker.Options {
	return worker.Options{
		MaxConcurrentActivityExecutionSize:      s.config.Worker.MaxConcurrentPolls + otherActivities,
		MaxConcurrentLocalActivityExecutionSize: localActivities,
		WorkflowTaskPollerBehavior:              worker.NewPollerBehaviorAutoscaling(worker.PollerBehaviorAutoscalingOptions{}),
		ActivityTaskPollerBehavior:              worker.NewPollerBehaviorAutoscaling(worker.PollerBehaviorAutoscalingOptions{}),
		MaxHeartbeatThrottleInterval:            heartbeatThrottle,
		WorkerStopTimeout:                       s.stopTimeout(),
		DisableWorkflowWorker:                   !s.has(config.RoleWorkflows),
		LocalActivityWorkerOnly:                 !s.has(config.RoleActivities),
		OnFatalError: func(err error) {
			select {
			case fatal <- err:
			default:
			}
		},
	}
}

// stopTimeout is what each kind of task gets of the time to shut down: Temporal's worker stops workflow tasks, local
// activities and activities one after the other. The last tenth is for closing connections.
func (s *Service) stopTimeout() time.Duration { return s.config.Worker.ShutdownTimeout * 3 / 10 }

// register makes the workflows and activities known. Every role has all activities: a workflow worker runs the short
// ones as local activities.
func (s *Service) register(w worker.Worker) error {
	if s.has(config.RoleWorkflows) {
		workflows.Register(w)
	}
	polls, err := s.runner()
	if err != nil {
		return err
	}
	settings := s.config.SensorSettings()
	w.RegisterActivity(&activities.Poller{
		Store: s.store, Runner: polls, Settings: settings, Grace: s.stopTimeout() / 2, Metrics: s.metrics,
	})
	w.RegisterActivity(&activities.Keeper{Store: s.store, Settings: settings})
	w.RegisterActivity(&activities.Generator{
		Store: s.store, Publisher: s.publisher, Schemas: schema.NewCache(schemas), Metrics: s.metrics,
	})
	w.RegisterActivity(activities.NewMatcher(s.store, s.publisher, s.metrics, s.logger.Named("rules")))
	w.RegisterActivity(&activities.Emitter{Store: s.store})
	w.RegisterActivity(&activities.Reconciler{
		Store: s.store, Fleet: s.fleet, Settings: settings, Limit: s.config.Sensor.MaxConcurrentSensors,
		Interval: s.config.Sensor.ManagerInterval, Logger: s.logger.Named("manager"),
	})
	return nil
}

func (s *Service) runner() (*runner.Mux, error) {
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

// Version is the version of the program, from the build.
func Version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" {
		return "unknown"
	}
	return info.Main.Version
}
