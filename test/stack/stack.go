// Package stack gives a test the whole system: a database, a broker's exchange and a Temporal namespace of its own, packs
// applied from text, and workers, in this process or in others.
package stack

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"
	"go.uber.org/zap"
	"golang.org/x/tools/txtar"

	"github.com/attune-automation/sensors/internal/config"
	"github.com/attune-automation/sensors/internal/fleet"
	"github.com/attune-automation/sensors/internal/logging"
	"github.com/attune-automation/sensors/internal/pack"
	"github.com/attune-automation/sensors/internal/sensor"
	"github.com/attune-automation/sensors/internal/service"
	"github.com/attune-automation/sensors/internal/store"
	"github.com/attune-automation/sensors/internal/testenv"
	"github.com/attune-automation/sensors/packs"
	"github.com/attune-automation/sensors/workflows"
)

// Timeout bounds every wait of a test.
const Timeout = 2 * time.Minute

// Stack is a system under test.
type Stack struct {
	Config config.Config
	Env    []string // the same configuration, as a process would get it
	Store  *store.Store
	Client client.Client
	Fleet  *fleet.Fleet

	t testing.TB
}

// New sets a system up, with the core pack applied and no worker. Settings are environment variables without their
// prefix, such as SENSOR__POLL_INTERVAL; the defaults are those of a sensor that is in a hurry and leaves marks in
// folders of the test, which a sandbox would not let it.
func New(t testing.TB, settings map[string]string) *Stack {
	t.Helper()
	exchange := testenv.Name(t, "attune")
	vars := map[string]string{
		"DATABASE__URL":                     testenv.Database(t),
		"MESSAGE_QUEUE__URL":                testenv.BrokerURL(t),
		"MESSAGE_QUEUE__EXCHANGE":           exchange,
		"MESSAGE_QUEUE__EVENTS_QUEUE":       exchange + ".events",
		"MESSAGE_QUEUE__ENFORCEMENTS_QUEUE": exchange + ".enforcements",
		"TEMPORAL__ADDRESS":                 testenv.TemporalAddress(t),
		"TEMPORAL__NAMESPACE":               testenv.Namespace(t),
		"SENSOR__POLL_INTERVAL":             "1s",
		"SENSOR__RESTART_BACKOFF":           "100ms",
		"SENSOR__MANAGER_INTERVAL":          "1s",
		"RUNTIME__SANDBOX":                  "none",
		"WORKER__CACHE_DIR":                 t.TempDir(),
		"OPS__ADDRESS":                      "",
		"WEBHOOKS__ADDRESS":                 "",
		"LOG__LEVEL":                        "warn",
	}
	maps.Copy(vars, settings)
	s := &Stack{t: t, Env: append([]string{"PATH=" + os.Getenv("PATH")}, assignments(vars)...)}
	s.connect()
	t.Cleanup(func() { deleteExchange(t, s.Config.MessageQueue) })
	folder, err := packs.Core()
	require.NoError(t, err)
	core, err := pack.LoadFS(folder, pack.Options{})
	require.NoError(t, err)
	_, err = s.Store.ApplyPack(t.Context(), core, store.ApplyOptions{})
	require.NoError(t, err)
	return s
}

// Wiped returns the same system as it is when Temporal has lost its data: an empty namespace, the same database and
// broker. Workers of the system as it was may still run.
func (s *Stack) Wiped() *Stack {
	s.t.Helper()
	namespace := assignments(map[string]string{"TEMPORAL__NAMESPACE": testenv.Namespace(s.t)})
	wiped := &Stack{t: s.t, Env: append(s.Env[:len(s.Env):len(s.Env)], namespace...)} // the last assignment counts
	wiped.connect()
	return wiped
}

// assignments returns settings as a process gets them.
func assignments(settings map[string]string) []string {
	var env []string
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		env = append(env, "ATTUNE__"+name+"="+settings[name])
	}
	return env
}

func (s *Stack) connect() {
	t := s.t
	var err error
	s.Config, err = config.Load(config.Options{Environ: s.Env})
	require.NoError(t, err)
	s.Store, err = store.New(t.Context(), store.Config{URL: s.Config.Database.URL, MaxConnections: 10})
	require.NoError(t, err)
	t.Cleanup(s.Store.Close)
	options, err := s.Config.TemporalOptions(logging.Temporal(zap.NewNop()), client.MetricsNopHandler)
	require.NoError(t, err)
	s.Client, err = client.DialContext(t.Context(), options)
	require.NoError(t, err)
	t.Cleanup(s.Client.Close)
	s.Fleet, err = fleet.New(fleet.Config{
		Client: s.Client, Namespace: options.Namespace, TaskQueue: s.Config.Temporal.TaskQueue,
	})
	require.NoError(t, err)
	require.NoError(t, s.Fleet.EnsureSearchAttributes(t.Context()))
}

func deleteExchange(t testing.TB, mq config.MessageQueue) {
	conn, err := amqp.Dial(mq.URL)
	require.NoError(t, err)
	defer conn.Close()
	channel, err := conn.Channel()
	require.NoError(t, err)
	for _, queue := range []string{mq.EventsQueue, mq.EnforcementsQueue} {
		_, err := channel.QueueDelete(queue, false, false, false)
		require.NoError(t, err)
	}
	require.NoError(t, channel.ExchangeDelete(mq.Exchange, false, false))
}

// Apply applies a pack given as a txtar archive, removing what it no longer has, and returns what changed. Files below
// bin/ are executable.
func (s *Stack) Apply(text string, set ...string) []sensor.Change {
	s.t.Helper()
	dir := s.t.TempDir()
	for _, file := range txtar.Parse([]byte(text)).Files {
		path := filepath.Join(dir, filepath.FromSlash(file.Name))
		require.NoError(s.t, os.MkdirAll(filepath.Dir(path), 0o755))
		mode := os.FileMode(0o644)
		if filepath.Base(filepath.Dir(path)) == "bin" {
			mode = 0o755
		}
		require.NoError(s.t, os.WriteFile(path, file.Data, mode))
	}
	return s.ApplyDir(dir, set...)
}

// ApplyDir is Apply for a folder.
func (s *Stack) ApplyDir(dir string, set ...string) []sensor.Change {
	s.t.Helper()
	known, err := s.Store.Triggers(s.t.Context())
	require.NoError(s.t, err)
	p, err := pack.Load(dir, pack.Options{Set: set, Known: known})
	require.NoError(s.t, err)
	changes, err := s.Store.ApplyPack(s.t.Context(), p, store.ApplyOptions{Prune: true})
	require.NoError(s.t, err)
	require.NoError(s.t, s.Fleet.Poke(s.t.Context()))
	return changes
}

// Worker is a worker in this process.
type Worker struct {
	stop context.CancelFunc
	done chan error
	once sync.Once
	err  error
}

// StartWorker starts a worker in this process; it is stopped at the end of the test if it was not before.
func (s *Stack) StartWorker(change ...func(*config.Config)) *Worker {
	s.t.Helper()
	cfg := s.Config
	for _, f := range change {
		f(&cfg)
	}
	output := &lines{t: s.t}
	s.t.Cleanup(output.close)
	logger, err := logging.New(logging.Config{Level: cfg.Log.Level, Format: logging.FormatConsole, Output: output})
	require.NoError(s.t, err)
	ctx, cancel := context.WithCancel(context.Background())
	w := &Worker{stop: cancel, done: make(chan error, 1)}
	go func() { w.done <- service.Run(ctx, service.Config{Settings: cfg, Logger: logger}) }()
	s.t.Cleanup(func() { require.NoError(s.t, w.Stop()) })
	return w
}

// Stop stops the worker as SIGTERM would, and returns what its run came to.
func (w *Worker) Stop() error {
	w.once.Do(func() {
		w.stop()
		w.err = <-w.done
	})
	return w.err
}

// Eventually waits until f returns without an error.
func (s *Stack) Eventually(f func(ctx context.Context) error) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), Timeout)
	defer cancel()
	for {
		err := f(ctx)
		if err == nil {
			return
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
			require.NoError(s.t, err, "still so after %s", Timeout)
		}
	}
}

// AwaitStatus waits until a sensor's status is as wanted, and returns it.
func (s *Stack) AwaitStatus(ref string, want func(workflows.Status) bool) workflows.Status {
	s.t.Helper()
	var status workflows.Status
	s.Eventually(func(ctx context.Context) (err error) {
		if status, err = s.Fleet.Status(ctx, ref); err != nil {
			return err
		}
		if !want(status) {
			return fmt.Errorf("status is %+v", status)
		}
		return nil
	})
	return status
}

// StopSensor stops a sensor as an operator does, and waits until it has finished what it had in hand.
func (s *Stack) StopSensor(ref, reason string) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), Timeout)
	defer cancel()
	require.NoError(s.t, s.Store.SetStopped(ctx, ref, true))
	require.NoError(s.t, s.Fleet.Stop(ctx, ref, reason))
	require.NoError(s.t, s.Fleet.Wait(ctx, ref))
}

// lines sends a logger's lines to the test's log, until the test is over.
type lines struct {
	mu   sync.Mutex
	t    testing.TB // nil once closed
	said []byte
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.said = append(l.said, p...)
	if l.t != nil {
		l.t.Log(string(p))
	}
	return len(p), nil
}

func (l *lines) contain(text string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return bytes.Contains(l.said, []byte(text))
}

func (l *lines) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.t = nil
}
