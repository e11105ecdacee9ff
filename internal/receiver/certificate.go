package receiver

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"os"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
)

// certificate is the one that the receiver shows. It follows its files: when they change and are no good, the one before
// stays.
type certificate struct {
	config  Config
	current atomic.Pointer[tls.Certificate]

	tried   [2][]byte // contents that were looked at last
	problem string    // of them; empty: none
}

func (c *certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	return c.current.Load(), nil
}

// load takes the certificate as its files have it now. The error names the setting to correct.
func (c *certificate) load() error {
	files := [2]struct{ setting, path string }{
		{"webhooks.tls_certificate", c.config.CertificateFile}, {"webhooks.tls_key", c.config.KeyFile},
	}
	for i, f := range files {
		content, err := os.ReadFile(f.path)
		if err != nil {
			return fmt.Errorf("%s: %w: name a file that the worker can read", f.setting, err)
		}
		c.tried[i] = content
	}
	pair, err := tls.X509KeyPair(c.tried[0], c.tried[1])
	if err != nil {
		return fmt.Errorf("webhooks.tls_certificate %q with webhooks.tls_key %q: %w: give a certificate in PEM, with those that it depends on, and its own key",
			files[0].path, files[1].path, err)
	}
	if end := pair.Leaf.NotAfter; time.Now().After(end) {
		return fmt.Errorf("webhooks.tls_certificate %q ended at %s: renew it", files[0].path, end.UTC().Format(time.RFC3339))
	}
	c.current.Store(&pair)
	return nil
}

// watch looks for new files until ctx ends.
func (c *certificate) watch(ctx context.Context) {
	tick := time.NewTicker(c.config.SecretInterval)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			c.reload()
		case <-ctx.Done():
			return
		}
	}
}

// reload takes the certificate anew if its files changed. A failure is told once.
func (c *certificate) reload() {
	before := c.tried
	err := c.load()
	switch {
	case err != nil && err.Error() != c.problem:
		c.problem = err.Error()
		c.config.Metrics.WebhookCertificate("failed")
		c.config.Logger.Error("the new certificate of webhooks is no good: the one before stays", zap.Error(err))
	case err == nil && (c.problem != "" || !bytes.Equal(before[0], c.tried[0]) || !bytes.Equal(before[1], c.tried[1])):
		c.problem = ""
		c.config.Metrics.WebhookCertificate("loaded")
		c.config.Logger.Info("webhooks have a new certificate", zap.Time("until", c.current.Load().Leaf.NotAfter))
	}
}
