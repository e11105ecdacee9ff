// Package webhook is the runtime core.webhook, but for the server: it reads the config of a webhook sensor, proves who
// sent a request, and makes of it the payload of an event. It is pure, so that the receiver, the sensor's poll and the
// validation of packs agree on what a config means.
package webhook

import (
	"encoding/json"
	"net/netip"

	"github.com/attune-automation/sensors/internal/sensor"
)

// Config is what a webhook sensor's config says, defaults applied.
type Config struct {
	Path       string   // template, see ParsePath; empty: the sensor's ref
	Methods    []string // upper case
	Auth       Auth
	Headers    []string // that become part of the payload, lower case
	Body       Format
	DeliveryID IDSource
	MaxBody    int64          // bytes; 0: the worker's default
	Rate       float64        // requests a second; 0: the worker's default
	Allow      []netip.Prefix // who may send; nil: everybody
}

// PathOf returns the template of the path of a sensor's webhook.
func (c Config) PathOf(ref string) string {
	if c.Path == "" {
		return ref
	}
	return c.Path
}

// Format says what the body of a request is taken for.
type Format string

// The formats of a body.
const (
	FormatAuto   Format = "auto" // what its Content-Type says
	FormatJSON   Format = "json"
	FormatForm   Format = "form"
	FormatText   Format = "text"
	FormatBase64 Format = "base64"
)

// IDSource is where senders write the ID of a delivery. At most one of its fields is set.
type IDSource struct {
	Header string   // name
	Body   []string // keys, from outside in, to a string or number of a JSON body
}

// Secrets finds secrets by their names; its error says which is missing and where to put it.
type Secrets interface {
	Lookup(name string) (string, error)
}

// Endpoint is a webhook that is ready to take requests.
type Endpoint struct {
	Config
	verifier verifier
}

// Open makes a webhook ready. The receiver does the same to serve a sensor, so that the sensor's poll can say what keeps
// the receiver from it. The error is a *sensor.Fault when the config is wrong or a secret is missing or unfit.
func Open(config json.RawMessage, secrets Secrets) (*Endpoint, error) {
	parsed, err := Parse(config)
	if err != nil {
		return nil, &sensor.Fault{Kind: sensor.FaultConfig, Message: err.Error()}
	}
	return parsed.Open(secrets)
}

// Open makes a webhook ready, with the secrets as they are now: open it again to see that one was replaced.
func (c Config) Open(secrets Secrets) (*Endpoint, error) {
	v, err := c.Auth.verifier(secrets)
	if err != nil {
		return nil, &sensor.Fault{Kind: sensor.FaultConfig, Message: err.Error()}
	}
	return &Endpoint{Config: c, verifier: v}, nil
}
