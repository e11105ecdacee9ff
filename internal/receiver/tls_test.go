package receiver_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"github.com/attune-automation/sensors/internal/receiver"
)

func nopLogger() *zap.Logger { return zap.NewNop() }

// writeCertificate writes a certificate for this machine and its key, and returns the paths.
func writeCertificate(t *testing.T, dir, name string, end time.Time) (certificate, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotBefore: end.Add(-48 * time.Hour), NotAfter: end,
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	require.NoError(t, err)
	encoded, err := x509.MarshalPKCS8PrivateKey(private)
	require.NoError(t, err)
	certificate, key = filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")
	replace(t, key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: encoded}))
	replace(t, certificate, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	return certificate, key
}

// replace writes a file at once, as those do who renew certificates.
func replace(t *testing.T, path string, content []byte) {
	t.Helper()
	require.NoError(t, os.WriteFile(path+".new", content, 0o600))
	require.NoError(t, os.Rename(path+".new", path))
}

// shown returns the name in the certificate that the receiver shows to a new connection, and the protocol that is spoken.
func (b *bundle) shown(t *testing.T) (name, protocol string) {
	t.Helper()
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, ForceAttemptHTTP2: true} //nolint:gosec // the test looks at it itself
	defer transport.CloseIdleConnections()
	got, err := (&http.Client{Transport: transport}).Post(b.url+"a.b", "application/json", nil)
	require.NoError(t, err)
	require.NoError(t, got.Body.Close())
	require.Equal(t, http.StatusAccepted, got.StatusCode)
	return got.TLS.PeerCertificates[0].Subject.CommonName, got.Proto
}

// A new certificate is shown without a restart. One that is no good is told of, and the one before stays.
func TestCertificateReload(t *testing.T) {
	t.Parallel()
	dir, end := t.TempDir(), time.Now().Add(time.Hour)
	certificate, key := writeCertificate(t, dir, "first", end)
	b := setup(t, func(c *receiver.Config) { c.CertificateFile, c.KeyFile = certificate, key }, hook("a.b", `{"auth": "none"}`))
	name, protocol := b.shown(t)
	require.Equal(t, []string{"first", "HTTP/2.0"}, []string{name, protocol})

	writeCertificate(t, dir, "second", end)
	require.Eventually(t, func() bool { name, _ := b.shown(t); return name == "second" }, wait, 10*time.Millisecond)
	failed := b.metrics.get("certificate failed") // between the two files

	replace(t, certificate, []byte("rubbish"))
	require.Eventually(t, func() bool { return b.metrics.get("certificate failed") > failed }, wait, 10*time.Millisecond)
	name, _ = b.shown(t)
	require.Equal(t, "second", name)
	require.Positive(t, b.logs.FilterMessageSnippet("the new certificate of webhooks is no good").Len())

	writeCertificate(t, dir, "third", end)
	require.Eventually(t, func() bool { name, _ := b.shown(t); return name == "third" }, wait, 10*time.Millisecond)
}

func TestBrokenCertificate(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	certificate, key := writeCertificate(t, dir, "ended", time.Now().Add(-time.Hour))
	_, other := writeCertificate(t, t.TempDir(), "other", time.Now().Add(time.Hour))
	for want, files := range map[string][2]string{
		"webhooks.tls_certificate: open " + dir: {filepath.Join(dir, "none"), key},
		"webhooks.tls_key: open " + dir:         {certificate, filepath.Join(dir, "none")},
		"private key does not match":            {certificate, other},
		"renew it":                              {certificate, key},
	} {
		b := &bundle{inbox: newInbox(), catalog: &catalog{}, secrets: &secrets{}, metrics: newMetrics(), waker: &waker{}}
		r, err := receiver.New(receiver.Config{
			Address: "127.0.0.1:0", CertificateFile: files[0], KeyFile: files[1],
			MaxBody: 1, MaxHeader: 1, MaxRequests: 1, HeaderTimeout: 1, ReadTimeout: 1, AcceptTimeout: 1,
			Inbox: b.inbox, Waker: b.waker, Catalog: b.catalog, Secrets: b.secrets, Metrics: b.metrics, Logger: nopLogger(),
		})
		require.NoError(t, err)
		_, err = r.Start()
		require.ErrorContains(t, err, want)
		require.ErrorContains(t, err, "webhooks.tls_")
	}
}
