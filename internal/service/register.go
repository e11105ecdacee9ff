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

// register makes the workflows and activities known to the worker of workflows. Every role has all of them but the one
// that polls, see newPoller: a workflow worker runs the short ones as local activities.
func (s *Service) register(w worker.Worker, steps *steps) {
	if s.has(config.RoleWorkflows) {
		workflows.Register(w)
	}
	settings := s.config.SensorSettings()
	w.RegisterActivity(steps.generator)
	w.RegisterActivity(steps.matcher)
	w.RegisterActivity(steps.drainer)
	w.RegisterActivity(&activities.Keeper{Store: s.store, Settings: settings})
	w.RegisterActivity(&activities.Emitter{Store: s.store})
	w.RegisterActivity(&activities.Replayer{Store: s.store, Matcher: steps.matcher})
	w.RegisterActivity(&activities.Dispatcher{Store: s.store, Target: s.dispatcher})
	w.RegisterActivity(activities.NewGroupOpener(s.store, s.fleet))
	w.RegisterActivity(&activities.GroupCloser{
		Store: s.store, Publisher: s.publisher, Actions: s.fleet, Metrics: s.metrics,
	})
	w.RegisterActivity(&activities.Reconciler{
		Store: s.store, Fleet: s.fleet, Settings: settings, Limit: s.config.Sensor.MaxConcurrentSensors,
		Interval: s.config.Sensor.ManagerInterval, Keep: s.config.Webhooks.DeliveryTTL, Logger: s.logger.Named("manager"),
	})
}

// steps are what works off batches.
type steps struct {
	generator *activities.Generator
	matcher   *activities.Matcher
	drainer   *activities.Drainer
}

func (s *Service) newSteps() *steps {
	recent := &activities.RecentEvents{}
	generator := &activities.Generator{
		Store: s.store, Publisher: s.publisher, Schemas: schema.NewCache(schemas), Recent: recent, Metrics: s.metrics,
	}
	matcher := activities.NewMatcher(activities.MatcherConfig{
		Store: s.store, Publisher: s.publisher, Recent: recent, Actions: s.fleet, Metrics: s.metrics,
		Limits: activities.RuleLimits{
			Evaluation: s.config.Rules.MaxEvaluation, Overruns: s.config.Rules.MaxOverruns, Within: s.config.Rules.OverrunWindow,
		},
		Logger: s.logger.Named("rules"),
	})
	return &steps{generator, matcher, &activities.Drainer{Store: s.store, Generator: generator, Matcher: matcher}}
}

// newPoller returns what polls.
func (s *Service) newPoller(steps *steps) (*activities.Poller, error) {
	host, err := os.Hostname()
	if err != nil {
		return nil, fmt.Errorf("asking for the name of this host: %w", err)
	}
	poller := &activities.Poller{
		Store: s.store, Checker: steps.generator, Runner: s.runners, Settings: s.config.SensorSettings(), Grace: s.stopTimeout() / 2, Host: host,
		Places: s.places, Metrics: s.metrics, Drainer: steps.drainer, Bell: s.bell,
	}
	if s.code != nil {
		poller.Streams = &activities.Follower{
			Drainer: steps.drainer, Signaler: s.fleet, Host: host, Sandbox: s.code.sandbox, Logger: s.logger.Named("stream"),
		}
	}
	return poller, nil
}
