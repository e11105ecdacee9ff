package service

import (
	"fmt"
	"os"

	"go.temporal.io/sdk/worker"

	"github.com/attune-automation/sensors/activities"
	"github.com/attune-automation/sensors/internal/config"
	"github.com/attune-automation/sensors/internal/schema"
	"github.com/attune-automation/sensors/workflows"
)

// schemas is how many compiled JSON Schemas are kept.
const schemas = 1000

// register makes the workflows and activities known to the worker of workflows. Every role has all activities: a workflow
// worker runs the short ones as local activities. It returns the one that polls.
func (s *Service) register(w worker.Worker) (*activities.Poller, error) {
	if s.has(config.RoleWorkflows) {
		workflows.Register(w)
	}
	host, err := os.Hostname()
	if err != nil {
		return nil, fmt.Errorf("asking for the name of this host: %w", err)
	}
	settings := s.config.SensorSettings()
	recent := &activities.RecentEvents{}
	generator := &activities.Generator{
		Store: s.store, Publisher: s.publisher, Schemas: schema.NewCache(schemas), Recent: recent, Metrics: s.metrics,
	}
	matcher := activities.NewMatcher(activities.MatcherConfig{
		Store: s.store, Publisher: s.publisher, Recent: recent, Metrics: s.metrics, Logger: s.logger.Named("rules"),
	})
	drainer := &activities.Drainer{Store: s.store, Generator: generator, Matcher: matcher}
	poller := &activities.Poller{
		Store: s.store, Runner: s.runner, Settings: settings, Grace: s.stopTimeout() / 2, Host: host, Places: s.places, Metrics: s.metrics,
		Streams: &activities.Follower{Drainer: drainer, Signaler: s.fleet, Host: host, Logger: s.logger.Named("stream")},
	}
	for _, activity := range []any{
		poller, generator, matcher, drainer,
		&activities.Keeper{Store: s.store, Settings: settings},
		&activities.Emitter{Store: s.store},
		&activities.Reconciler{
			Store: s.store, Fleet: s.fleet, Settings: settings, Limit: s.config.Sensor.MaxConcurrentSensors,
			Interval: s.config.Sensor.ManagerInterval, Logger: s.logger.Named("manager"),
		},
	} {
		w.RegisterActivity(activity)
	}
	return poller, nil
}
