// Package service is the worker process: it wires the store, the broker, the runners and Temporal together, serves
// until it is told to stop, and then hands back what is in flight.
package service

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.uber.org/zap"

	"github.com/attune-automation/sensors/activities"
	"github.com/attune-automation/sensors/internal/config"
	"github.com/attune-automation/sensors/internal/dispatch"
	"github.com/attune-automation/sensors/internal/fleet"
	"github.com/attune-automation/sensors/internal/logging"
	"github.com/attune-automation/sensors/internal/messaging"
	"github.com/attune-automation/sensors/internal/ops"
	"github.com/attune-automation/sensors/internal/receiver"
	"github.com/attune-automation/sensors/internal/runner"
	"github.com/attune-automation/sensors/internal/runner/filewatch"
	"github.com/attune-automation/sensors/internal/store"
)

// Config is what a worker is run with.
type Config struct {
	Settings config.Config
	Logger   *zap.Logger
	Warden   bool // see jail.Config
}

// Service is one worker process.
type Service struct {
	config     config.Config
	logger     *zap.Logger
	warden     bool
	store      *store.Store
	publisher  *messaging.Publisher
	temporal   client.Client
	fleet      *fleet.Fleet
	metrics    *ops.Metrics
	code       *code             // nil: this worker does not run sensors' code, or not yet
	runners    *runner.Mux       // nil: it polls nothing, or not yet
	files      *filewatch.Runner // nil: it does not run sensors that watch files
	waker      *fleet.Waker
	dispatcher *dispatch.Dispatcher
	receiver   *receiver.Receiver // nil: it takes no requests of webhooks
	bell       *activities.Bell   // rung when something comes for a sensor that this process polls
	places     *places
	local      *localPlaces
	namespace  string
	working    atomic.Bool // takes work from Temporal
}

// Run runs a worker until ctx ends, and then stops it within the configured time. It waits for servers that are not
// there yet: /readyz says which.
func Run(ctx context.Context, cfg Config) error {
	s, err := newService(ctx, cfg)
	if err != nil {
		return err
	}
	defer s.close()
	stopWebhooks, err := s.serveWebhooks(ctx)
	if err != nil {
		return err
	}
	defer stopWebhooks()
	stopOps, err := s.serveOps()
	if err != nil {
		return err
	}
	defer stopOps()
	if err := s.prepare(ctx); err != nil {
		return quiet(ctx, err)
	}
	return s.work(ctx)
}

func newService(ctx context.Context, with Config) (*Service, error) {
	cfg, logger := with.Settings, with.Logger
	s := &Service{
		config: cfg, logger: logger, warden: with.Warden, places: newPlaces(cfg.Worker.MaxConcurrentPolls, cfg.Worker.Queues),
		local: newLocalPlaces(localActivities), bell: activities.NewBell(),
	}
	var err error
	if s.metrics, err = ops.NewMetrics(); err != nil {
		return nil, err
	}
	if s.store, err = store.New(ctx, store.Config{URL: cfg.Database.URL, MaxConnections: cfg.Database.MaxConnections}); err != nil {
		return nil, err
	}
	if err := s.connect(); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

func (s *Service) connect() (err error) {
	mq := s.config.MessageQueue
	s.publisher, err = messaging.New(messaging.Config{
		URL: mq.URL, Exchange: mq.Exchange, DeclareQueues: mq.DeclareQueues, EventsQueue: mq.EventsQueue,
		EnforcementsQueue: mq.EnforcementsQueue, ConfirmTimeout: mq.ConfirmTimeout, Channels: mq.Channels,
		Logger: s.logger.Named("broker"), Metrics: s.metrics,
	})
	if err != nil {
		return err
	}
	options, err := s.config.TemporalOptions(logging.Temporal(s.logger.Named("temporal")), s.metrics.TemporalHandler())
	if err != nil {
		return err
	}
	options.WorkerHeartbeatInterval = fleet.HeartbeatInterval
	if s.temporal, err = client.NewLazyClient(options); err != nil {
		return fmt.Errorf("preparing the connection to Temporal: %w", err)
	}
	s.namespace = options.Namespace
	s.fleet, err = fleet.New(fleet.Config{
		Client: s.temporal, Namespace: options.Namespace, TaskQueue: s.config.Temporal.TaskQueue,
	})
	if err != nil {
		return err
	}
	s.dispatcher, err = dispatch.New(dispatch.Config{
		Client: s.temporal, Namespace: options.Namespace, Options: func(profile string) (client.Options, error) {
			return s.config.TemporalProfile(profile, logging.Temporal(s.logger.Named("temporal")))
		},
	})
	if err != nil {
		return err
	}
	s.waker = fleet.NewWaker(s.fleet, s.bell, s.logger.Named("waker"))
	return errors.Join(s.metrics.ObserveSensors(s.countSensors), s.metrics.ObserveDeliveries(s.store.PendingCounts),
		s.metrics.ObserveTrippedRules(s.store.TrippedCounts))
}

// countSensors counts the sensors that are defined, by state.
func (s *Service) countSensors(ctx context.Context) (map[string]int64, error) {
	sensors, err := s.store.Sensors(ctx)
	if err != nil {
		return nil, err
	}
	refs := make([]string, len(sensors))
	for i, definition := range sensors {
		refs[i] = definition.Ref
	}
	return s.fleet.Counts(ctx, refs)
}

// close releases what newService took. The broker's messages are all confirmed by then, or their batches are not done.
func (s *Service) close() {
	if s.files != nil {
		if err := s.files.Close(); err != nil {
			s.logger.Warn("the notifications of files did not close cleanly", zap.Error(err))
		}
	}
	if s.code != nil {
		if err := s.code.close(); err != nil {
			s.logger.Warn("what runs sensors did not close cleanly", zap.Error(err))
		}
	}
	if s.waker != nil {
		s.waker.Close()
	}
	if s.dispatcher != nil {
		s.dispatcher.Close()
	}
	if s.temporal != nil {
		s.temporal.Close()
	}
	if s.publisher != nil {
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		if err := s.publisher.Close(ctx); err != nil {
			s.logger.Warn("the connection to the broker did not close cleanly", zap.Error(err))
		}
	}
	s.store.Close()
}

// serveOps starts the health and metrics port, if there is to be one.
func (s *Service) serveOps() (stop func(), err error) {
	if s.config.Ops.Address == "" {
		return func() {}, nil
	}
	checks := map[string]func(context.Context) error{
		"database": s.store.CheckSchema,
		"broker":   s.publisher.Health,
		"temporal": s.checkTemporal,
		"worker":   s.checkWorking,
	}
	if s.receiver != nil {
		checks["webhooks"] = s.receiver.Ready
	}
	server, err := ops.New(ops.Config{
		Address: s.config.Ops.Address, Checks: checks, Gatherer: s.metrics.Registry(), Logger: s.logger.Named("ops"),
	})
	if err != nil {
		return nil, err
	}
	address, err := server.Start()
	if err != nil {
		return nil, err
	}
	s.logger.Info("serving health and metrics", zap.String("address", address))
	return func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_ = server.Shutdown(ctx) // the process ends anyway
	}, nil
}

// checkTemporal asks for the namespace: a server that answers without having it is of no use.
func (s *Service) checkTemporal(ctx context.Context) error {
	_, err := s.temporal.WorkflowService().DescribeNamespace(ctx, &workflowservice.DescribeNamespaceRequest{Namespace: s.namespace})
	return err
}

func (s *Service) checkWorking(context.Context) error {
	if !s.working.Load() {
		return errors.New("it does not take work: it is starting, waits for a server, or is stopping")
	}
	return nil
}

// prepare waits until the servers are there and as the worker needs them.
func (s *Service) prepare(ctx context.Context) error {
	steps := []struct {
		waitingFor string
		try        func(context.Context) error
	}{
		{"database", s.store.CheckSchema},
		{"temporal", s.checkTemporal},
		{"search attributes", s.fleet.EnsureSearchAttributes},
		{"sensor manager", s.fleet.EnsureManager},
	}
	for _, step := range steps {
		if err := s.persist(ctx, step.waitingFor, step.try); err != nil {
			return err
		}
	}
	return nil
}

// The pause between two tries of persist, and the longest one try takes.
const (
	tryEvery = 2 * time.Second
	tryFor   = 10 * time.Second
)

// persist tries until it works or ctx ends.
func (s *Service) persist(ctx context.Context, waitingFor string, try func(context.Context) error) error {
	for {
		attempt, cancel := context.WithTimeout(ctx, tryFor)
		err := try(attempt)
		cancel()
		if err == nil {
			return nil
		}
		s.logger.Warn("waiting", zap.String("for", waitingFor), zap.Error(err))
		select {
		case <-time.After(tryEvery):
		case <-ctx.Done():
			return fmt.Errorf("stopped while waiting for the %s: %w", waitingFor, err)
		}
	}
}

// work runs the Temporal workers until ctx ends or one of them fails.
func (s *Service) work(ctx context.Context) error {
	fatal := make(chan error, 1)
	if err := s.openRunners(); err != nil {
		return err
	}
	if err := s.observePolls(); err != nil {
		return err
	}
	all, err := s.newWorkers(fatal)
	if err != nil {
		return err
	}
	if err := all.start(); err != nil {
		return err
	}
	s.working.Store(true)
	s.logger.Info("working", zap.Strings("roles", s.config.Worker.Roles), zap.Strings("queues", s.config.Worker.Queues),
		zap.String("task_queue", s.config.Temporal.TaskQueue), zap.String("version", Version()))
	select {
	case <-ctx.Done():
		s.logger.Info("stopping: finishing or handing back what is in flight", zap.Duration("within", s.config.Worker.ShutdownTimeout))
	case err = <-fatal:
		err = fmt.Errorf("the Temporal worker failed: %w", err)
	}
	s.working.Store(false)
	all.stop()
	s.logger.Info("stopped")
	return err
}

// observePolls shows how busy a worker that polls is.
func (s *Service) observePolls() error {
	if s.code == nil {
		return nil
	}
	return errors.Join(
		s.metrics.ObservePolls(s.places.running, s.config.Worker.MaxConcurrentPolls),
		s.metrics.ObserveWarmProcesses(s.code.processes.Warm),
	)
}

func (s *Service) has(role string) bool { return slices.Contains(s.config.Worker.Roles, role) }

// quiet drops the error of a stop that was asked for.
func quiet(ctx context.Context, err error) error {
	if ctx.Err() != nil || errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}
