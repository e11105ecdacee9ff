package webhook

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/attune-automation/sensors/internal/sensor"
)

// Arrival is what a payload is made of besides the body.
type Arrival struct {
	ID         string // of the delivery, ours
	Method     string
	Header     http.Header
	Query      string            // still encoded
	Parameters map[string]string // of the path
	Remote     netip.Addr        // of the sender, not of a proxy
	At         time.Time
}

// Payload returns the payload of the event that a request becomes, or ErrTooLarge.
func (c Config) Payload(a Arrival, body Body) ([]byte, error) {
	var b bytes.Buffer
	b.Grow(len(body.Value) + 512)
	b.WriteString(`{"body":`)
	b.Write(body.Value)
	for _, field := range []struct {
		name  string
		value any
	}{
		{"body_format", body.Format.name()},
		{"headers", c.chosen(a.Header)},
		{"query", c.query(a.Query)},
		{"path", a.Parameters},
		{"method", a.Method},
		{"remote", a.Remote.String()},
		{"delivery_id", a.ID},
		{"received_at", a.At.UTC().Format(time.RFC3339Nano)},
	} {
		b.WriteString(`,"` + field.name + `":`)
		b.Write(encode(field.value))
	}
	b.WriteByte('}')
	if b.Len() > MaxBody {
		return nil, ErrTooLarge
	}
	return b.Bytes(), nil
}

// name is null when there is no body.
func (f Format) name() any {
	if f == "" {
		return nil
	}
	return f
}

// chosen returns the headers that the sensor chose, by their names in lower case.
func (c Config) chosen(header http.Header) map[string]string {
	chosen := map[string]string{}
	for _, name := range c.Headers {
		if values := header.Values(name); len(values) > 0 {
			chosen[name] = strings.Join(values, ", ")
		}
	}
	return chosen
}

// query returns the parameters of the query but for the one that is a secret. One that cannot be decoded is left out.
func (c Config) query(encoded string) map[string]any {
	values, _ := url.ParseQuery(encoded)
	if c.Auth.query != "" {
		delete(values, c.Auth.query)
	}
	return single(values)
}

// Key returns how the sender names the delivery, for finding repetitions; empty: not at all. What no key can be, for its
// length or its characters, is replaced by its hash.
func (c Config) Key(header http.Header, body Body) string {
	key := header.Get(c.DeliveryID.Header)
	if c.DeliveryID.Body != nil {
		key = lookUp(body.json(), c.DeliveryID.Body)
	}
	if len(key) > sensor.MaxKey || !utf8.ValidString(key) || strings.ContainsRune(key, 0) {
		digest := sha256.Sum256([]byte(key))
		return "sha256:" + hex.EncodeToString(digest[:])
	}
	return key
}

// lookUp returns a string or number in a JSON text, or nothing.
func lookUp(text json.RawMessage, keys []string) string {
	for _, key := range keys {
		var object map[string]json.RawMessage
		if json.Unmarshal(text, &object) != nil {
			return ""
		}
		text = object[key]
	}
	var plain string
	if json.Unmarshal(text, &plain) == nil {
		return plain
	}
	var number json.Number
	if json.Unmarshal(text, &number) == nil {
		return number.String()
	}
	return ""
}

// Allowed says whether an address may send.
func (c Config) Allowed(remote netip.Addr) bool {
	return c.Allow == nil || slices.ContainsFunc(c.Allow, func(p netip.Prefix) bool { return p.Contains(remote) })
}

// Handshake returns the answer to what senders ask before they deliver, whatever the payload is to have of their bodies;
// false: the request is a delivery. It must have been verified: an answer to anybody would tell that a webhook is there.
func (c Config) Handshake(header http.Header, body []byte) (answer json.RawMessage, ok bool) {
	switch c.Auth.handshake {
	case handshakeGitHub:
		if header.Get("X-GitHub-Event") == "ping" {
			return json.RawMessage(`{"message":"pong"}`), true
		}
	case handshakeSlack:
		var question struct{ Type, Challenge string }
		if json.Unmarshal(body, &question) == nil && question.Type == "url_verification" {
			return encode(map[string]string{"challenge": question.Challenge}), true
		}
	}
	return nil, false
}
