package integration

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/internal/config"
	"github.com/attune-automation/sensors/test/stack"
	"github.com/attune-automation/sensors/workflows"
)

func TestReadinessNamesTheServerThatIsAway(t *testing.T) {
	t.Parallel()
	s := stack.New(t, nil)
	address := freeAddress(t)
	database := stack.NewProxy(t, s.Config.Database.URL)
	broker := stack.NewProxy(t, s.Config.MessageQueue.URL)
	temporal := stack.NewProxy(t, s.Config.Temporal.Address)
	s.StartWorker(func(c *config.Config) {
		c.Ops.Address = address
		c.Database.URL, c.MessageQueue.URL, c.Temporal.Address = database.URL, broker.URL, temporal.URL
	})
	awaitReady(t, s, address, "")
	for name, proxy := range map[string]*stack.Proxy{"database": database, "broker": broker, "temporal": temporal} {
		proxy.Cut()
		awaitReady(t, s, address, name)
		proxy.Restore()
		awaitReady(t, s, address, "")
	}
}

func TestMetricsTellWhatAWorkerDoes(t *testing.T) {
	t.Parallel()
	s := stack.New(t, nil)
	address := freeAddress(t)
	s.StartWorker(func(c *config.Config) { c.Ops.Address = address })
	s.Apply(counter)
	await(t, s, "t.counter", func(status workflows.Status) bool { return status.Events == 9 })
	s.Eventually(func(ctx context.Context) error { // the list of workflows, of which the states are counted, lags
		_, metrics, err := get(ctx, "http://"+address+"/metrics")
		if err != nil {
			return err
		}
		for _, line := range []string{
			`attune_events_total{trigger="t.number"} 9`,
			`attune_enforcements_total{trigger="t.number"} 14`,
			`attune_published_messages_total{outcome="confirmed"} 23`,
			`attune_sensors{state="running"} 1`,
			`attune_sensors{state="failed"} 0`,
			`attune_step_duration_seconds_count{outcome="ok",step="poll"} 3`,
			`attune_step_duration_seconds_count{outcome="ok",step="generate"} 3`,
			`attune_step_duration_seconds_count{outcome="ok",step="match"} 3`,
			`temporal_`, // the SDK's own
		} {
			if !strings.Contains(metrics, "\n"+line) {
				return expect(false, "there is no %s in\n%s", line, metrics)
			}
		}
		return nil
	})
}

// awaitReady waits until the worker says that just this server is away; empty: that all are there.
func awaitReady(t *testing.T, s *stack.Stack, address, away string) {
	t.Helper()
	s.Eventually(func(ctx context.Context) error {
		code, body, err := get(ctx, "http://"+address+"/readyz")
		if err != nil {
			return err
		}
		var answer struct{ Checks map[string]string }
		if err := json.Unmarshal([]byte(body), &answer); err != nil {
			return err
		}
		want := http.StatusOK
		if away != "" {
			want = http.StatusServiceUnavailable
		}
		right := code == want
		for _, name := range []string{"database", "broker", "temporal"} {
			right = right && (answer.Checks[name] == "ok") == (name != away)
		}
		return expect(right, "%d %s, with %q away", code, body, away)
	})
}

func get(ctx context.Context, url string) (code int, body string, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, "", err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, "", err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	return response.StatusCode, string(text), err
}

func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, listener.Close())
	return listener.Addr().String()
}
