package messaging

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestEncodeKeepsPayloads(t *testing.T) {
	t.Parallel()
	e := events(1, 1)[0]
	for _, raw := range []string{
		`{"b":1,"a":[1.0,1e2,-0,123456789012345678901234567890]}`,
		`{"html":"<a href=\"x\">&</a>","line":"\u2028"}`,
		`"ü \u00fc \ud83d\ude00 😀"`,
		`null`, `17`, `[]`,
	} {
		e.Payload = json.RawMessage(raw)
		body, err := NewEventCreated("s", e).Encode()
		require.NoError(t, err)
		require.Contains(t, string(body), `"payload":`+raw+`,"config"`)
		again, err := NewEventCreated("s", e).Encode()
		require.NoError(t, err)
		require.Equal(t, body, again, "a row makes the same message each time")
	}
}

func TestEncodeOmitsTraceIDUnlessSet(t *testing.T) {
	t.Parallel()
	m := NewEventCreated("s", events(1, 1)[0])
	body, err := m.Encode()
	require.NoError(t, err)
	require.Contains(t, string(body), `"headers":{"source_service":"s","retry_count":0}`)
	m.Headers.TraceID = "0af7651916cd43dd8448eb211c80319c"
	body, err = m.Encode()
	require.NoError(t, err)
	require.Contains(t, string(body), `"trace_id":"0af7651916cd43dd8448eb211c80319c"`)
}

func TestCorrelation(t *testing.T) {
	t.Parallel()
	event, enforcement := NewEventCreated("s", events(7, 1)[0]), NewEnforcementCreated("s", enforcements(7, 1)[0])
	require.Equal(t, event.MessageID, event.CorrelationID)
	require.Equal(t, event.MessageID, enforcement.CorrelationID)
	require.NotEqual(t, event.MessageID, enforcement.MessageID)
}

func TestDecode(t *testing.T) {
	t.Parallel()
	body, err := NewEnforcementCreated("s", enforcements(7, 1)[0]).Encode()
	require.NoError(t, err)
	m, err := Decode(body)
	require.NoError(t, err)
	payload, err := DecodePayload[EnforcementCreated](m)
	require.NoError(t, err)
	require.Equal(t, "examples.big_commit", payload.RuleRef)
	_, err = DecodePayload[EventCreated](m)
	require.EqualError(t, err, "message "+m.MessageID.String()+" is EnforcementCreated, not EventCreated")
	m.Payload = json.RawMessage(`{"enforcement_id":"seven"}`)
	_, err = DecodePayload[EnforcementCreated](m)
	require.ErrorContains(t, err, "enforcement_id")
}

func TestDecodeRefuses(t *testing.T) {
	t.Parallel()
	valid, err := NewEventCreated("s", events(7, 1)[0]).Encode()
	require.NoError(t, err)
	for name, test := range map[string]struct {
		change func(map[string]any)
		want   string
	}{
		"no message_id":      {func(m map[string]any) { delete(m, "message_id") }, "message_id is missing"},
		"bad message_id":     {func(m map[string]any) { m["message_id"] = "x" }, "invalid UUID"},
		"no correlation_id":  {func(m map[string]any) { delete(m, "correlation_id") }, "correlation_id is missing"},
		"no type":            {func(m map[string]any) { m["message_type"] = "" }, "message_type is missing"},
		"other version":      {func(m map[string]any) { m["version"] = "2.0" }, `version "2.0" is not known: want 1.x`},
		"no timestamp":       {func(m map[string]any) { delete(m, "timestamp") }, "timestamp is missing"},
		"bad timestamp":      {func(m map[string]any) { m["timestamp"] = "yesterday" }, "yesterday"},
		"no payload":         {func(m map[string]any) { delete(m, "payload") }, "payload is not an object"},
		"payload is a list":  {func(m map[string]any) { m["payload"] = []int{1} }, "payload is not an object"},
		"payload is null":    {func(m map[string]any) { m["payload"] = nil }, "payload is not an object"},
		"headers are a list": {func(m map[string]any) { m["headers"] = []int{1} }, "headers"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var fields map[string]any
			require.NoError(t, json.Unmarshal(valid, &fields))
			test.change(fields)
			body, err := json.Marshal(fields)
			require.NoError(t, err)
			_, err = Decode(body)
			require.ErrorContains(t, err, test.want)
		})
	}
	for _, body := range []string{"", "null", "[]", "{", string(valid) + "x", `"` + strings.Repeat("[", 20000)} {
		_, err := Decode([]byte(body))
		require.Error(t, err)
	}
}

func TestDecodeAcceptsWhatComesLater(t *testing.T) {
	t.Parallel()
	_, err := Decode([]byte(`{"message_id":"5f0c0b6e-7c51-5d3c-8a55-3f9d1f5f1b10","correlation_id":"5f0c0b6e-7c51-5d3c-8a55-3f9d1f5f1b10",
		"message_type":"SomethingNew","version":"1.7","timestamp":"2026-03-14T15:09:26Z","more":1,
		"headers":{"other":2},"payload":{}}`))
	require.NoError(t, err)
}

// FuzzDecode: nothing that comes from the broker makes Decode panic, and what it accepts survives a round trip.
func FuzzDecode(f *testing.F) {
	for _, body := range [][]byte{
		[]byte(`{"message_id":"","version":"1.0","payload":{}}`),
		[]byte(`{"message_id":"5f0c0b6e-7c51-5d3c-8a55-3f9d1f5f1b10","correlation_id":"5f0c0b6e-7c51-5d3c-8a55-3f9d1f5f1b10",
			"message_type":"E","version":"1.0","timestamp":"2026-03-14T15:09:26+23:59","headers":null,"payload": {"a" : 1e999}}`),
	} {
		f.Add(body)
	}
	event, err := NewEventCreated("s", events(1, 1)[0]).Encode()
	require.NoError(f, err)
	f.Add(event)
	enforcement, err := NewEnforcementCreated("s", enforcements(1, 1)[0]).Encode()
	require.NoError(f, err)
	f.Add(enforcement)
	f.Fuzz(func(t *testing.T, body []byte) {
		m, err := Decode(body)
		if err != nil {
			require.Equal(t, Message{}, m)
			return
		}
		_, _ = DecodePayload[EventCreated](m)
		_, _ = DecodePayload[EnforcementCreated](m)
		encoded, err := m.Encode()
		require.NoError(t, err)
		again, err := Decode(encoded)
		require.NoError(t, err)
		require.True(t, m.Timestamp.Equal(again.Timestamp))
		repeated, err := again.Encode()
		require.NoError(t, err)
		require.Equal(t, string(encoded), string(repeated))
	})
}
