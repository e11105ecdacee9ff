package webhook

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"mime/multipart"
	"net/http"
	"net/url"
	"unicode/utf8"

	"github.com/attune-automation/sensors/internal/schema"
)

// Body is a body as it becomes part of a payload.
type Body struct {
	Format Format          // never FormatAuto; empty: there was none
	Value  json.RawMessage // JSON is as it was sent, byte for byte
	raw    []byte          // as it was sent, but decompressed
}

// json is the body as JSON, which it may be even if the payload is to have it as something else.
func (b Body) json() []byte {
	if b.Format == FormatJSON {
		return b.Value
	}
	return b.raw
}

// bodyDepth is how deep a body may nest: it is inside of the payload's object.
const bodyDepth = schema.MaxDepth - 1

// ReadBody makes the value of a body that is decompressed already. What no database can hold, such as \u0000 in a JSON
// string, it leaves as it is: the payload will be refused as an event, and kept. The error is a *BadBody when the body is
// not what the sensor or its Content-Type says.
func (c Config) ReadBody(header http.Header, body []byte) (Body, error) {
	if len(body) == 0 {
		return Body{Value: json.RawMessage("null")}, nil
	}
	read, err := c.readBody(header, body)
	read.raw = body
	return read, err
}

func (c Config) readBody(header http.Header, body []byte) (Body, error) {
	kind, parameters := mediaType(header)
	format := c.Body
	if format == FormatAuto {
		format = formatOf(kind)
	}
	switch format {
	case FormatJSON:
		return readJSON(body, parameters["charset"])
	case FormatForm:
		return readForm(body, kind, parameters)
	case FormatText:
		return readText(body, parameters["charset"])
	}
	return Body{Format: FormatBase64, Value: quote(base64.StdEncoding.EncodeToString(body))}, nil
}

func readJSON(body []byte, charset string) (Body, error) {
	body, err := utf8Text(body, charset)
	if err != nil {
		return Body{}, err
	}
	body = bytes.TrimPrefix(body, []byte("\ufeff"))
	if deeper(body, bodyDepth) {
		return Body{}, badBody("the JSON nests deeper than %d", bodyDepth)
	}
	if !json.Valid(body) {
		return Body{}, badBody("the body is not JSON")
	}
	return Body{Format: FormatJSON, Value: body}, nil
}

// deeper says whether arrays and objects of a JSON text nest deeper than that.
func deeper(text []byte, most int) bool {
	depth, quoted := 0, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '[' || c == '{':
			if depth++; depth > most {
				return true
			}
		case c == ']' || c == '}':
			depth--
		}
	}
	return false
}

// readText falls back to base64 for what is no text.
func readText(body []byte, charset string) (Body, error) {
	text, err := utf8Text(body, charset)
	if err != nil {
		return Body{}, err
	}
	if !utf8.Valid(text) || bytes.IndexByte(text, 0) >= 0 {
		return Body{Format: FormatBase64, Value: quote(base64.StdEncoding.EncodeToString(body))}, nil
	}
	return Body{Format: FormatText, Value: quote(string(text))}, nil
}

func readForm(body []byte, kind string, parameters map[string]string) (Body, error) {
	if kind == "multipart/form-data" {
		return readMultipart(body, parameters["boundary"])
	}
	values, err := url.ParseQuery(string(body))
	if err != nil {
		return Body{}, badBody("the body is not a form")
	}
	return Body{Format: FormatForm, Value: encode(single(values))}, nil
}

// file is a file in a form.
type file struct {
	Filename    string `json:"filename"`
	ContentType string `json:"content_type"`
	Size        int    `json:"size"`
	SHA256      string `json:"sha256"`
	Content     string `json:"content"` // base64
}

func readMultipart(body []byte, boundary string) (Body, error) {
	fields := map[string][]any{}
	reader := multipart.NewReader(bytes.NewReader(body), boundary)
	for boundary != "" {
		part, err := reader.NextPart()
		if errors.Is(err, io.EOF) {
			return Body{Format: FormatForm, Value: encode(single(fields))}, nil
		}
		if err != nil {
			break
		}
		value, err := readPart(part)
		if err != nil {
			break
		}
		fields[part.FormName()] = append(fields[part.FormName()], value)
	}
	return Body{}, badBody("the body is not a form of parts")
}

func readPart(part *multipart.Part) (any, error) {
	content, err := io.ReadAll(part)
	if err != nil {
		return nil, err
	}
	if part.FileName() == "" {
		return string(content), nil
	}
	digest := sha256.Sum256(content)
	return file{
		Filename: part.FileName(), ContentType: part.Header.Get("Content-Type"), Size: len(content),
		SHA256: hex.EncodeToString(digest[:]), Content: base64.StdEncoding.EncodeToString(content),
	}, nil
}

// single takes a value that is there once out of its list.
func single[V any](lists map[string][]V) map[string]any {
	out := make(map[string]any, len(lists))
	for name, list := range lists {
		if len(list) == 1 {
			out[name] = list[0]
		} else {
			out[name] = list
		}
	}
	return out
}

func quote(text string) json.RawMessage { return encode(text) }

// encode writes JSON with <, > and & as they are. Bytes that are not UTF-8 become U+FFFD.
func encode(value any) json.RawMessage {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(value) // strings, and lists and objects of them, always can be
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}
