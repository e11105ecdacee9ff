package process

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// message is one line on fd 3. Which fields it may have goes by its type.
type message struct {
	Type         string
	Protocol     *int
	SDK          string
	Payload      json.RawMessage
	Key          json.RawMessage // not decoded: that would make different texts the same
	Trigger      *string
	OccurredAt   *string
	Cursor       json.RawMessage
	Level        string
	Message      string
	Reason       string
	AfterSeconds *float64
	Traceback    string
}

// fields returns the names of what a message of a type may have besides it, and which of them must be there; false: there
// is no such type. What else must be there, the collector says with more words.
func fields(kind string) (allowed []string, required string, ok bool) {
	switch kind {
	case "hello":
		return []string{"protocol", "sdk"}, "", true
	case "event":
		return []string{"payload", "key", "trigger", "occurred_at"}, "", true
	case "cursor", "checkpoint":
		return []string{"cursor"}, "", true
	case "log":
		return []string{"level", "message"}, "message", true
	case "skip":
		return []string{"reason"}, "reason", true
	case "next":
		return []string{"after_seconds"}, "", true
	case "error":
		return []string{"message", "traceback"}, "message", true
	case "more", "done":
		return nil, "", true
	}
	return nil, "", false
}

// set sets a field from its text.
func (m *message) set(name string, text json.RawMessage) error {
	var field any
	switch name {
	case "payload":
		m.Payload = text
		return nil
	case "cursor":
		m.Cursor = text
		return nil
	case "key":
		if !isNull(text) {
			m.Key = text
		}
		return nil
	case "protocol":
		field = &m.Protocol
	case "sdk":
		field = &m.SDK
	case "trigger":
		field = &m.Trigger
	case "occurred_at":
		field = &m.OccurredAt
	case "level":
		field = &m.Level
	case "message":
		field = &m.Message
	case "reason":
		field = &m.Reason
	case "after_seconds":
		field = &m.AfterSeconds
	case "traceback":
		field = &m.Traceback
	}
	return json.Unmarshal(text, field)
}

// eventPrefix is how the SDKs begin an event that has nothing but its payload.
const eventPrefix = `{"type":"event","payload":`

// parseMessage reads a line of fd 3. Payload, Key and Cursor are the line's own bytes, not checked any further than that
// they are JSON. The error, about the line, names what is wrong and is not to be shown without a mask.
func parseMessage(line []byte) (message, error) {
	if payload, ok := bytes.CutPrefix(line, []byte(eventPrefix)); ok {
		if payload, ok := bytes.CutSuffix(payload, []byte("}")); ok && isJSON(payload) {
			return message{Type: "event", Payload: bytes.Trim(payload, " \t\r\n")}, nil
		}
	}
	return parseFields(line)
}

func parseFields(line []byte) (m message, err error) {
	var found map[string]json.RawMessage
	decoder := json.NewDecoder(bytes.NewReader(line))
	if err := decoder.Decode(&found); err != nil {
		if _, other := errors.AsType[*json.UnmarshalTypeError](err); other {
			return m, errors.New("not a message of the protocol (it is not a JSON object)")
		}
		return m, fmt.Errorf("not a message of the protocol (%w)", err)
	}
	if _, err := decoder.Token(); err != io.EOF {
		return m, errors.New("more than one JSON object in a line")
	}
	text, ok := found["type"]
	if !ok || json.Unmarshal(text, &m.Type) != nil {
		return m, errors.New("a message without a `type`, or with one that is not a string")
	}
	delete(found, "type")
	allowed, required, ok := fields(m.Type)
	if !ok {
		return m, fmt.Errorf("a message of type %q: there are hello, event, cursor, checkpoint, log, skip, next, more, done and error", m.Type)
	}
	for _, name := range slices.Sorted(maps.Keys(found)) {
		if !slices.Contains(allowed, name) {
			return m, fmt.Errorf("a message of type %s with an unknown field %q: it has %s", m.Type, name, strings.Join(append([]string{"type"}, allowed...), ", "))
		}
		if err := m.set(name, found[name]); err != nil {
			return m, fmt.Errorf("a message of type %s whose `%s` is of another type than it has to be", m.Type, name)
		}
	}
	if _, ok := found[required]; required != "" && !ok {
		return m, fmt.Errorf("a message of type %s without `%s`", m.Type, required)
	}
	return m, nil
}

// isJSON says whether text is one JSON value. Deeper nesting than Go reads counts as JSON: what stores the payload
// refuses it, alone, where a fault would lose the whole poll.
func isJSON(text []byte) bool {
	if json.Valid(text) {
		return true
	}
	var raw json.RawMessage
	err := json.Unmarshal(text, &raw)
	return err != nil && strings.Contains(err.Error(), "exceeded max depth")
}

func isObject(text []byte) bool {
	return bytes.HasPrefix(bytes.TrimLeft(text, " \t\r\n"), []byte("{"))
}

// sameJSON says whether two texts differ in white space at most; no text is JSON's null.
func sameJSON(a, b json.RawMessage) bool {
	var x, y bytes.Buffer
	return json.Compact(&x, orNull(a)) == nil && json.Compact(&y, orNull(b)) == nil && bytes.Equal(x.Bytes(), y.Bytes())
}

func isNull(text json.RawMessage) bool { return string(bytes.TrimSpace(text)) == "null" }

func orNull(text json.RawMessage) json.RawMessage {
	if len(text) == 0 {
		return json.RawMessage("null")
	}
	return text
}
