package messaging

import (
	"crypto/tls"
	"encoding/pem"
	"net"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestTLS publishes over amqps, with the certificate authority that the URL names and not without it.
func TestTLS(t *testing.T) {
	t.Parallel()
	b := setup(t)
	certified := httptest.NewUnstartedServer(nil)
	certified.StartTLS()
	t.Cleanup(certified.Close)
	authority := filepath.Join(t.TempDir(), "ca.pem")
	require.NoError(t, os.WriteFile(authority,
		pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certified.Certificate().Raw}), 0o600))

	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	proxy := newProxy(t, b.cfg.URL, tls.NewListener(listener, &tls.Config{Certificates: certified.TLS.Certificates}))
	secure, err := url.Parse(through(t, b.cfg.URL, listener.Addr().String()))
	require.NoError(t, err)
	secure.Scheme = "amqps"

	stranger := b.cfg
	stranger.URL = secure.String()
	p, err := New(stranger)
	require.NoError(t, err)
	require.ErrorContains(t, p.Health(t.Context()), "certificate signed by unknown authority")
	require.NoError(t, p.Close(t.Context()))

	secure.RawQuery = url.Values{"cacertfile": {authority}}.Encode()
	b.cfg.URL = secure.String()
	p = b.start(t)
	require.NoError(t, p.PublishEvents(t.Context(), events(1, 100)))
	proxy.cut()
	require.Eventually(t, func() bool { return p.PublishEvents(t.Context(), events(101, 100)) == nil }, patience, time.Millisecond)
	require.Equal(t, ids(1, 200), b.distinct(t, b.cfg.EventsQueue, 200))
}
