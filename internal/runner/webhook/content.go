package webhook

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"

	"golang.org/x/text/encoding/htmlindex"
)

// Errors of a body, besides a *BadBody.
var (
	// ErrTooLarge: the body, decompressed, or the payload that it makes has more bytes than it may.
	ErrTooLarge = errors.New("the body is too large")
	// ErrCoding: the Content-Encoding is none that is known.
	ErrCoding = errors.New("the Content-Encoding is none of gzip, deflate and identity")
)

// BadBody is a body that is not what it is said to be. The sender may see it.
type BadBody struct{ Reason string }

// Error returns the reason.
func (b *BadBody) Error() string { return b.Reason }

func badBody(format string, args ...any) error { return &BadBody{fmt.Sprintf(format, args...)} }

// Decompress undoes the Content-Encoding of a body. However well a body is compressed, no more than max bytes of it are
// ever in memory.
func Decompress(header http.Header, body []byte, max int64) ([]byte, error) {
	var reader io.Reader
	var err error
	switch coding := strings.ToLower(strings.TrimSpace(strings.Join(header.Values("Content-Encoding"), ","))); coding {
	case "", "identity":
		return body, nil
	case "gzip", "x-gzip":
		reader, err = gzip.NewReader(bytes.NewReader(body))
	case "deflate":
		reader, err = inflate(body)
	default:
		return nil, ErrCoding
	}
	if err != nil {
		return nil, badBody("the body is not compressed as its Content-Encoding says")
	}
	plain, err := io.ReadAll(io.LimitReader(reader, max+1))
	switch {
	case int64(len(plain)) > max:
		return nil, ErrTooLarge
	case err != nil:
		return nil, badBody("the body is not compressed as its Content-Encoding says")
	}
	return plain, nil
}

// inflate reads deflate with the header of zlib, as it should be, and without, as some send it.
func inflate(body []byte) (io.Reader, error) {
	if len(body) >= 2 && body[0]&0x0f == 8 && (int(body[0])<<8|int(body[1]))%31 == 0 {
		return zlib.NewReader(bytes.NewReader(body))
	}
	return flate.NewReader(bytes.NewReader(body)), nil
}

// mediaType returns the type of a body in lower case, and its parameters. What cannot be read is like none.
func mediaType(header http.Header) (string, map[string]string) {
	kind, parameters, err := mime.ParseMediaType(header.Get("Content-Type"))
	if err != nil && !errors.Is(err, mime.ErrInvalidMediaParameter) {
		return "", nil
	}
	return kind, parameters
}

// formatOf says what a body of a type is taken for.
func formatOf(kind string) Format {
	main, sub, _ := strings.Cut(kind, "/")
	switch {
	case sub == "json" || strings.HasSuffix(sub, "+json"):
		return FormatJSON
	case kind == "application/x-www-form-urlencoded" || kind == "multipart/form-data":
		return FormatForm
	case main == "text", sub == "xml", strings.HasSuffix(sub, "+xml"), strings.HasSuffix(sub, "+yaml"):
		return FormatText
	}
	switch kind {
	case "application/yaml", "application/x-yaml", "application/toml", "application/javascript", "application/graphql",
		"application/sql", "application/x-ndjson", "application/jsonl", "application/json-seq":
		return FormatText
	}
	return FormatBase64
}

// utf8Text converts a body from the charset that its type names to UTF-8.
func utf8Text(body []byte, charset string) ([]byte, error) {
	switch strings.ToLower(charset) {
	case "", "utf-8", "utf8", "us-ascii", "ascii":
		return body, nil
	}
	encoding, err := htmlindex.Get(charset)
	if err != nil {
		return nil, badBody("the charset of the Content-Type is not known")
	}
	converted, err := encoding.NewDecoder().Bytes(body)
	if err != nil {
		return nil, badBody("the body is not in the charset of its Content-Type")
	}
	return converted, nil
}
