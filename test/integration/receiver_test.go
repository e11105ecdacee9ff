package integration

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/internal/config"
	"github.com/attune-automation/sensors/internal/store"
	"github.com/attune-automation/sensors/test/stack"
	"github.com/attune-automation/sensors/workflows"
)

// hooks is a pack of webhooks; the second one's secret is not there at first.
const hooks = `
-- pack.yaml --
ref: w
-- sensors/orders.yaml --
ref: w.orders
runtime: core.webhook
enabled: ENABLED
config:
  path: orders/{customer}
  auth: none
  delivery_id: {header: X-Id}
`

func enabledHooks(enabled bool) string {
	return strings.ReplaceAll(hooks, "ENABLED", fmt.Sprint(enabled))
}

// sent is the answer to a request.
type sent struct {
	status int
	header http.Header
	body   string
}

// id is that of the delivery, if there is one.
func (s sent) id() string {
	var body struct {
		ID string `json:"delivery_id"`
	}
	_ = json.Unmarshal([]byte(s.body), &body) // no delivery has no ID
	return body.ID
}

// post sends an order.
func post(ctx context.Context, address, path, id string, header ...string) (sent, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+address+"/webhooks/"+path, strings.NewReader(`{"total": 10.10}`))
	if err != nil {
		return sent{}, err
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("X-Id", id)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return sent{}, err
	}
	defer func() { _ = answer.Body.Close() }()
	text, err := io.ReadAll(answer.Body)
	return sent{answer.StatusCode, answer.Header, string(text)}, err
}

// answers waits until a request is answered with a status, and returns the answer.
func answers(s *stack.Stack, address, path, id string, status int, header ...string) (answer sent) {
	s.Eventually(func(ctx context.Context) (err error) {
		answer, err = post(ctx, address, path, id, header...)
		if err == nil {
			err = expect(answer.status == status, "%d %s, want %d", answer.status, answer.body, status)
		}
		return err
	})
	return answer
}

// A webhook answers soon after it is applied, whatever the engine does, and as long as it is meant to.
func TestWebhookFollowsItsSensor(t *testing.T) {
	t.Parallel()
	s := stack.New(t, nil)
	temporal := stack.NewProxy(t, s.Config.Temporal.Address)
	temporal.Cut()
	address := freeAddress(t)
	s.StartWorker(func(c *config.Config) { c.Webhooks.Address, c.Temporal.Address = address, temporal.URL })
	answers(s, address, "orders/7", "1", http.StatusNotFound)

	s.Apply(enabledHooks(true))
	applied := time.Now()
	first := answers(s, address, "orders/7", "1", http.StatusAccepted)
	t.Logf("answered %s after it was applied", time.Since(applied)) // the aim is 2 s
	require.NotEmpty(t, first.id())
	require.Equal(t, first.id(), answers(s, address, "orders/7", "1", http.StatusAccepted).id(), "the engine is away all the time")

	s.Apply(enabledHooks(false))
	answers(s, address, "orders/7", "2", http.StatusNotFound)
	s.Apply(enabledHooks(true))
	require.Equal(t, first.id(), answers(s, address, "orders/7", "1", http.StatusAccepted).id())
	require.NoError(t, s.Store.SetStopped(t.Context(), "w.orders", true))
	answers(s, address, "orders/7", "2", http.StatusNotFound)
}

// Without the database nothing is accepted, and what was accepted is known afterwards.
func TestWebhookWithoutDatabase(t *testing.T) {
	t.Parallel()
	s := stack.New(t, nil)
	s.Apply(enabledHooks(true))
	database := stack.NewProxy(t, s.Config.Database.URL)
	address := freeAddress(t)
	start := func() *stack.Worker {
		return s.StartWorker(func(c *config.Config) {
			c.Webhooks.Address, c.Database.URL, c.Worker.Roles = address, database.URL, []string{config.RoleWebhooks}
			c.Webhooks.AcceptTimeout = time.Second
		})
	}
	w := start()
	first := answers(s, address, "orders/7", "1", http.StatusAccepted)
	database.Cut()
	require.NotEmpty(t, answers(s, address, "orders/7", "2", http.StatusServiceUnavailable).header.Get("Retry-After"))
	database.Restore()
	answers(s, address, "orders/7", "2", http.StatusAccepted)
	require.NoError(t, w.Stop())

	database.Cut()
	w = start()
	require.NotEmpty(t, answers(s, address, "orders/7", "1", http.StatusServiceUnavailable).header.Get("Retry-After"))
	database.Restore()
	require.Equal(t, first.id(), answers(s, address, "orders/7", "1", http.StatusAccepted).id(), "another process knows it, too")
	require.NoError(t, w.Stop())
}

// guarded is a webhook whose secret is not there at first.
const guarded = `
-- pack.yaml --
ref: w
-- sensors/guarded.yaml --
ref: w.guarded
runtime: core.webhook
poll_interval: 500ms
max_restart_attempts: 2
config: {auth: {type: bearer, secrets: ["${secret:HOOK}"]}}
`

// Without its secret a webhook refuses everything, and its status says so. Once the secret is there, and each time that it
// is replaced, it counts without a restart of the worker.
func TestWebhookWithoutSecret(t *testing.T) {
	t.Parallel()
	dir, address := t.TempDir(), freeAddress(t)
	s := stack.New(t, map[string]string{"SECRET__DIRECTORY": dir, "WEBHOOKS__ADDRESS": address})
	s.StartWorker()
	s.Apply(guarded)
	status := s.AwaitStatus("w.guarded", func(status workflows.Status) bool { return status.Failed })
	require.Contains(t, status.LastError, `config: config.auth.secrets[0]: there is no secret "HOOK"`)
	answers(s, address, "w.guarded", "1", http.StatusServiceUnavailable, "Authorization", "Bearer anything")

	for _, token := range []string{"the first one", "the second one"} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, "HOOK"), []byte(token+"\n"), 0o600))
		answers(s, address, "w.guarded", "1", http.StatusAccepted, "Authorization", "Bearer "+token)
	}
	answers(s, address, "w.guarded", "1", http.StatusUnauthorized, "Authorization", "Bearer the first one")
}

// A paused webhook takes requests, which become events when it goes on; what no event can be is kept with the reason.
func TestWebhookPausedAndRejected(t *testing.T) {
	t.Parallel()
	address := freeAddress(t)
	s := stack.New(t, map[string]string{"WEBHOOKS__ADDRESS": address})
	s.StartWorker()
	s.Apply(enabledHooks(true))
	s.AwaitStatus("w.orders", func(status workflows.Status) bool { return status.Running })
	_, err := s.Fleet.Pause(t.Context(), "w.orders")
	require.NoError(t, err)
	paused := answers(s, address, "orders/7", "1", http.StatusAccepted)
	answers(s, address, "orders/%00", "2", http.StatusAccepted)
	events, err := s.Store.Events(t.Context(), store.EventFilter{})
	require.NoError(t, err)
	require.Empty(t, events)

	_, err = s.Fleet.Resume(t.Context(), "w.orders")
	require.NoError(t, err)
	s.AwaitStatus("w.orders", func(status workflows.Status) bool { return status.Events == 1 && status.Rejected == 1 })
	events, err = s.Store.Events(t.Context(), store.EventFilter{})
	require.NoError(t, err)
	require.Len(t, events, 1)
	require.Contains(t, string(events[0].Payload), paused.id())
	require.Contains(t, string(events[0].Payload), `"total": 10.10`)
}
