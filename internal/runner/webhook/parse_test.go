package webhook

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/internal/sensor"
)

func TestParse(t *testing.T) {
	t.Parallel()
	c, err := Parse([]byte(`{
		"path": "orders/{customer}/events", "methods": ["POST", "PUT"], "body": "json", "max_body": "64KiB", "rate": 2.5,
		"allow": ["192.0.2.1", "10.0.0.0/8", "2001:db8::/32"], "headers": ["X-Shop", "user-agent"],
		"delivery_id": {"body": "event.id"}, "auth": {"type": "github", "secrets": ["${secret:SHOP}"]}
	}`))
	require.NoError(t, err)
	require.Equal(t, "orders/{customer}/events", c.PathOf("shop.orders"))
	require.Equal(t, []string{"content-type", "user-agent", "x-github-event", "x-github-delivery", "x-shop"}, c.Headers)
	require.Equal(t, IDSource{Body: []string{"event", "id"}}, c.DeliveryID)
	require.Equal(t, int64(64<<10), c.MaxBody)
	require.True(t, c.Allowed(netip.MustParseAddr("10.20.30.40")))
	require.True(t, c.Allowed(netip.MustParseAddr("2001:db8::7")))
	require.False(t, c.Allowed(netip.MustParseAddr("192.0.2.2")))

	c, err = Parse([]byte(`{"auth": "none"}`))
	require.NoError(t, err)
	require.Equal(t, "shop.orders", c.PathOf("shop.orders"))
	require.Equal(t, []string{"POST"}, c.Methods)
	require.Equal(t, FormatAuto, c.Body)
	require.True(t, c.Allowed(netip.MustParseAddr("192.0.2.2")))

	spelled, err := Parse([]byte(`{"auth": {"type": "none"}}`))
	require.NoError(t, err)
	require.Equal(t, c, spelled)
}

func TestParseProblems(t *testing.T) {
	t.Parallel()
	auth := func(fields string) string { return `{"auth": {"secrets": ["${secret:A}"], ` + fields + `}}` }
	with := func(fields string) string { return `{"auth": "none", ` + fields + `}` }
	for config, want := range map[string]string{
		`{}`:                            "config.auth: missing: write how senders prove who they are, such as {type: bearer, secrets: [\"${secret:SHOP_WEBHOOK}\"]}, or none",
		`{"auth": "bearer"}`:            `config.auth: "bearer" is not enough: write an object, such as {type: bearer, `,
		`{"auth": null}`:                "config.auth: got null, want string or object",
		`{"auth": "none", "paht": "x"}`: "config.paht: unknown key, the schema allows no such",
		`{"auth": {"type": "bearer"}}`:  "config.auth.secrets: missing: write references",
		`{"auth": {"type": "bearer", "secrets": ["plain"]}}`:                                              "config.auth.secrets.0: is no reference to a secret",
		`{"auth": {"type": "bearer", "secrets": ["x${secret:A}"]}}`:                                       "config.auth.secrets.0: is no reference to a secret",
		auth(`"type": "digest"`):                                                                          `config.auth.type: must be one of "none", "bearer"`,
		auth(`"type": "none"`):                                                                            "config.auth.secrets: type none has no such key",
		auth(`"type": "bearer", "header": "X"`):                                                           "config.auth.header: type bearer has no such key",
		auth(`"type": "github", "signed": "{body}"`):                                                      "config.auth.signed: type github has no such key",
		auth(`"type": "basic"`):                                                                           "config.auth.username: missing",
		auth(`"type": "basic", "username": "a:b"`):                                                        "config.auth.username: \"a:b\" has a colon",
		auth(`"type": "api_key"`):                                                                         "config.auth: write header or query",
		auth(`"type": "api_key", "header": "X", "query": "x"`):                                            "config.auth: write header or query",
		auth(`"type": "api_key", "header": "X Y"`):                                                        "config.auth.header: \"X Y\" is no name of a header",
		auth(`"type": "hmac"`):                                                                            "config.auth.header: missing",
		auth(`"type": "hmac", "header": "X", "algorithm": "md5"`):                                         `config.auth.algorithm: must be one of "sha1", "sha256", "sha512"`,
		auth(`"type": "hmac", "header": "X", "signed": "{method}"`):                                       "config.auth.signed: does not have {body}",
		auth(`"type": "hmac", "header": "X", "signed": "{body"`):                                          "config.auth.signed: \"{body\" has no closing }",
		auth(`"type": "hmac", "header": "X", "signed": "{bodies}"`):                                       "config.auth.signed: {bodies} is no part of a request",
		auth(`"type": "hmac", "header": "X", "signed": "{header:}{body}"`):                                "{header:} names no header",
		auth(`"type": "hmac", "header": "X", "signed": "{timestamp}{body}"`):                              "config.auth.signed: has {timestamp}, and nothing says where it is",
		auth(`"type": "hmac", "header": "X", "timestamp": {"header": "T"}`):                               "config.auth.signed: does not have {timestamp}",
		auth(`"type": "hmac", "header": "X", "timestamp": {"part": "t="}, "signed": "{timestamp}{body}"`): "config.auth.timestamp.part: is a part of the header",
		auth(`"type": "hmac", "header": "X", "separator": ",", "prefix": "v1,"`):                          "config.auth.separator: \",\" is in prefix",
		auth(`"type": "hmac", "header": "X", "tolerance": "5m"`):                                          "config.auth.tolerance: is about a timestamp",
		auth(`"type": "slack", "tolerance": "5"`):                                                         "config.auth.tolerance: \"5\" is no good",
		auth(`"type": "slack", "tolerance": "48h"`):                                                       "config.auth.tolerance: \"48h\" is no good",
		with(`"methods": ["get"]`):                                                                        `config.methods.0: must be one of "GET"`,
		with(`"path": "/a"`):                                                                              "config.path: \"/a\" has an empty segment",
		with(`"path": "a/../b"`):                                                                          "config.path: \"a/../b\" has the segment ..",
		with(`"path": "a/x{b}"`):                                                                          `has the bad parameter "x{b}"`,
		with(`"path": "{a}/{a}"`):                                                                         "has {a} twice",
		with(`"path": "a b"`):                                                                             `has the bad segment "a b"`,
		with(`"max_body": "2MiB"`):                                                                        "config.max_body: 2MiB is out of bounds: use 1B to 1MiB",
		with(`"max_body": "many"`):                                                                        `config.max_body: "many" is not a size`,
		with(`"rate": 0`):                                                                                 "config.rate: got 0, want more than 0",
		with(`"allow": ["10.0.0.1/8"]`):                                                                   "config.allow.0: \"10.0.0.1/8\" has bits of a host: write 10.0.0.0/8",
		with(`"allow": ["example.com"]`):                                                                  "config.allow.0: \"example.com\" is no address",
		with(`"headers": ["authorization"]`):                                                              "config.headers.0: \"authorization\" can hold a secret",
		with(`"headers": ["X:"]`):                                                                         "config.headers.0: \"X:\" is no name of a header",
		with(`"delivery_id": {}`):                                                                         "config.delivery_id",
		with(`"delivery_id": {"body": "a..b"}`):                                                           "config.delivery_id.body: \"a..b\" has an empty key",
		with(`"delivery_id": {"header": "Cookie"}`):                                                       "config.delivery_id.header: \"Cookie\" holds what proves",
		`{"auth": {"type": "api_key", "header": "X-Key", "secrets": ["${secret:A}"]}, "headers": ["x-key"]}`: "config.headers.0: \"x-key\" can hold a secret",
		`{"auth": {"type": "github", "secrets": ["${secret:A}"]}, "headers": ["x-hub-signature-256"]}`:       "config.headers.0",
		`[]`: "config: got array, want object",
		`{`:  "config: not JSON",
	} {
		_, err := Parse([]byte(config))
		require.ErrorContains(t, err, want, config)
		require.IsType(t, sensor.ConfigProblems{}, err, config)
	}
}

// What is wrong in one place does not hide what is wrong in another.
func TestAllProblemsAtOnce(t *testing.T) {
	t.Parallel()
	_, err := Parse([]byte(`{"auth": {"type": "basic", "secrets": ["${secret:A}"]}, "methods": "POST", "max_body": "many", "rate": "5", "hedaers": []}`))
	for _, want := range []string{
		"config.methods: got string, want array: write a list, such as [a, b]", "config.rate: got string, want number: write the number without quotes and unit",
		"config.hedaers: unknown key", "config.auth.username: missing", `config.max_body: "many" is not a size`,
	} {
		require.ErrorContains(t, err, want)
	}
}

func TestTable(t *testing.T) {
	t.Parallel()
	var places []Place
	for i, path := range []string{
		"shop.orders", "orders/{customer}/events", "orders/new/events", "{any}", "a/b/c/d", // all of these can be told apart
		"orders/{id}/{kind}",   // less special than the second
		"{x}/orders/events",    // conflicts with the second: orders/orders/events
		"a/b/c/d", "{another}", // the same again
	} {
		p, err := ParsePath(path)
		require.NoError(t, err)
		require.Equal(t, path, p.String())
		places = append(places, Place{Ref: fmt.Sprintf("s.%d", i), Age: int64(i), Path: p})
	}
	table := NewTable(places)
	for path, want := range map[string]string{
		"shop.orders": "s.0", "orders/7/events": "s.1", "orders/new/events": "s.2", "shop.other": "s.3", "a/b/c/d": "s.4",
		"orders/new/others": "s.5", "orders/%6eew/events": "s.2",
		"": "", "/": "", "shop.orders/": "", "a//c/d": "", "a/b/c": "", "orders/%zz/events": "", "a/b/c/d/e": "",
	} {
		ref, _, ok := table.Find(path)
		require.Equal(t, want, ref, path)
		require.Equal(t, want != "", ok, path)
	}
	_, parameters, _ := table.Find("orders/a%2Fb%20c/events")
	require.Equal(t, map[string]string{"customer": "a/b c"}, parameters)

	for i := range 6 {
		require.NoError(t, table.Conflict(fmt.Sprintf("s.%d", i)))
	}
	require.ErrorContains(t, table.Conflict("s.6"), `its path "{x}/orders/events" conflicts with "orders/{customer}/events" of sensor s.1`)
	require.ErrorContains(t, table.Conflict("s.7"), "of sensor s.4, which was there first")
	require.ErrorContains(t, table.Conflict("s.8"), "of sensor s.3")
	require.ErrorContains(t, table.ConflictOf("s"), "sensor s.6: its path")
	require.NoError(t, table.ConflictOf("other"))
}
