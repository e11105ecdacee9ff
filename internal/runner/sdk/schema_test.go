package sdk_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/require"
)

// Every message and request of the other tests is checked against the schemas, too.
func TestWhatTheSchemasRefuse(t *testing.T) {
	t.Parallel()
	s := compileSchemas(t)
	valid := func(schema *jsonschema.Schema, line string) error {
		value, err := jsonschema.UnmarshalJSON(strings.NewReader(line))
		require.NoError(t, err)
		return schema.Validate(value)
	}
	for _, line := range []string{
		`{"type":"hello","protocol":1}`,
		`{"type":"event","payload":{},"key":"k","trigger":"a.b","occurred_at":"2026-01-31T09:30:00+02:00"}`,
		`{"type":"cursor","cursor":null}`,
		`{"type":"checkpoint"}`,
		`{"type":"log","message":""}`,
		`{"type":"next","after_seconds":0.1}`,
		`{"type":"error","message":"no disk"}`,
	} {
		require.NoError(t, valid(s.message, line), line)
	}
	for _, line := range []string{
		`{}`, `[]`, `{"type":"evnt"}`,
		`{"type":"hello","protocol":2}`,
		`{"type":"event"}`, `{"type":"event","payload":[]}`, `{"type":"event","payload":{},"key":""}`, `{"type":"event","payload":{},"key":7}`,
		`{"type":"event","payload":{},"occurred_at":"yesterday"}`, `{"type":"event","payload":{},"id":1}`,
		`{"type":"cursor"}`, `{"type":"cursor","value":1}`,
		`{"type":"log","level":"fatal","message":""}`,
		`{"type":"skip"}`,
		`{"type":"next","after_seconds":-1}`, `{"type":"next"}`,
		`{"type":"more","events":1}`, `{"type":"done","cursor":1}`, `{"type":"error"}`,
	} {
		require.Error(t, valid(s.message, line), line)
	}

	marshal := func(changes object) string {
		line, err := json.Marshal(request(changes))
		require.NoError(t, err)
		return string(line)
	}
	require.NoError(t, valid(s.request, marshal(object{"in_a_later_version": true})))
	for _, changes := range []object{
		{"protocol": 2}, {"config": nil}, {"triggers": nil}, {"triggers": []string{}}, {"deadline": nil}, {"timeout_seconds": 0},
		{"deadline": "2026-01-31T09:30:00Z"}, {"mode": "stream"}, {"mode": "burst"}, {"secrets": object{"A": 1}}, {"limits": object{}},
	} {
		require.Error(t, valid(s.request, marshal(changes)), changes)
	}
}

// The page's examples are what it says that they are.
func TestThePagesExamplesAreOfTheSchemas(t *testing.T) {
	t.Parallel()
	s := compileSchemas(t)
	page := readFile(t, "../../../docs/sensor-protocol.md")
	_, block, _ := strings.Cut(page, "```json\n")
	block, _, _ = strings.Cut(block, "```")
	var line bytes.Buffer
	require.NoError(t, json.Compact(&line, []byte(block)))
	s.check(t, s.request, line.Bytes())

	messages := 0
	for _, row := range strings.Split(page, "\n") {
		cell, rest, _ := strings.Cut(strings.TrimPrefix(row, "| `"), "` |")
		text, found := strings.CutPrefix(row, "fd 3    ")
		switch {
		case found:
		case strings.HasPrefix(cell, `{"type":`) && rest != "":
			text = strings.ReplaceAll(cell, "...", "1")
			text = strings.ReplaceAll(strings.ReplaceAll(text, "{1}", "{}"), `"1"`, `"x"`)
		default:
			continue
		}
		messages++
		s.check(t, s.message, []byte(text))
	}
	require.Greater(t, messages, 12)
}
