package receiver_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/internal/receiver"
	"github.com/attune-automation/sensors/internal/sensor"
)

func sign(secret, body string) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(body))
	return "sha256=" + hex.EncodeToString(mac.Sum(nil))
}

func TestDelivery(t *testing.T) {
	t.Parallel()
	b := setup(t, nil, hook("shop.orders", `{"path": "orders/{customer}", "methods": ["POST", "PUT"], "headers": ["X-Shop"], "auth": "none"}`))
	before := time.Now()
	got := b.send(t, "PUT", "orders/7%2F8?tag=a&tag=b", `{"total": 12345678901234567890.10, "nul": "\u0000"}`, "X-Shop", "north", "Authorization", "Bearer x")
	require.Equal(t, "application/json", got.header.Get("Content-Type"))

	all := b.inbox.all()
	require.Len(t, all, 1)
	require.Equal(t, got.id(t), all[0].ID)
	require.Equal(t, uuid.Version(7), uuid.MustParse(all[0].ID).Version())
	require.Equal(t, "shop.orders", all[0].SensorRef)
	require.WithinRange(t, all[0].ReceivedAt, before.Add(-time.Second), time.Now())
	require.Contains(t, string(all[0].Payload), `"body":{"total": 12345678901234567890.10, "nul": "\u0000"}`)
	payload := b.inbox.payload(t)
	delete(payload, "body")
	require.Equal(t, map[string]any{
		"body_format": "json", "headers": map[string]any{"content-type": "application/json", "user-agent": "Go-http-client/1.1", "x-shop": "north"},
		"query": map[string]any{"tag": []any{"a", "b"}}, "path": map[string]any{"customer": "7/8"}, "method": "PUT", "remote": "127.0.0.1",
		"delivery_id": all[0].ID, "received_at": all[0].ReceivedAt.Format(time.RFC3339Nano),
	}, payload)
	require.Equal(t, []string{"shop.orders"}, b.waker.woken())
	require.Equal(t, 1, b.metrics.get("status 202"))
	require.Equal(t, 1, b.metrics.get("delivery shop.orders false"))
}

func TestNotFound(t *testing.T) {
	t.Parallel()
	b := setup(t, nil, hook("shop.orders", `{"auth": "none"}`))
	for _, path := range []string{"", "shop.other", "shop.orders/", "shop.orders/x", "../webhooks/shop.orders", "%zz"[:0] + "shop.orders%00"} {
		require.Equal(t, http.StatusNotFound, b.post(t, path, "{}").status, path)
	}
	got := b.send(t, "GET", "shop.orders", "")
	require.Equal(t, http.StatusMethodNotAllowed, got.status)
	require.Equal(t, "POST", got.header.Get("Allow"))
	require.Empty(t, b.inbox.all())
}

// Sensors come and go while the receiver runs.
func TestRoutesFollowSensors(t *testing.T) {
	t.Parallel()
	b := setup(t, nil, hook("shop.orders", `{"auth": "none"}`))
	status := func(path string) func() int { return func() int { return b.post(t, path, "{}").status } }
	becomes := func(path string, want int) {
		t.Helper()
		require.Eventually(t, func() bool { return status(path)() == want }, wait, 5*time.Millisecond, path)
	}
	becomes("shop.orders", http.StatusAccepted)

	added := hook("shop.returns", `{"auth": "none"}`)
	b.catalog.set(hook("shop.orders", `{"auth": "none"}`), added)
	becomes("shop.returns", http.StatusAccepted)

	added.Stopped = true
	b.catalog.set(added)
	becomes("shop.returns", http.StatusNotFound)
	becomes("shop.orders", http.StatusNotFound)

	added.Stopped, added.Enabled = false, false
	b.catalog.set(added)
	becomes("shop.returns", http.StatusNotFound)

	added.Enabled, added.Version, added.Config = true, 2, json.RawMessage(`{"path": "back", "auth": "none"}`)
	b.catalog.set(added)
	becomes("back", http.StatusAccepted)
	becomes("shop.returns", http.StatusNotFound)
}

// When the database goes, what is known is served; before it ever was there, senders are asked to wait.
func TestCatalogAway(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	require.Error(t, b.Ready(t.Context()))
	got := b.post(t, "shop.orders", "{}")
	require.Equal(t, http.StatusServiceUnavailable, got.status)
	require.NotEmpty(t, got.header.Get("Retry-After"))

	b.catalog.set(hook("shop.orders", `{"auth": "none"}`))
	require.Eventually(t, func() bool { return b.post(t, "shop.orders", "{}").status == http.StatusAccepted }, wait, 5*time.Millisecond)
	b.catalog.set()
	require.Eventually(t, func() bool { return b.logs.FilterMessageSnippet("cannot be listed").Len() == 2 }, wait, 5*time.Millisecond)
	require.Equal(t, http.StatusAccepted, b.post(t, "shop.orders", "{}").status)
}

func TestAuthentication(t *testing.T) {
	t.Parallel()
	b := setup(t, nil,
		hook("a.bearer", `{"auth": {"type": "bearer", "secrets": ["${secret:A}"]}}`),
		hook("a.query", `{"auth": {"type": "api_key", "query": "key", "secrets": ["${secret:A}"]}, "headers": ["X-Other"]}`),
		hook("a.github", `{"auth": {"type": "github", "secrets": ["${secret:A}", "${secret:B}"]}}`),
	)
	require.Equal(t, http.StatusAccepted, b.post(t, "a.bearer", "{}", "Authorization", "Bearer open sesame").status)
	got := b.post(t, "a.bearer", "{}", "Authorization", "Bearer open barley")
	require.Equal(t, http.StatusUnauthorized, got.status)
	require.Equal(t, `Bearer realm="webhook"`, got.header.Get("WWW-Authenticate"))
	require.JSONEq(t, `{"error": "the request does not prove who sent it"}`, got.body)

	require.Equal(t, http.StatusAccepted, b.post(t, "a.query?key=open+sesame&page=2", "{}").status)
	require.Equal(t, map[string]any{"page": "2"}, b.inbox.payload(t)["query"])
	require.Equal(t, http.StatusUnauthorized, b.post(t, "a.query?page=2", "{}").status)

	for _, secret := range []string{"open sesame", "sesame, open"} {
		require.Equal(t, http.StatusAccepted, b.post(t, "a.github", `{"n": 1}`, "X-Hub-Signature-256", sign(secret, `{"n": 1}`)).status)
	}
	require.Equal(t, http.StatusUnauthorized, b.post(t, "a.github", `{"n":1}`, "X-Hub-Signature-256", sign("open sesame", `{"n": 1}`)).status)
	require.Equal(t, http.StatusUnauthorized, b.post(t, "a.github", `not JSON`, "X-Hub-Signature-256", sign("x", `not JSON`)).status, "before parsing")
	require.Equal(t, 2, b.metrics.get("refused a.github auth"))

	for _, entry := range b.logs.All() {
		text := fmt.Sprint(entry.Message, entry.ContextMap())
		require.NotContains(t, text, "sesame")
		require.NotContains(t, text, `"n"`)
	}
	for _, d := range b.inbox.all() {
		require.NotContains(t, string(d.Payload), "sesame")
	}
}

// A signature is about what was sent, and the limit about what comes out of it.
func TestCompressed(t *testing.T) {
	t.Parallel()
	b := setup(t, nil, hook("a.github", `{"auth": {"type": "github", "secrets": ["${secret:A}"]}}`))
	pack := func(text string) string {
		var out bytes.Buffer
		w := gzip.NewWriter(&out)
		_, err := w.Write([]byte(text))
		require.NoError(t, err)
		require.NoError(t, w.Close())
		return out.String()
	}
	send := func(body, coding string) reply {
		return b.post(t, "a.github", body, "Content-Encoding", coding, "X-Hub-Signature-256", sign("open sesame", body))
	}
	send(pack(`{"n": 1}`), "gzip").id(t)
	require.Equal(t, map[string]any{"n": 1.0}, b.inbox.payload(t)["body"])
	require.Equal(t, http.StatusRequestEntityTooLarge, send(pack(strings.Repeat(" ", 32<<20)+"{}"), "gzip").status)
	require.Equal(t, http.StatusBadRequest, send("{}", "gzip").status)
	require.Equal(t, http.StatusUnsupportedMediaType, send("{}", "br").status)
	require.Len(t, b.inbox.all(), 1)
}

// A secret that is replaced counts at once, and so does one that was missing.
func TestSecretsRotate(t *testing.T) {
	t.Parallel()
	b := setup(t, nil, hook("a.bearer", `{"auth": {"type": "bearer", "secrets": ["${secret:C}"]}}`))
	becomes := func(secret string, want int) reply {
		t.Helper()
		var got reply
		require.Eventually(t, func() bool {
			got = b.post(t, "a.bearer", "{}", "Authorization", "Bearer "+secret)
			return got.status == want
		}, wait, 5*time.Millisecond)
		return got
	}
	got := becomes("anything", http.StatusServiceUnavailable)
	require.Equal(t, "60", got.header.Get("Retry-After"))
	require.NotContains(t, got.body, "secret")
	require.Equal(t, map[string]int64{"serving": 0, "refusing": 1}, b.States())
	require.Equal(t, 1, b.logs.FilterMessage("a webhook refuses everything").Len())

	b.secrets.set("C", "the first")
	becomes("the first", http.StatusAccepted)
	require.Equal(t, map[string]int64{"serving": 1, "refusing": 0}, b.States())
	b.secrets.set("C", "the second")
	becomes("the second", http.StatusAccepted)
	require.Equal(t, http.StatusUnauthorized, b.post(t, "a.bearer", "{}", "Authorization", "Bearer the first").status)
	b.secrets.set("C", "")
	becomes("the second", http.StatusServiceUnavailable)
}

// Of two sensors with the same path, the older one is served, and the other one is told of.
func TestConflict(t *testing.T) {
	t.Parallel()
	b := setup(t, nil, hook("s.longer", `{"path": "x/{b}", "auth": "none"}`), hook("s.old", `{"path": "x/{a}", "auth": "none"}`))
	b.post(t, "x/1", "{}").id(t)
	require.Equal(t, "s.old", b.inbox.all()[0].SensorRef)
	require.Equal(t, map[string]int64{"serving": 1, "refusing": 1}, b.States())
	entries := b.logs.FilterMessage("a webhook refuses everything").All()
	require.Len(t, entries, 1)
	require.Equal(t, "s.longer", entries[0].ContextMap()["sensor_ref"])
	require.Contains(t, entries[0].ContextMap()["error"], "conflicts with")
}

func TestDuplicates(t *testing.T) {
	t.Parallel()
	b := setup(t, nil, hook("a.github", `{"auth": {"type": "github", "secrets": ["${secret:A}"]}}`), hook("a.own", `{"auth": "none", "delivery_id": {"body": "id"}}`))
	send := func(id string) reply {
		return b.post(t, "a.github", "{}", "X-GitHub-Delivery", id, "X-Hub-Signature-256", sign("open sesame", "{}"))
	}
	first := send("1")
	require.Equal(t, first.id(t), send("1").id(t))
	require.NotEqual(t, first.id(t), send("2").id(t))
	require.Equal(t, b.post(t, "a.own", `{"id": 7}`).id(t), b.post(t, "a.own", `{"id": 7, "again": true}`).id(t))
	require.Len(t, b.inbox.all(), 3)
	require.Equal(t, 1, b.metrics.get("delivery a.github true"))
	require.Len(t, b.waker.woken(), 3)
}

func TestHandshakes(t *testing.T) {
	t.Parallel()
	b := setup(t, nil, hook("a.github", `{"auth": {"type": "github", "secrets": ["${secret:A}"]}}`), hook("a.slack", `{"auth": {"type": "slack", "secrets": ["${secret:A}"]}}`))
	got := b.post(t, "a.github", "{}", "X-GitHub-Event", "ping", "X-Hub-Signature-256", sign("open sesame", "{}"))
	require.Equal(t, http.StatusOK, got.status)
	require.Equal(t, http.StatusUnauthorized, b.post(t, "a.github", "{}", "X-GitHub-Event", "ping").status)

	const question = `{"type": "url_verification", "challenge": "3eZbrw1a"}`
	at := fmt.Sprint(time.Now().Unix())
	got = b.post(t, "a.slack", question, "X-Slack-Request-Timestamp", at,
		"X-Slack-Signature", strings.Replace(sign("open sesame", "v0:"+at+":"+question), "sha256", "v0", 1))
	require.Equal(t, http.StatusOK, got.status)
	require.JSONEq(t, `{"challenge": "3eZbrw1a"}`, got.body)
	require.Equal(t, http.StatusUnauthorized, b.post(t, "a.slack", question).status)
	require.Empty(t, b.inbox.all())
}

// Nothing is answered 202 that is not stored.
func TestStorageAway(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *receiver.Config) { c.AcceptTimeout = 50 * time.Millisecond }, hook("a.b", `{"auth": "none"}`))
	b.inbox.set(errors.New("connection refused by 10.0.0.1"), nil)
	got := b.post(t, "a.b", "{}")
	require.Equal(t, http.StatusServiceUnavailable, got.status)
	require.Equal(t, "5", got.header.Get("Retry-After"))
	require.JSONEq(t, `{"error": "the delivery could not be stored"}`, got.body)

	b.inbox.set(nil, make(chan struct{}))
	require.Equal(t, http.StatusServiceUnavailable, b.post(t, "a.b", "{}").status, "it is slow")
	b.inbox.set(sensor.ErrNotFound, nil)
	require.Equal(t, http.StatusNotFound, b.post(t, "a.b", "{}").status, "it was deleted a moment ago")
	require.Equal(t, 1, b.logs.FilterMessageSnippet("could not be stored").Len(), "senders come again, and the log need not")
	require.Empty(t, b.waker.woken())
}

// What is in flight is answered, and then nobody listens.
func TestShutdown(t *testing.T) {
	t.Parallel()
	b := setup(t, nil, hook("a.b", `{"auth": "none"}`))
	gate := make(chan struct{})
	b.inbox.set(nil, gate)
	answered := make(chan reply, 1)
	go func() {
		got, err := b.try(context.Background(), http.DefaultClient, "POST", "a.b", "{}")
		if err == nil {
			answered <- got
		}
		close(answered)
	}()
	<-b.inbox.entered
	stopped := make(chan error, 1)
	go func() { stopped <- b.Shutdown(context.Background()) }()
	require.Eventually(t, func() bool {
		conn, err := net.Dial("tcp", strings.Split(b.url, "/")[2])
		if err == nil {
			_ = conn.Close()
		}
		return err != nil
	}, wait, 5*time.Millisecond)
	close(gate)
	got := <-answered
	require.NotEmpty(t, got.id(t))
	require.NoError(t, <-stopped)
}

func TestParallelSenders(t *testing.T) {
	t.Parallel()
	b := setup(t, nil, hook("a.b", `{"auth": "none", "delivery_id": {"header": "X-Id"}}`))
	var wg sync.WaitGroup
	failures := make(chan error, 800)
	for sender := range 16 {
		wg.Go(func() {
			for i := range 50 {
				got, err := b.try(context.Background(), http.DefaultClient, "POST", "a.b", fmt.Sprintf(`{"n": %d}`, i), "X-Id", fmt.Sprintf("%d-%d", sender, i/2))
				if err == nil && got.status != http.StatusAccepted {
					err = errors.New(got.body)
				}
				if err != nil {
					failures <- err
				}
			}
		})
	}
	wg.Wait()
	close(failures)
	require.Empty(t, failures)
	require.Len(t, b.inbox.all(), 16*25)
}
