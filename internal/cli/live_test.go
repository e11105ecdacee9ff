package cli_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest"

	"github.com/attune-automation/sensors/internal/cli"
	"github.com/attune-automation/sensors/internal/config"
	"github.com/attune-automation/sensors/internal/messaging"
	"github.com/attune-automation/sensors/internal/service"
	"github.com/attune-automation/sensors/internal/store"
	"github.com/attune-automation/sensors/internal/testenv"
)

// withBroker gives the environment an exchange and queues of its own, which go with the test.
func (b *bench) withBroker() *bench {
	b.t.Helper()
	url, name := testenv.BrokerURL(b.t), testenv.Name(b.t, "cli")
	b.set("ATTUNE__MESSAGE_QUEUE__URL", url)
	b.set("ATTUNE__MESSAGE_QUEUE__EXCHANGE", name)
	b.set("ATTUNE__MESSAGE_QUEUE__EVENTS_QUEUE", name+".events")
	b.set("ATTUNE__MESSAGE_QUEUE__ENFORCEMENTS_QUEUE", name+".enforcements")
	b.t.Cleanup(func() {
		connection, err := amqp.Dial(url)
		require.NoError(b.t, err)
		defer connection.Close()
		channel, err := connection.Channel()
		require.NoError(b.t, err)
		for _, queue := range []string{name + ".events", name + ".enforcements"} {
			_, err := channel.QueueDelete(queue, false, false, false)
			require.NoError(b.t, err)
		}
		require.NoError(b.t, channel.ExchangeDelete(name, false, false))
	})
	return b
}

// withWorker runs a worker until the test ends.
func (b *bench) withWorker() *bench {
	b.t.Helper()
	b.set("ATTUNE__OPS__ADDRESS", "")
	b.set("ATTUNE__WEBHOOKS__ADDRESS", "")
	b.set("ATTUNE__WORKER__CACHE_DIR", b.t.TempDir())
	b.set("PATH", os.Getenv("PATH"))
	cfg, err := config.Load(config.Options{Environ: b.env})
	require.NoError(b.t, err)
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		done <- service.Run(ctx, service.Config{Settings: cfg, Logger: zaptest.NewLogger(b.t, zaptest.Level(zap.WarnLevel))})
	}()
	b.t.Cleanup(func() {
		stop()
		require.NoError(b.t, <-done)
	})
	return b
}

// syncBuffer is written by one goroutine and read by another.
type syncBuffer struct {
	mu     sync.Mutex
	buffer bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.String()
}

// watch runs the watch command beside the test, from when the broker has its queue, and returns its output so far and
// a function that ends it.
func (b *bench) watch(args ...string) (output *syncBuffer, end func()) {
	b.t.Helper()
	ctx, cancel := context.WithCancel(b.ctx)
	var stdout, stderr syncBuffer
	done := make(chan int, 1)
	go func() {
		done <- cli.Main(ctx, append([]string{"watch"}, args...), cli.Env{Stdout: &stdout, Stderr: &stderr, Environ: b.env})
	}()
	require.Eventually(b.t, func() bool { return strings.Contains(stderr.String(), "watching exchange cli_") }, patience, tick)
	return &stdout, func() {
		cancel()
		require.Zero(b.t, <-done, stderr.String())
	}
}

func TestCommandsOnALiveSystem(t *testing.T) {
	t.Parallel()
	b := newBench(t).withDatabase().withTemporal().withBroker()
	b.ok("migrate")
	messages, endWatch := b.watch("-o", "json")
	b.ok("apply", folder(t, "live"))
	b.withWorker()

	t.Log("the manager starts what is enabled")
	b.becomes("live.orders", "running")
	require.Eventually(t, func() bool { return len(b.column("id", "events", "--sensor", "live.orders")) == 1 }, patience, tick)

	t.Log("poll, pause and resume")
	require.Equal(t, "sensor live.orders is paused\n", b.ok("pause-sensor", "live.orders"))
	b.becomes("live.orders", "paused")
	require.Equal(t, "sensor live.orders brought 1 event and 2 enforcements, and 1 refused payload\n", b.ok("poll-sensor", "live.orders"))
	require.Equal(t, map[string]any{"batches": 1.0, "events": 1.0, "enforcements": 2.0, "rejected": 1.0, "suppressed": 0.0},
		decode[map[string]any](t, b.ok("poll-sensor", "live.orders", "-o", "json")))
	require.Contains(t, b.ok("set-cursor", "live.orders", "1000"), "before  300\nafter   1000\n")
	require.Equal(t, "sensor live.orders polls again\n", b.ok("resume-sensor", "live.orders"))
	require.Eventually(t, func() bool { return len(b.column("id", "events", "--sensor", "live.orders")) == 4 }, patience, tick)
	require.Contains(t, b.ok("events", "--sensor", "live.orders", "--limit", "1"), `{"total": 1100}`)

	t.Log("status of a sensor that is well")
	out := b.ok("status", "live.orders")
	require.Contains(t, out, "state              running\n")
	require.Contains(t, out, "cursor             1100\n")
	require.Contains(t, out, "failures in a row  0 of 3\n")
	require.Regexp(t, `(?m)^queue +exec, listened on by \d+@\w`, out)
	require.Regexp(t, `(?m)^sandbox +(bwrap|none)$`, out)
	require.Regexp(t, `(?m)^process +cold, started for the poll, \d+\.\d MiB at most$`, out)
	require.NotContains(t, out, "\nnote ")

	t.Log("a sensor that has failed for good, and its restart")
	b.becomes("live.broken", "failed")
	out = b.ok("status", "live.broken")
	require.Contains(t, out, "state              failed\n")
	require.Contains(t, out, "the shop is closed")
	require.Contains(t, b.ok("history", "live.broken"), "Failed")
	require.Contains(t, b.ok("restart-sensor", "live.broken"), "sensor live.broken is started\n")
	require.Eventually(t, func() bool { return len(b.column("id", "events", "--trigger", "core.sensor_failed")) == 2 }, patience, tick)

	t.Log("system events, taken and refused")
	require.Regexp(t, `^event \d+ of live.order is emitted, with 2 enforcements\n$`, b.ok("emit", "live.order", "--payload", `{"total": 500}`))
	require.Contains(t, b.fails(1, "emit", "live.order", "--payload", `{}`), "the payload is refused: ")

	t.Log("stop")
	require.Equal(t, "sensor live.orders is stopped\n", b.ok("stop-sensor", "live.orders"))
	require.Equal(t, "stopped", b.state("live.orders"))
	require.Contains(t, b.ok("status", "live.orders"), "state              stopped\n")

	t.Log("what was published is what is stored")
	want := len(b.column("id", "events")) + len(b.column("id", "enforcements"))
	require.Eventually(t, func() bool { return strings.Count(messages.String(), "\n") == want }, patience, tick)
	endWatch()
	file := filepath.Join(t.TempDir(), "messages.jsonl")
	require.NoError(t, os.WriteFile(file, []byte(messages.String()), 0o600))
	require.Contains(t, b.ok("audit", "--messages", file), "(0 unfinished)")
	_, last, _ := strings.Cut(messages.String(), "\n")
	r := b.runWith(strings.NewReader(last), "audit", "--messages", "-")
	require.Equal(t, 1, r.code)
	require.Contains(t, r.stdout, "no message of it was seen")
	require.Equal(t, "starter: 1 finding\n", r.stderr)
}

func TestStatusNamesAQueueThatNoWorkerListensOn(t *testing.T) {
	t.Parallel()
	b := newBench(t).withDatabase().withTemporal().withBroker()
	b.ok("migrate")
	b.ok("apply", folder(t, "live"))
	b.set("ATTUNE__WORKER__QUEUES", "python3")
	b.withWorker()
	b.becomes("live.orders", "running")
	require.Eventually(t, func() bool {
		return strings.Contains(b.ok("status", "live.orders"), " no worker listens on queue exec: start one with --queues exec\n")
	}, patience, tick)
	require.Equal(t, []any{"no worker listens on queue exec"}, b.column("note", "sensors", "--state", "running", "--limit", "1"))
}

// publish publishes all that is stored.
func (b *bench) publish() {
	b.t.Helper()
	cfg, err := config.Load(config.Options{Environ: b.env})
	require.NoError(b.t, err)
	mq := cfg.MessageQueue
	publisher, err := messaging.New(messaging.Config{
		URL: mq.URL, Exchange: mq.Exchange, DeclareQueues: true, EventsQueue: mq.EventsQueue, EnforcementsQueue: mq.EnforcementsQueue,
	})
	require.NoError(b.t, err)
	defer func() { require.NoError(b.t, publisher.Close(b.ctx)) }()
	events, err := b.store.Events(b.ctx, store.EventFilter{})
	require.NoError(b.t, err)
	require.NoError(b.t, publisher.PublishEvents(b.ctx, events))
	enforcements, err := b.store.Enforcements(b.ctx, store.EnforcementFilter{})
	require.NoError(b.t, err)
	require.NoError(b.t, publisher.PublishEnforcements(b.ctx, enforcements))
}

func TestWatchPrintsLines(t *testing.T) {
	t.Parallel()
	b := newBench(t).withDatabase().withBroker()
	b.seed()
	output, _ := b.watch("--events", "--count", "2")
	enforcements, _ := b.watch("--enforcements", "--count", "1", "-o", "yaml")
	b.publish()
	require.Eventually(t, func() bool { return strings.Count(output.String(), "\n") == 2 }, patience, tick)
	require.Regexp(t, `event +3 +shop.order from system: {"total": ?7}\n.* event +2 +shop.order from shop.orders`, output.String())
	require.Eventually(t, func() bool { return strings.Contains(enforcements.String(), "rule_ref: shop.every") }, patience, tick)
	require.True(t, strings.HasPrefix(enforcements.String(), "---\n"))
}
