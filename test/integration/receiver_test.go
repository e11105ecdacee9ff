package integration

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/internal/config"
	"github.com/attune-automation/sensors/test/stack"
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
