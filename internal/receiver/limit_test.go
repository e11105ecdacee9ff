package receiver_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/internal/receiver"
)

func TestBodyLimit(t *testing.T) {
	t.Parallel()
	b := setup(t, nil, hook("a.small", `{"auth": "none", "max_body": 10}`), hook("a.large", `{"auth": "none", "max_body": "1MiB"}`))
	require.Equal(t, http.StatusAccepted, b.post(t, "a.small", `"8 bytes!"`).status)
	require.Equal(t, http.StatusRequestEntityTooLarge, b.post(t, "a.small", `"9  bytes!"`).status)
	text := func(n int) string { return `"` + strings.Repeat("x", n-2) + `"` }
	require.Equal(t, http.StatusAccepted, b.post(t, "a.large", text(64<<10)).status)
	require.Equal(t, http.StatusRequestEntityTooLarge, b.post(t, "a.large", text(64<<10+1)).status, "the worker's limit is the most")

	// Without a length in advance.
	got, err := http.Post(b.url+"a.small", "application/json", io.MultiReader(strings.NewReader(`"9 `), strings.NewReader(` bytes!"`)))
	require.NoError(t, err)
	require.NoError(t, got.Body.Close())
	require.Equal(t, http.StatusRequestEntityTooLarge, got.StatusCode)
	require.Len(t, b.inbox.all(), 2)
}

// talk opens a connection and sends what may be a part of a request.
func (b *bundle) talk(t *testing.T, text string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", strings.Split(b.url, "/")[2])
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	require.NoError(t, conn.SetDeadline(time.Now().Add(wait)))
	_, err = io.WriteString(conn, text)
	require.NoError(t, err)
	return conn
}

// Senders that never finish their headers, or their body, are cut off, and do not keep others from being served.
func TestSlowSenders(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *receiver.Config) {
		c.HeaderTimeout, c.ReadTimeout, c.MaxRequests = 300*time.Millisecond, 600*time.Millisecond, 10
	}, hook("a.b", `{"auth": "none"}`))
	var headers, bodies []net.Conn
	for range 100 {
		headers = append(headers, b.talk(t, "POST /webhooks/a.b HTTP/1.1\r\nHost: x\r\nX-Slow: "))
	}
	require.Equal(t, http.StatusAccepted, b.post(t, "a.b", "{}").status, "headers take no place")
	for range 5 {
		bodies = append(bodies, b.talk(t, "POST /webhooks/a.b HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 10\r\n\r\n{"))
	}
	require.Equal(t, http.StatusAccepted, b.post(t, "a.b", "{}").status)
	for _, conn := range headers {
		_, err := io.ReadAll(conn)
		require.NoError(t, err, "the server closes it")
	}
	for _, conn := range bodies {
		got, err := http.ReadResponse(bufio.NewReader(conn), nil)
		require.NoError(t, err)
		require.Equal(t, http.StatusRequestTimeout, got.StatusCode)
		require.NoError(t, got.Body.Close())
	}
	require.Len(t, b.inbox.all(), 2)
}

func TestHeaderLimit(t *testing.T) {
	t.Parallel()
	b := setup(t, nil, hook("a.b", `{"auth": "none"}`))
	require.Equal(t, http.StatusRequestHeaderFieldsTooLarge, b.post(t, "a.b", "{}", "X-Long", strings.Repeat("x", 32<<10)).status)
}

func TestConcurrentRequests(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *receiver.Config) { c.MaxRequests = 3 }, hook("a.b", `{"auth": "none"}`))
	gate := make(chan struct{})
	b.inbox.set(nil, gate)
	answers := make(chan int, 3)
	for range 3 {
		go func() {
			got, _ := b.try(context.Background(), http.DefaultClient, "POST", "a.b", "{}")
			answers <- got.status
		}()
		<-b.inbox.entered
	}
	got := b.post(t, "a.b", "{}")
	require.Equal(t, http.StatusServiceUnavailable, got.status)
	require.Equal(t, "1", got.header.Get("Retry-After"))
	close(gate)
	for range 3 {
		require.Equal(t, http.StatusAccepted, <-answers)
	}
	require.Equal(t, http.StatusAccepted, b.post(t, "a.b", "{}").status)
}

func TestAddressRate(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *receiver.Config) {
		c.AddressRate, c.TrustedProxies = 0.01, []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	}, hook("a.b", `{"auth": "none"}`))
	require.Equal(t, http.StatusAccepted, b.post(t, "a.b", "{}", "X-Forwarded-For", "192.0.2.1").status)
	got := b.post(t, "a.b", "{}", "X-Forwarded-For", "192.0.2.1")
	require.Equal(t, http.StatusTooManyRequests, got.status)
	require.Regexp(t, `^(9\d|100)$`, got.header.Get("Retry-After"))
	require.Equal(t, http.StatusTooManyRequests, b.post(t, "a.other", "{}", "X-Forwarded-For", "192.0.2.1").status, "whatever it asks for")
	require.Equal(t, http.StatusAccepted, b.post(t, "a.b", "{}", "X-Forwarded-For", "192.0.2.2").status)
	require.Equal(t, http.StatusAccepted, b.post(t, "a.b", "{}", "X-Forwarded-For", "2001:db8::1").status)
	require.Equal(t, http.StatusTooManyRequests, b.post(t, "a.b", "{}", "X-Forwarded-For", "2001:db8::2").status, "of the same network")
}

// The rate of a sensor counts what is proved: strangers cannot use it up.
func TestSensorRate(t *testing.T) {
	t.Parallel()
	b := setup(t, nil, hook("a.b", `{"rate": 0.01, "auth": {"type": "bearer", "secrets": ["${secret:A}"]}}`), hook("a.other", `{"auth": "none"}`))
	for range 3 {
		require.Equal(t, http.StatusUnauthorized, b.post(t, "a.b", "{}").status)
	}
	require.Equal(t, http.StatusAccepted, b.post(t, "a.b", "{}", "Authorization", "Bearer open sesame").status)
	got := b.post(t, "a.b", "{}", "Authorization", "Bearer open sesame")
	require.Equal(t, http.StatusTooManyRequests, got.status)
	require.NotEmpty(t, got.header.Get("Retry-After"))
	require.Equal(t, 1, b.metrics.get("refused a.b sensor_rate"))
	require.Equal(t, http.StatusAccepted, b.post(t, "a.other", "{}").status)
}

// X-Forwarded-For counts only as far as trusted proxies say it.
func TestAllowedAddresses(t *testing.T) {
	t.Parallel()
	const config = `{"auth": "none", "allow": ["192.0.2.0/24", "2001:db8::/32"]}`
	direct := setup(t, nil, hook("a.b", config))
	require.Equal(t, http.StatusForbidden, direct.post(t, "a.b", "{}", "X-Forwarded-For", "192.0.2.1").status, "anybody can write that")

	b := setup(t, func(c *receiver.Config) {
		c.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32"), netip.MustParsePrefix("10.0.0.0/8")}
	}, hook("a.b", config))
	for forwarded, want := range map[string]struct {
		status int
		remote string
	}{
		"192.0.2.1":                       {http.StatusAccepted, "192.0.2.1"},
		"192.0.2.1:4711, 10.0.0.7":        {http.StatusAccepted, "192.0.2.1"},
		"203.0.113.5, 192.0.2.1":          {http.StatusAccepted, "192.0.2.1"},
		"[2001:db8::1]:4711":              {http.StatusAccepted, "2001:db8::1"},
		"::ffff:192.0.2.9":                {http.StatusAccepted, "192.0.2.9"},
		"192.0.2.1, 203.0.113.5":          {http.StatusForbidden, ""},
		"192.0.2.1, 203.0.113.5,10.0.0.7": {http.StatusForbidden, ""},
		"192.0.2.1, unknown":              {http.StatusForbidden, ""},
		"":                                {http.StatusForbidden, ""},
	} {
		require.Equal(t, want.status, b.post(t, "a.b", "{}", "X-Forwarded-For", forwarded).status, forwarded)
		if want.remote != "" {
			require.Equal(t, want.remote, b.inbox.payload(t)["remote"], forwarded)
		}
	}
}

func TestPortInUse(t *testing.T) {
	t.Parallel()
	b := setup(t, nil, hook("a.b", `{"auth": "none"}`))
	address := strings.Split(b.url, "/")[2]
	config := receiver.Config{
		Address: address, MaxBody: 1, MaxHeader: 1, MaxRequests: 1, HeaderTimeout: 1, ReadTimeout: 1, AcceptTimeout: 1,
		Inbox: b.inbox, Waker: b.waker, Catalog: b.catalog, Secrets: b.secrets, Metrics: b.metrics, Logger: nopLogger(),
	}
	second, err := receiver.New(config)
	require.NoError(t, err)
	_, err = second.Start()
	require.ErrorContains(t, err, fmt.Sprintf("webhooks.address (ATTUNE__WEBHOOKS__ADDRESS) %q: listen tcp", address))
	require.ErrorContains(t, err, "address already in use: choose a free host:port")

	config.Address = ""
	_, err = receiver.New(config)
	require.EqualError(t, err, "receiver: Address is missing")
}

// One address has so many connections at a time, and those of others, and of proxies, are not touched by that.
func TestConnectionLimit(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *receiver.Config) { c.AddressConnections = 3 }, hook("a.b", `{"auth": "none"}`))
	var idle []net.Conn
	for range 3 {
		idle = append(idle, b.talk(t, "POST /webhooks/a.b HTTP/1.1\r\n"))
	}
	alone := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	require.Eventually(t, func() bool {
		_, err := b.try(t.Context(), alone, http.MethodPost, "a.b", "{}")
		return err != nil && b.metrics.get("refused  connections") > 0
	}, wait, time.Millisecond, "a fourth is closed")
	require.NoError(t, idle[0].Close())
	require.Eventually(t, func() bool {
		got, err := b.try(t.Context(), alone, http.MethodPost, "a.b", "{}")
		return err == nil && got.status == http.StatusAccepted
	}, wait, time.Millisecond, "once there is room")

	proxied := setup(t, func(c *receiver.Config) {
		c.AddressConnections, c.TrustedProxies = 1, []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	}, hook("a.b", `{"auth": "none"}`))
	for range 3 {
		proxied.talk(t, "POST /webhooks/a.b HTTP/1.1\r\n")
	}
	require.Equal(t, http.StatusAccepted, proxied.post(t, "a.b", "{}").status)
}

// One address has so many requests in hand at a time, too, however few connections they come by.
func TestRequestsOfAnAddress(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *receiver.Config) {
		c.AddressConnections, c.TrustedProxies = 2, []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	}, hook("a.b", `{"auth": "none"}`))
	const slow = "POST /webhooks/a.b HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 192.0.2.1\r\nContent-Length: 9\r\n\r\n"
	var idle []net.Conn
	for range 2 {
		idle = append(idle, b.talk(t, slow))
	}
	var got reply
	require.Eventually(t, func() bool {
		got = b.post(t, "a.b", "{}", "X-Forwarded-For", "192.0.2.1")
		return got.status == http.StatusTooManyRequests
	}, wait, time.Millisecond)
	require.Equal(t, "1", got.header.Get("Retry-After"))
	require.Positive(t, b.metrics.get("refused  address_requests"))
	require.Equal(t, http.StatusAccepted, b.post(t, "a.b", "{}", "X-Forwarded-For", "192.0.2.2").status, "others are not touched")
	require.Equal(t, http.StatusAccepted, b.post(t, "a.b", "{}").status, "nor is the proxy")
	require.NoError(t, idle[0].Close())
	require.Eventually(t, func() bool {
		return b.post(t, "a.b", "{}", "X-Forwarded-For", "192.0.2.1").status == http.StatusAccepted
	}, wait, time.Millisecond, "once there is room")
}

// A query of more parameters than anybody decodes is refused, and not taken for an empty one.
func TestQueryLimit(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *receiver.Config) { c.MaxHeader = 64 << 10 }, hook("a.b", `{"auth": "none"}`))
	require.Equal(t, http.StatusAccepted, b.post(t, "a.b?a"+strings.Repeat("&a", 9_999), "{}").status)
	require.Len(t, b.inbox.all(), 1)
	require.Contains(t, string(b.inbox.all()[0].Payload), `"query":{"a":["","",`)
	got := b.post(t, "a.b?a"+strings.Repeat("&a", 10_000), "{}")
	require.Equal(t, http.StatusRequestURITooLong, got.status)
	require.Contains(t, got.body, "more than 10000 parameters in the query")
}
