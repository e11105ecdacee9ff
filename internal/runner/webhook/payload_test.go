package webhook

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"encoding/json"
	"io"
	"mime/multipart"
	"net/netip"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/internal/schema"
)

func TestReadBody(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		format Format // of the sensor
		kind   string
		body   string
		want   string
		is     Format
	}{
		"JSON as it is":     {"", "application/json", `{"n": 12345678901234567890.10, "a":1,"a":2}`, `{"n": 12345678901234567890.10, "a":1,"a":2}`, FormatJSON},
		"JSON suffix":       {"", "application/cloudevents+json; charset=UTF-8", `[1e400]`, `[1e400]`, FormatJSON},
		"JSON with a mark":  {"", "application/json", "\ufeff{}", `{}`, FormatJSON},
		"JSON in UTF-16":    {"", "application/json; charset=utf-16le", "{\x00}\x00", `{}`, FormatJSON},
		"NUL in JSON":       {"", "application/json", `"\u0000"`, `"\u0000"`, FormatJSON},
		"JSON by config":    {FormatJSON, "", `{}`, `{}`, FormatJSON},
		"form":              {"", "application/x-www-form-urlencoded", "a=1&b=x+y%3D&a=2&c", `{"a":["1","2"],"b":"x y=","c":""}`, FormatForm},
		"form by config":    {FormatForm, "text/plain", "a=<1>", `{"a":"<1>"}`, FormatForm},
		"text":              {"", "text/plain", "grüße\n", `"grüße\n"`, FormatText},
		"text in Latin 1":   {"", "text/plain; charset=iso-8859-1", "gr\xfc\xdfe", `"grüße"`, FormatText},
		"XML":               {"", "application/atom+xml", "<a/>", `"<a/>"`, FormatText},
		"text that is none": {"", "text/plain", "a\xff", `"Yf8="`, FormatBase64},
		"text with NUL":     {"", "text/plain", "a\x00", `"YQA="`, FormatBase64},
		"no type":           {"", "", "{}", `"e30="`, FormatBase64},
		"binary":            {"", "image/png", "\x89P", `"iVA="`, FormatBase64},
		"base64 by config":  {FormatBase64, "application/json", "{}", `"e30="`, FormatBase64},
		"nothing":           {"", "application/json", "", `null`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			format := c.format
			if format == "" {
				format = FormatAuto
			}
			body, err := Config{Body: format}.ReadBody(headers("Content-Type", c.kind), []byte(c.body))
			require.NoError(t, err)
			require.Equal(t, c.want, string(body.Value))
			require.Equal(t, c.is, body.Format)
		})
	}
}

func TestBadBody(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ kind, body, want string }{
		"not JSON":        {"application/json", `{`, "the body is not JSON"},
		"two values":      {"application/json", `1 2`, "the body is not JSON"},
		"deep":            {"application/json", strings.Repeat("[", 500) + strings.Repeat("]", 500), "nests deeper than 499"},
		"a bomb":          {"application/json", strings.Repeat("[", 1<<20), "nests deeper than 499"},
		"not a form":      {"application/x-www-form-urlencoded", "%zz", "not a form"},
		"no boundary":     {"multipart/form-data", "x", "not a form of parts"},
		"cut off":         {"multipart/form-data; boundary=b", "--b\r\nContent-Disposition: form-data; name=a\r\n\r\nx", "not a form of parts"},
		"unknown charset": {"text/plain; charset=klingon", "x", "the charset of the Content-Type is not known"},
	} {
		_, err := Config{Body: FormatAuto}.ReadBody(headers("Content-Type", c.kind), []byte(c.body))
		require.ErrorContains(t, err, c.want, name)
		require.IsType(t, &BadBody{}, err, name)
	}
	_, err := Config{Body: FormatAuto}.ReadBody(headers("Content-Type", "application/json"), []byte(strings.Repeat("[", 499)+strings.Repeat("]", 499)))
	require.NoError(t, err)
}

func TestMultipart(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	require.NoError(t, w.WriteField("kind", "invoice"))
	part, err := w.CreateFormFile("scan", "scan.png")
	require.NoError(t, err)
	_, err = part.Write([]byte("\x89P"))
	require.NoError(t, err)
	require.NoError(t, w.Close())
	body, err := Config{Body: FormatAuto}.ReadBody(headers("Content-Type", w.FormDataContentType()), b.Bytes())
	require.NoError(t, err)
	require.JSONEq(t, `{"kind": "invoice", "scan": {"filename": "scan.png", "content_type": "application/octet-stream", "size": 2,
		"sha256": "ceb31d4697a6ea6c5b1f1c11d5e80712847b7d989d9b337eaaa24eea470708a2", "content": "iVA="}}`, string(body.Value))
}

func TestDecompress(t *testing.T) {
	t.Parallel()
	gzipped, zlibbed := packed(t, gzip.NewWriter, "hello"), packed(t, zlib.NewWriter, "hello")
	for coding, body := range map[string]string{
		"": "hello", "identity": "hello", "GZIP": gzipped, "x-gzip": gzipped, "deflate": zlibbed,
	} {
		plain, err := Decompress(headers("Content-Encoding", coding), []byte(body), 5)
		require.NoError(t, err, coding)
		require.Equal(t, "hello", string(plain), coding)
	}
	raw := zlibbed[2 : len(zlibbed)-4]
	plain, err := Decompress(headers("Content-Encoding", "deflate"), []byte(raw), 5)
	require.NoError(t, err)
	require.Equal(t, "hello", string(plain))

	_, err = Decompress(headers("Content-Encoding", "gzip"), []byte(gzipped), 4)
	require.ErrorIs(t, err, ErrTooLarge)
	_, err = Decompress(headers("Content-Encoding", "gzip"), []byte("hello"), 4)
	require.IsType(t, &BadBody{}, err)
	_, err = Decompress(headers("Content-Encoding", "gzip"), []byte(gzipped[:len(gzipped)-9]), 5)
	require.IsType(t, &BadBody{}, err)
	for _, coding := range []string{"br", "gzip, gzip"} {
		_, err = Decompress(headers("Content-Encoding", coding), []byte(gzipped), 5)
		require.ErrorIs(t, err, ErrCoding, coding)
	}
}

// What unpacks to 64 MiB is refused without being unpacked.
func TestDecompressBomb(t *testing.T) {
	bomb := []byte(packed(t, gzip.NewWriter, strings.Repeat("\x00", 64<<20)))
	require.Less(t, len(bomb), 1<<17)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := Decompress(headers("Content-Encoding", "gzip"), bomb, 64<<10)
	runtime.ReadMemStats(&after)
	require.ErrorIs(t, err, ErrTooLarge)
	require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(1<<20))
}

func packed[W io.WriteCloser](t *testing.T, pack func(io.Writer) W, text string) string {
	t.Helper()
	var b bytes.Buffer
	w := pack(&b)
	_, err := w.Write([]byte(text))
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return b.String()
}

func TestPayload(t *testing.T) {
	t.Parallel()
	e := open(t, `{"path": "orders/{customer}", "headers": ["X-Shop"], "auth": {"type": "api_key", "query": "key", "secrets": ["${secret:A}"]}}`, "sesame", "")
	payload, err := e.Payload(Arrival{
		ID: "019ac1d2-0000-7000-8000-000000000000", Method: "POST",
		Header: headers("X-Shop", "a", "X-Shop", "b", "Authorization", "Bearer x", "Cookie", "y", "Content-Type", "application/json"),
		Query:  "key=sesame&page=2&tag=a&tag=b&%zz", Parameters: map[string]string{"customer": "<7>"},
		Remote: netip.MustParseAddr("2001:db8::1"), At: time.Date(2026, 3, 1, 12, 0, 0, 1000, time.FixedZone("", 3600)),
	}, Body{Format: FormatJSON, Value: json.RawMessage(`{"total": 10.10}`)})
	require.NoError(t, err)
	require.NoError(t, schema.CheckPayload(payload))
	require.Equal(t, `{"body":{"total": 10.10},"body_format":"json","headers":{"content-type":"application/json","x-shop":"a, b"},`+
		`"query":{"page":"2","tag":["a","b"]},"path":{"customer":"<7>"},"method":"POST","remote":"2001:db8::1",`+
		`"delivery_id":"019ac1d2-0000-7000-8000-000000000000","received_at":"2026-03-01T11:00:00.000001Z"}`, string(payload))

	_, err = e.Payload(Arrival{}, Body{Format: FormatText, Value: encode(strings.Repeat("x", MaxBody))})
	require.ErrorIs(t, err, ErrTooLarge, "no event could hold it")
}

func TestKey(t *testing.T) {
	t.Parallel()
	inBody := Config{DeliveryID: IDSource{Body: []string{"event", "id"}}}
	for body, want := range map[string]string{
		`{"event": {"id": "a"}}`: "a", `{"event": {"id": 12345678901234567890}}`: "12345678901234567890",
		`{"event": {"id": null}}`: "", `{"event": {}}`: "", `{"event": [1]}`: "", `7`: "", `{"event": {"id": true}}`: "",
		`{"event": {"id": "\u0000"}}`: "sha256:6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
	} {
		require.Equal(t, want, inBody.Key(nil, Body{Format: FormatJSON, Value: json.RawMessage(body)}), body)
	}
	require.Empty(t, inBody.Key(nil, Body{Format: FormatText, Value: json.RawMessage(`"x"`)}))

	inHeader := Config{DeliveryID: IDSource{Header: "X-Id"}}
	require.Equal(t, "7", inHeader.Key(headers("X-Id", "7"), Body{}))
	require.Len(t, inHeader.Key(headers("X-Id", strings.Repeat("7", 2000)), Body{}), len("sha256:")+64)
	require.Empty(t, Config{}.Key(headers("X-Id", "7"), Body{}))

	for _, format := range []string{"text", "base64", "auto"} {
		c, err := Parse([]byte(`{"auth": "none", "delivery_id": {"body": "event.id"}, "body": "` + format + `"}`))
		require.NoError(t, err)
		body, err := c.ReadBody(headers("Content-Type", "application/json"), []byte(`{"event": {"id": "7"}}`))
		require.NoError(t, err)
		require.Equal(t, "7", c.Key(nil, body), format)
	}
}

func TestHandshake(t *testing.T) {
	t.Parallel()
	github := open(t, `{"auth": {"type": "github", "secrets": ["${secret:A}"]}}`, "secret", "")
	_, ok := github.Handshake(headers("X-GitHub-Event", "ping"), nil)
	require.True(t, ok)
	_, ok = github.Handshake(headers("X-GitHub-Event", "push"), nil)
	require.False(t, ok)

	slack := open(t, `{"auth": {"type": "slack", "secrets": ["${secret:A}"]}}`, "secret", "")
	answer, ok := slack.Handshake(nil, []byte(`{"type": "url_verification", "challenge": "3eZbrw1a"}`))
	require.True(t, ok)
	require.JSONEq(t, `{"challenge": "3eZbrw1a"}`, string(answer))
	_, ok = slack.Handshake(nil, []byte(`{"type": "event_callback"}`))
	require.False(t, ok)
}
