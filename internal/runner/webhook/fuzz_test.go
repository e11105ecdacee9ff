package webhook

import (
	"bytes"
	"encoding/json"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/internal/sensor"
)

// A config is read, or all that is wrong with it is said; what is read can be served.
func FuzzParse(f *testing.F) {
	for _, v := range vectors() {
		f.Add([]byte(v.config))
	}
	f.Add([]byte(`{"path": "a/{b}", "auth": "none", "max_body": "1KiB", "allow": ["::1"], "delivery_id": {"body": "a.b"}}`))
	f.Fuzz(func(t *testing.T, config []byte) {
		c, err := Parse(config)
		if err != nil {
			require.IsType(t, sensor.ConfigProblems{}, err)
			require.NotEmpty(t, err)
			return
		}
		place, err := c.Place(sensor.Sensor{Ref: "a.b"})
		require.NoError(t, err)
		require.Equal(t, c.PathOf("a.b"), place.Path.String())
		_, err = c.Auth.verifier(secrets{})
		require.Equal(t, c.Auth.kind == authNone, err == nil, "without its secrets it takes nothing")
	})
}

// Whatever stands in the header of a signature, only what the secret signed is let in.
func FuzzSignature(f *testing.F) {
	var endpoints []*Endpoint
	for _, kind := range []string{"github", "slack", "stripe", "standard-webhooks"} {
		e, err := Open([]byte(`{"auth": {"type": "`+kind+`", "secrets": ["${secret:A}"]}}`), secrets{"A": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"})
		require.NoError(f, err)
		endpoints = append(endpoints, e)
	}
	for _, v := range vectors() {
		for name := range v.request.Header {
			f.Add(v.request.Header.Get(name), "1614265330")
		}
	}
	f.Fuzz(func(t *testing.T, signature, timestamp string) {
		for _, e := range endpoints {
			err := e.Verify(Request{
				Header: headers(e.Auth.hmac.header, signature, "X-Slack-Request-Timestamp", timestamp, "webhook-timestamp", timestamp, "webhook-id", "1"),
				Body:   []byte("what nobody signed"), Now: time.Unix(1614265330, 0),
			})
			require.Error(t, err)
		}
	})
}

// A path that a template makes is found again, with the parameters that it was made of.
func FuzzPath(f *testing.F) {
	f.Add("orders/{customer}/events", "a/b")
	f.Add("{a}", "..")
	f.Fuzz(func(t *testing.T, template, value string) {
		p, err := ParsePath(template)
		table := NewTable([]Place{{Ref: "a.b", Path: p}})
		if err != nil {
			_, _, _ = table.Find(template)
			return
		}
		escaped := url.PathEscape(value)
		if value == "" || len(escaped) > 300 {
			return
		}
		var made []string
		for _, s := range p.segments {
			if s.parameter {
				made = append(made, escaped)
			} else {
				made = append(made, s.text)
			}
		}
		ref, parameters, ok := table.Find(strings.Join(made, "/"))
		require.True(t, ok)
		require.Equal(t, "a.b", ref)
		for _, found := range parameters {
			require.Equal(t, value, found)
		}
	})
}

// Any body is refused, or makes a payload that is JSON with the body in it.
func FuzzBody(f *testing.F) {
	f.Add("application/json", []byte(`{"a": [1, 2.50, "\u0000"]}`), "a=1&a=2")
	f.Add("multipart/form-data; boundary=b", []byte("--b\r\nContent-Disposition: form-data; name=a\r\n\r\nx\r\n--b--\r\n"), "")
	f.Add("application/x-www-form-urlencoded", []byte("a=1&b=%00"), "%zz")
	f.Add("text/plain; charset=shift_jis", []byte("\x82\xa0"), "")
	f.Fuzz(func(t *testing.T, kind string, raw []byte, query string) {
		c := Config{Body: FormatAuto, Headers: []string{"content-type"}, DeliveryID: IDSource{Body: []string{"a"}}}
		body, err := c.ReadBody(headers("Content-Type", kind), raw)
		if err != nil {
			require.IsType(t, &BadBody{}, err)
			return
		}
		require.LessOrEqual(t, len(c.Key(nil, body)), sensor.MaxKey)
		payload, err := c.Payload(Arrival{Header: headers("Content-Type", kind), Query: query, Remote: netip.IPv6Loopback()}, body)
		if err != nil {
			require.ErrorIs(t, err, ErrTooLarge)
			return
		}
		require.True(t, json.Valid(payload), "%s", payload)
		if body.Format == FormatJSON {
			require.True(t, bytes.HasPrefix(payload, append([]byte(`{"body":`), body.Value...)))
		}
	})
}
