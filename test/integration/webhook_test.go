package integration

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/internal/config"
	"github.com/attune-automation/sensors/internal/store"
	"github.com/attune-automation/sensors/test/stack"
	"github.com/attune-automation/sensors/workflows"
)

// hook is a webhook whose polls are an hour apart, unless something wakes it.
const hook = `
-- pack.yaml --
ref: t
-- sensors/hook.yaml --
ref: t.hook
runtime: core.webhook
poll_interval: 1h
config: {auth: none}
-- rules/all.yaml --
ref: t.all
trigger: core.webhook
action: {ref: core.echo}
`

// newHook sets a system up whose workers take requests, and applies the webhook. It returns the address of that.
func newHook(t *testing.T) (s *stack.Stack, url string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address := listener.Addr().String()
	require.NoError(t, listener.Close())
	s = stack.New(t, map[string]string{"WEBHOOKS__ADDRESS": address})
	s.Apply(hook)
	return s, "http://" + address + "/webhooks/t.hook"
}

// send sends one request, and says whether it was accepted.
func send(ctx context.Context, url string, n int) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(fmt.Sprintf(`{"n": %d}`, n)))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	return expect(response.StatusCode == http.StatusAccepted, "status %d: %s", response.StatusCode, body)
}

// sendAll sends n requests, a few at a time, the first of them until the webhook is there.
func sendAll(t *testing.T, s *stack.Stack, url string, n int) {
	t.Helper()
	s.Eventually(func(ctx context.Context) error { return send(ctx, url, 0) })
	var sending sync.WaitGroup
	for worker := range 4 {
		sending.Go(func() {
			for i := 1 + worker; i < n; i += 4 {
				if err := send(t.Context(), url, i); err != nil {
					t.Error(err)
				}
			}
		})
	}
	sending.Wait()
}

func TestRequestsBecomeEventsAtOnce(t *testing.T) {
	t.Parallel()
	s, url := newHook(t)
	messages := s.Watch()
	s.StartWorker()
	await(t, s, "t.hook", func(status workflows.Status) bool { return status.Polls > 0 })
	sendAll(t, s, url, 200)
	awaitEvents(t, s, "t.hook", 200)
	report := s.Sound(messages)
	require.EqualValues(t, 200, report.Deliveries)
	status := await(t, s, "t.hook", func(status workflows.Status) bool { return status.Events == 200 })
	require.EqualValues(t, 200, status.Enforcements)
	require.Zero(t, status.FailureCount)
}

// The worker that takes requests need not be the one that drives sensors.
func TestRequestsWakeSensorsOfOtherWorkers(t *testing.T) {
	t.Parallel()
	s, url := newHook(t)
	messages := s.Watch()
	s.StartWorker(func(c *config.Config) { c.Worker.Roles = []string{config.RoleWebhooks} })
	s.StartWorker(func(c *config.Config) { c.Worker.Roles = []string{config.RoleWorkflows, config.RoleActivities} })
	await(t, s, "t.hook", func(status workflows.Status) bool { return status.Polls > 0 })
	for n := range 3 {
		sendAll(t, s, url, 20)
		awaitEvents(t, s, "t.hook", 20*(n+1))
	}
	s.Sound(messages)
}

func TestAPausedWebhookStores(t *testing.T) {
	t.Parallel()
	s, url := newHook(t)
	messages := s.Watch()
	s.StartWorker()
	await(t, s, "t.hook", func(status workflows.Status) bool { return status.Polls > 0 })
	_, err := s.Fleet.Pause(t.Context(), "t.hook")
	require.NoError(t, err)
	sendAll(t, s, url, 20)
	pending, err := s.Store.Deliveries(t.Context(), store.DeliveryFilter{SensorRef: "t.hook", Status: store.DeliveryPending})
	require.NoError(t, err)
	require.Len(t, pending, 20)
	_, err = s.Fleet.Resume(t.Context(), "t.hook")
	require.NoError(t, err)
	awaitEvents(t, s, "t.hook", 20)

	_, err = s.Fleet.Pause(t.Context(), "t.hook")
	require.NoError(t, err)
	sendAll(t, s, url, 10)
	s.StopSensor("t.hook", "test")
	awaitEvents(t, s, "t.hook", 30)
	s.Sound(messages)
}

// What a webhook accepted outlives the webhook.
func TestARemovedWebhookLosesNothing(t *testing.T) {
	t.Parallel()
	s, url := newHook(t)
	messages := s.Watch()
	s.StartWorker()
	await(t, s, "t.hook", func(status workflows.Status) bool { return status.Polls > 0 })
	_, err := s.Fleet.Pause(t.Context(), "t.hook")
	require.NoError(t, err)
	sendAll(t, s, url, 10)
	s.Apply("-- pack.yaml --\nref: t\n-- rules/all.yaml --\nref: t.all\ntrigger: core.webhook\naction: {ref: core.echo}\n")
	awaitEvents(t, s, "t.hook", 10)
	report := s.Sound(messages)
	require.EqualValues(t, 10, report.Enforcements)
	s.Eventually(func(ctx context.Context) error {
		return expect(send(ctx, url, 0) != nil, "the webhook is still there")
	})
}

func TestRequestsAreAcceptedWhileTheEngineIsAway(t *testing.T) {
	t.Parallel()
	s, url := newHook(t)
	messages := s.Watch()
	var proxy *stack.Proxy
	s.StartWorker(func(c *config.Config) {
		proxy = stack.NewProxy(t, c.Temporal.Address)
		c.Temporal.Address = proxy.URL
	})
	await(t, s, "t.hook", func(status workflows.Status) bool { return status.Polls > 0 })
	proxy.Cut()
	sendAll(t, s, url, 20)
	proxy.Restore()
	awaitEvents(t, s, "t.hook", 20)
	s.Sound(messages)
}
