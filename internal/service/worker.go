package service

import (
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"go.temporal.io/sdk/worker"

	"github.com/attune-automation/sensors/internal/config"
	"github.com/attune-automation/sensors/workflows"
)

const (
	// otherActivities is how many activities that are not polls may run beside them.
	otherActivities = 20
	// localActivities is how many batches may be worked on at once: each takes a database connection.
	localActivities = 100
	// workflowTasks is how many sensors may be driven at once. A workflow task lasts as long as its local activities, those
	// that wait for their time included.
	workflowTasks = 5000
	// heartbeatThrottle bounds how long a cancelled poll goes on: it learns of it with its next heartbeat.
	heartbeatThrottle = 5 * time.Second
)

// workers are the Temporal workers of this process: one on the task queue of workflows, and one that polls for each queue
// of polls.
type workers []worker.Worker

// newWorkers returns workers that do not work yet. What makes one of them fail goes to fatal.
func (s *Service) newWorkers(fatal chan<- error) (workers, error) {
	onFatal := func(err error) {
		select {
		case fatal <- err:
		default:
		}
	}
	if !s.has(config.RoleWorkflows) && !s.has(config.RoleActivities) {
		return nil, nil // it takes requests of webhooks, which is no work for Temporal
	}
	queue := s.config.Temporal.TaskQueue
	options, err := s.baseOptions(onFatal)
	if err != nil {
		return nil, err
	}
	base := worker.New(s.temporal, queue, options)
	steps := s.newSteps()
	s.register(base, steps)
	if s.runners == nil {
		return workers{base}, nil
	}
	poller, err := s.newPoller(steps)
	if err != nil {
		return nil, err
	}
	base.RegisterActivity(poller)
	if s.code == nil {
		return workers{base}, nil
	}
	var all workers
	for _, name := range s.config.Worker.Queues {
		options, err := s.pollOptions(name, onFatal)
		if err != nil {
			return nil, err
		}
		w := worker.New(s.temporal, workflows.PollQueue(queue, name), options)
		w.RegisterActivity(poller)
		all = append(all, w)
	}
	return append(all, base), nil // last, so that the manager finds the queues listened on
}

func (s *Service) baseOptions(onFatal func(error)) (worker.Options, error) {
	tuner, err := s.baseTuner()
	if err != nil {
		return worker.Options{}, err
	}
	return worker.Options{
		Tuner:                        tuner,
		WorkflowTaskPollerBehavior:   worker.NewPollerBehaviorAutoscaling(worker.PollerBehaviorAutoscalingOptions{}),
		ActivityTaskPollerBehavior:   worker.NewPollerBehaviorAutoscaling(worker.PollerBehaviorAutoscalingOptions{}),
		MaxHeartbeatThrottleInterval: heartbeatThrottle,
		WorkerStopTimeout:            s.stopTimeout(),
		DisableWorkflowWorker:        !s.has(config.RoleWorkflows),
		LocalActivityWorkerOnly:      !s.has(config.RoleActivities),
		OnFatalError:                 onFatal,
	}, nil
}

// baseTuner says how much the worker of workflows does at once.
func (s *Service) baseTuner() (worker.WorkerTuner, error) {
	tasks, err := worker.NewFixedSizeSlotSupplier(workflowTasks)
	if err != nil {
		return nil, err
	}
	activities, err := worker.NewFixedSizeSlotSupplier(s.config.Worker.MaxConcurrentPolls + otherActivities)
	if err != nil {
		return nil, err
	}
	others, err := worker.NewFixedSizeSlotSupplier(1) // of kinds of tasks that it does not ask for
	if err != nil {
		return nil, err
	}
	return worker.NewCompositeTuner(worker.CompositeTunerOptions{
		WorkflowSlotSupplier: tasks, ActivitySlotSupplier: activities, LocalActivitySlotSupplier: s.local,
		NexusSlotSupplier: others, SessionActivitySlotSupplier: others,
	})
}

// pollOptions are those of the worker of one queue of polls. It begins with one request at a time, since each holds a
// place.
func (s *Service) pollOptions(queue string, onFatal func(error)) (worker.Options, error) {
	others, err := worker.NewFixedSizeSlotSupplier(1) // of kinds of tasks that it does not ask for
	if err != nil {
		return worker.Options{}, err
	}
	tuner, err := worker.NewCompositeTuner(worker.CompositeTunerOptions{
		WorkflowSlotSupplier: others, LocalActivitySlotSupplier: others, NexusSlotSupplier: others, SessionActivitySlotSupplier: others,
		ActivitySlotSupplier: queuePlaces{places: s.places, queue: queue},
	})
	if err != nil {
		return worker.Options{}, err
	}
	return worker.Options{
		Tuner: tuner,
		ActivityTaskPollerBehavior: worker.NewPollerBehaviorAutoscaling(worker.PollerBehaviorAutoscalingOptions{
			InitialNumberOfPollers: 1,
		}),
		MaxHeartbeatThrottleInterval: heartbeatThrottle,
		WorkerStopTimeout:            s.stopTimeout(),
		DisableWorkflowWorker:        true,
		OnFatalError:                 onFatal,
	}, nil
}

// start starts all workers, or none.
func (all workers) start() error {
	for i, w := range all {
		if err := w.Start(); err != nil {
			all[:i].stop()
			return fmt.Errorf("starting the worker: %w", err)
		}
	}
	return nil
}

// stop stops all workers at the same time, each within the same time.
func (all workers) stop() {
	var wg sync.WaitGroup
	for _, w := range all {
		wg.Go(w.Stop)
	}
	wg.Wait()
}

// stopTimeout is what each kind of task gets of the time to shut down: Temporal's worker stops workflow tasks, local
// activities and activities one after the other. The last tenth is for closing connections.
func (s *Service) stopTimeout() time.Duration { return s.config.Worker.ShutdownTimeout * 3 / 10 }

// Version is the version of the program, from the build.
func Version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" {
		return "unknown"
	}
	return info.Main.Version
}
