package webhook

import (
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/net/http/httpguts"

	"github.com/attune-automation/sensors/internal/schema"
	"github.com/attune-automation/sensors/internal/sensor"
	"github.com/attune-automation/sensors/internal/size"
)

// MaxBody is the most bytes that a body may be allowed to have: what a payload may have.
const MaxBody = schema.MaxPayload

//go:embed config.schema.json
var configSchema []byte

var compiledSchema = sync.OnceValues(func() (*schema.Schema, error) { return schema.Compile("config", configSchema) })

// document is a config as it is written.
type document struct {
	Path       string          `json:"path"`
	Methods    []string        `json:"methods"`
	Auth       json.RawMessage `json:"auth"`
	Headers    []string        `json:"headers"`
	Body       Format          `json:"body"`
	DeliveryID idDocument      `json:"delivery_id"`
	MaxBody    any             `json:"max_body"`
	Rate       float64         `json:"rate"`
	Allow      []string        `json:"allow"`
}

type idDocument struct {
	Header string `json:"header"`
	Body   string `json:"body"`
}

// Parse reads a config whose references to secrets are not resolved, and never need to be: only auth.secrets may hold
// some. The error is sensor.ConfigProblems, with all that is wrong.
func Parse(config json.RawMessage) (Config, error) {
	doc, err := read(config)
	broken, known := errors.AsType[sensor.ConfigProblems](err)
	if err != nil && !known {
		return Config{}, err
	}
	var p problems
	c := Config{
		Path: doc.Path, Methods: doc.Methods, Body: doc.Body, Rate: doc.Rate,
		Auth: p.auth(doc.Auth), MaxBody: p.maxBody(doc.MaxBody), Allow: p.allow(doc.Allow),
	}
	if c.Path != "" {
		if _, err := ParsePath(c.Path); err != nil {
			p.add(err.Error(), "path")
		}
	}
	if c.Methods == nil {
		c.Methods = []string{"POST"}
	}
	if c.Body == "" {
		c.Body = FormatAuto
	}
	c.DeliveryID = p.deliveryID(doc.DeliveryID, c.Auth)
	c.Headers = p.headers(doc.Headers, c.Auth)
	if all := broken.And(sensor.ConfigProblems(p)); len(all) > 0 {
		return Config{}, all
	}
	return c, nil
}

// read decodes a config. What is wrong with it is sensor.ConfigProblems, and the rest is decoded.
func read(config json.RawMessage) (doc document, err error) {
	s, err := compiledSchema()
	if err != nil {
		return doc, err
	}
	err = s.Decode(config, &doc)
	return doc, err
}

// problems collects what is wrong.
type problems sensor.ConfigProblems

func (p *problems) add(message string, path ...string) {
	*p = append(*p, sensor.ConfigProblem{Path: path, Message: message})
}

func (p *problems) maxBody(value any) int64 {
	var n int64
	var err error
	switch v := value.(type) {
	case nil:
		return 0
	case string:
		n, err = size.Parse(v)
	case float64:
		n = int64(v)
	}
	switch {
	case err != nil:
		p.add(fmt.Sprintf("%q %v", value, err), "max_body")
	case n < 1 || n > MaxBody:
		p.add(fmt.Sprintf("%v is out of bounds: use 1B to %s", value, size.Format(MaxBody)), "max_body")
	}
	return n
}

func (p *problems) allow(texts []string) []netip.Prefix {
	var allowed []netip.Prefix
	for i, text := range texts {
		prefix, err := ParseNetwork(text)
		if err != nil {
			p.add(err.Error(), "allow", strconv.Itoa(i))
		}
		allowed = append(allowed, prefix)
	}
	return allowed
}

// ParseNetwork reads an address or a network in CIDR notation.
func ParseNetwork(text string) (netip.Prefix, error) {
	if address, err := netip.ParseAddr(text); err == nil && address.Zone() == "" {
		address = address.Unmap()
		return netip.PrefixFrom(address, address.BitLen()), nil
	}
	prefix, err := netip.ParsePrefix(text)
	switch {
	case err != nil || prefix.Addr().Is4In6():
		return netip.Prefix{}, fmt.Errorf("%.60q is no address and no network: write one such as 192.0.2.1, 10.0.0.0/8 or 2001:db8::/32", text)
	case prefix != prefix.Masked():
		return netip.Prefix{}, fmt.Errorf("%q has bits of a host: write %s", text, prefix.Masked())
	}
	return prefix, nil
}

func (p *problems) deliveryID(doc idDocument, auth Auth) IDSource {
	switch {
	case doc.Header != "":
		p.headerName(doc.Header, "delivery_id", "header")
		if auth.isSecretHeader(doc.Header) {
			p.add(fmt.Sprintf("%q holds what proves who the sender is: name the header that holds the delivery's ID", doc.Header), "delivery_id", "header")
		}
		return IDSource{Header: doc.Header}
	case doc.Body != "":
		keys := strings.Split(doc.Body, ".")
		if slices.Contains(keys, "") {
			p.add(fmt.Sprintf("%q has an empty key: write one such as event.id", doc.Body), "delivery_id", "body")
		}
		return IDSource{Body: keys}
	}
	return auth.id
}

// headers returns the names of the headers that become part of the payload.
func (p *problems) headers(names []string, auth Auth) []string {
	chosen := append([]string{"content-type", "user-agent"}, auth.headers...)
	for i, name := range names {
		p.headerName(name, "headers", strconv.Itoa(i))
		if auth.isSecretHeader(name) {
			p.add(fmt.Sprintf("%q can hold a secret, which no event may have in it: leave it out", name), "headers", strconv.Itoa(i))
		}
		if name = strings.ToLower(name); !slices.Contains(chosen, name) {
			chosen = append(chosen, name)
		}
	}
	return chosen
}

func (p *problems) headerName(name string, path ...string) {
	if !httpguts.ValidHeaderFieldName(name) {
		p.add(fmt.Sprintf("%.60q is no name of a header: write one such as X-Event-Id", name), path...)
	}
}
