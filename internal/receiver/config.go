package receiver

import (
	"cmp"
	"errors"
	"net/netip"
	"time"

	"go.uber.org/zap"

	"github.com/attune-automation/sensors/internal/runner/webhook"
)

// Config is what a Receiver serves, where, and within which limits.
type Config struct {
	Address         string // host:port; port 0 takes a free one
	BasePath        string // begins with a slash and ends without one; empty: webhooks are at the root
	CertificateFile string // PEM; empty: plain HTTP
	KeyFile         string // PEM
	TrustedProxies  []netip.Prefix

	MaxBody       int64         // bytes
	MaxHeader     int           // bytes of all headers
	HeaderTimeout time.Duration // from the connection to the last header
	ReadTimeout   time.Duration // from the connection to the end of the body
	AcceptTimeout time.Duration // to commit a delivery
	MaxRequests   int           // at one time
	AddressRate   float64       // requests a second from one address; 0: any number
	// AddressConnections is how many connections one address has at a time, and how many requests, unless it is a trusted
	// proxy's; 0: any number.
	AddressConnections int
	SensorRate         float64 // requests a second for one sensor that says nothing itself; 0: any number

	RouteInterval  time.Duration // between two looks at the sensors; 0: 1 s
	SecretInterval time.Duration // between two looks at secrets and certificate; 0: 5 s

	Inbox   Inbox
	Waker   Waker
	Catalog Catalog
	Secrets webhook.Secrets
	Metrics Metrics
	Logger  *zap.Logger
}

func (c Config) check() error {
	switch {
	case c.Address == "":
		return errors.New("receiver: Address is missing")
	case c.MaxBody <= 0 || c.MaxHeader <= 0 || c.MaxRequests <= 0:
		return errors.New("receiver: MaxBody, MaxHeader and MaxRequests must be more than 0")
	case c.HeaderTimeout <= 0 || c.ReadTimeout <= 0 || c.AcceptTimeout <= 0:
		return errors.New("receiver: HeaderTimeout, ReadTimeout and AcceptTimeout must be more than 0")
	case c.Inbox == nil || c.Waker == nil || c.Catalog == nil || c.Secrets == nil || c.Metrics == nil || c.Logger == nil:
		return errors.New("receiver: Inbox, Waker, Catalog, Secrets, Metrics and Logger are needed")
	}
	return nil
}

func (c Config) withDefaults() Config {
	c.RouteInterval = cmp.Or(c.RouteInterval, time.Second)
	c.SecretInterval = cmp.Or(c.SecretInterval, 5*time.Second)
	return c
}
