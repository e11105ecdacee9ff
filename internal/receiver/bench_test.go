package receiver

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"github.com/attune-automation/sensors/internal/sensor"
)

// BenchmarkAccept measures what a request costs besides the network and the database: one that is signed, with 2 KB of
// JSON, for one of a thousand webhooks.
func BenchmarkAccept(b *testing.B) {
	r, header, body := benchReceiver(b)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			q := httptest.NewRequest("POST", "/webhooks/a.github", strings.NewReader(body))
			q.Header.Set("X-Hub-Signature-256", header)
			q.Header.Set("Content-Type", "application/json")
			w := httptest.NewRecorder()
			if r.ServeHTTP(w, q); w.Code != 202 {
				b.Fatal(w.Body.String())
			}
		}
	})
}

func benchReceiver(b *testing.B) (r *Receiver, signature, body string) {
	b.Helper()
	sensors := []sensor.Sensor{{ID: 1, Ref: "a.github", Enabled: true, Config: []byte(`{"auth": {"type": "github", "secrets": ["${secret:A}"]}}`)}}
	for i := range 1000 {
		ref := "b." + strings.Repeat("x", i%50) + string(rune('a'+i%26))
		sensors = append(sensors, sensor.Sensor{ID: int64(i + 2), Ref: ref, Enabled: true, Config: []byte(`{"auth": "none"}`)})
	}
	fake := fakes{sensors}
	r, err := New(Config{
		Address: "127.0.0.1:0", BasePath: "/webhooks", MaxBody: 1 << 20, MaxHeader: 1 << 14, MaxRequests: 1000, HeaderTimeout: 1, ReadTimeout: 1,
		AcceptTimeout: 1e9, AddressRate: 1e9, SensorRate: 1e9, Inbox: fake, Waker: fake, Catalog: fake, Secrets: fake, Metrics: nullMetrics{}, Logger: zap.NewNop(),
	})
	require.NoError(b, err)
	require.NoError(b, r.update(b.Context(), true))
	body = `{"text": "` + strings.Repeat("lorem ipsum ", 170) + `"}`
	return r, benchSignature(body), body
}

// fakes are all that a receiver depends on, and do nothing.
type fakes struct{ sensors []sensor.Sensor }

func (fakes) Accept(_ context.Context, d sensor.Delivery) (string, bool, error) {
	return d.ID, false, nil
}
func (fakes) Wake(string)                                         {}
func (f fakes) Webhooks(context.Context) ([]sensor.Sensor, error) { return f.sensors, nil }
func (fakes) Lookup(string) (string, error)                       { return "open sesame", nil }

type nullMetrics struct{}

func (nullMetrics) WebhookRequest(int, time.Duration) {}
func (nullMetrics) WebhookDelivery(string, bool)      {}
func (nullMetrics) WebhookRefused(string, string)     {}
func (nullMetrics) WebhookCertificate(string)         {}

func benchSignature(body string) string {
	mac := hmac.New(sha256.New, []byte("open sesame"))
	mac.Write([]byte(body))
	return "sha256=" + hex.EncodeToString(mac.Sum(nil))
}
