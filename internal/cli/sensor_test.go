package cli_test

import (
	"context"
	"encoding/json"
	"io"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/internal/cli"
	"github.com/attune-automation/sensors/internal/sensor"
)

// patience is how long a test waits for the lists of the engine, which lag behind a little.
const (
	patience = 30 * time.Second
	tick     = 50 * time.Millisecond
)

// state returns the state in which a sensor is listed.
func (b *bench) state(ref string) string {
	b.t.Helper()
	for _, row := range decode[[]struct{ Ref, State string }](b.t, b.ok("sensors", "-o", "json")) {
		if row.Ref == ref {
			return row.State
		}
	}
	return ""
}

func (b *bench) becomes(ref, state string) {
	b.t.Helper()
	require.Eventually(b.t, func() bool { return b.state(ref) == state }, patience, tick, "%s never is %s", ref, state)
}

// The tests in this file have no worker: sensors can be started and told to stop, but nothing happens.

func TestStartSensorWithoutWorker(t *testing.T) {
	t.Parallel()
	b := newBench(t).withDatabase().withTemporal()
	b.ok("apply", folder(t, "shop"))
	require.Equal(t, "waiting", b.state("shop.orders"))

	out := b.ok("start-sensor", "shop.orders")
	require.Contains(t, out, "sensor shop.orders is started\n")
	require.Contains(t, out, "workflow sensor:shop.orders")
	require.Contains(t, b.ok("start-sensor", "shop.orders"), "sensor shop.orders runs already\n")
	b.becomes("shop.orders", "running")
	require.Equal(t, []any{"shop.orders"}, b.column("ref", "sensors", "--state", "running", "--trigger", "shop.order"))
	require.Equal(t, []any{"shop.orders"}, b.column("ref", "sensors", "--limit", "1"))
	require.Empty(t, b.column("ref", "sensors", "--runtime", sensor.RuntimeNode))

	runs := decode[[]struct{ Status string }](t, b.ok("history", "shop.orders", "-o", "json"))
	require.Len(t, runs, 1)
	require.Equal(t, "Running", runs[0].Status)

	require.Equal(t, []any{"no worker listens on queue exec"}, b.column("note", "sensors", "--state", "running"))
	require.Contains(t, b.ok("status", "shop.orders"), "exec, no worker listens on queue exec\n")

	status := decode[struct {
		State, Note string
		Live        any
	}](t, b.ok("status", "shop.orders", "-o", "json"))
	require.Equal(t, "running", status.State)
	require.Contains(t, status.Note, "see that a worker runs")
	require.Nil(t, status.Live)
}

func TestStopSensorWithoutWorker(t *testing.T) {
	t.Parallel()
	b := newBench(t).withDatabase().withTemporal()
	b.ok("apply", folder(t, "shop"))
	require.Contains(t, b.ok("stop-sensor", "shop.orders"), "sensor shop.orders does not run, and stays stopped\n")
	require.Equal(t, "stopped", b.state("shop.orders"))
	require.Empty(t, b.column("run_id", "history", "shop.orders"), "a sensor that never ran is no error")
	require.Contains(t, b.fails(2, "pause-sensor", "shop.orders"), "is stopped: `starter start-sensor shop.orders` starts it")

	b.ok("start-sensor", "shop.orders")
	b.becomes("shop.orders", "running")
	require.Contains(t, b.fails(2, "stop-sensor", "shop.orders", "--timeout", "100ms"), "has not stopped within 100ms")
	require.Contains(t, b.ok("stop-sensor", "shop.orders", "--no-wait"), "stops once it has finished what it has in hand")
	def, err := b.store.Sensor(b.ctx, "shop.orders")
	require.NoError(t, err)
	require.True(t, def.Stopped)
	require.Contains(t, b.fails(2, "pause-sensor", "shop.orders", "--timeout", "100ms"), "no answer within 100ms: see that a worker runs")
}

func TestStartSensorRefusals(t *testing.T) {
	t.Parallel()
	b := newBench(t).withDatabase().withTemporal()
	b.ok("apply", folder(t, "shop"))
	require.Contains(t, b.fails(2, "start-sensor", "shop.returns"),
		`sensor "shop.returns" is disabled: set enabled: true in its file and apply pack "shop" again`)
	require.Contains(t, b.fails(2, "restart-sensor", "shop.silent"),
		`trigger "shop.quiet" of sensor "shop.silent" is disabled: set enabled: true in its file`)
	require.Contains(t, b.fails(2, "emit", "shop.quiet", "--payload", "{}"), `trigger "shop.quiet" is disabled`)
	require.Equal(t, "disabled", b.state("shop.returns"))
	require.Equal(t, "disabled", b.state("shop.silent"))
}

func TestStartSensorRespectsTheLimit(t *testing.T) {
	t.Parallel()
	b := newBench(t).withDatabase().withTemporal()
	b.set("ATTUNE__SENSOR__MAX_CONCURRENT_SENSORS", "1")
	b.ok("apply", folder(t, "shop"), "--set", "shop.orders.url=http://one")
	b.ok("start-sensor", "shop.orders")
	b.becomes("shop.orders", "running")
	b.ok("start-sensor", "shop.orders")

	_, err := b.store.ApplyPack(b.ctx, sensor.Pack{
		Ref: "more", Label: "More", Digest: digest("more"), Archive: []byte("more"),
		Sensors: []sensor.Sensor{{
			Ref: "more.orders", PackRef: "more", Label: "More", Enabled: true, Runtime: sensor.RuntimeExec, Entrypoint: "x",
			TriggerRef: "shop.order", Config: json.RawMessage(`{}`),
		}},
	}, noOptions)
	require.NoError(t, err)
	for _, command := range []string{"start-sensor", "restart-sensor"} {
		require.Contains(t, b.fails(2, command, "more.orders"),
			"sensor.max_concurrent_sensors (ATTUNE__SENSOR__MAX_CONCURRENT_SENSORS) allows 1")
	}
	const note = "not started: 1 sensors run, and sensor.max_concurrent_sensors allows no more"
	require.Contains(t, b.ok("status", "more.orders"), note)
	require.NotContains(t, b.ok("status", "shop.orders"), note)
	b.set("ATTUNE__SENSOR__MAX_CONCURRENT_SENSORS", "2")
	require.Contains(t, b.ok("status", "more.orders"), "not started yet")
}

func TestSetCursorOfASensorThatDoesNotRun(t *testing.T) {
	t.Parallel()
	b := newBench(t).withDatabase().withTemporal()
	b.ok("apply", folder(t, "shop"))
	change := decode[map[string]any](t, b.ok("set-cursor", "shop.orders", `{"page": 1}`, "-o", "json"))
	require.Equal(t, map[string]any{"ref": "shop.orders", "before": nil, "after": map[string]any{"page": 1.0}}, change)
	require.Contains(t, b.ok("set-cursor", "shop.orders", "null"), "before  {\"page\": 1}\nafter   null\n")
	cursor, _, err := b.store.Cursor(b.ctx, "shop.orders")
	require.NoError(t, err)
	require.Nil(t, cursor, "null is the beginning, not a value")

	turn, err := b.store.Turn(b.ctx, "shop.orders")
	require.NoError(t, err)
	_, err = b.store.Append(b.ctx, turn, sensor.Part{Items: []sensor.Item{{Payload: []byte("{}")}}})
	require.NoError(t, err)
	require.Contains(t, b.fails(2, "set-cursor", "shop.orders", "1"), "stopped in the middle of a batch")
}

func TestEmitWithoutWorker(t *testing.T) {
	t.Parallel()
	b := newBench(t).withDatabase().withTemporal()
	b.ok("apply", folder(t, "shop"))
	message := b.fails(2, "emit", "shop.order", "--payload", `{"total": 1}`, "--timeout", "100ms", "--dedupe-key", "once")
	require.Contains(t, message, "stored as batch 1 and will be emitted when a worker runs")
	require.Contains(t, message, "no worker has taken it up within 100ms")
	batch, err := b.store.Batch(b.ctx, 1)
	require.NoError(t, err)
	require.Equal(t, sensor.BatchStored, batch.Status)

	again := b.fails(2, "emit", "shop.order", "--payload", `{"total": 1}`, "--timeout", "100ms", "--dedupe-key", "once")
	require.Contains(t, again, "batch "+strconv.FormatInt(batch.ID, 10)+" ")
}

func TestInterruptedEmitSaysWhatIsStored(t *testing.T) {
	t.Parallel()
	b := newBench(t).withDatabase().withTemporal()
	b.ok("apply", folder(t, "shop"))
	ctx, interrupt := context.WithCancel(b.ctx)
	var stderr syncBuffer
	code := make(chan int, 1)
	go func() {
		code <- cli.Main(ctx, []string{"emit", "shop.order", "--payload", `{"total": 1}`},
			cli.Env{Stdout: io.Discard, Stderr: &stderr, Environ: b.env})
	}()
	require.Eventually(t, func() bool {
		_, err := b.store.Batch(b.ctx, 1)
		return err == nil
	}, patience, tick)
	interrupt()
	require.Equal(t, 2, <-code)
	require.Contains(t, stderr.String(), "starter: interrupted: the event is stored as batch 1")
}
