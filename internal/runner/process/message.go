package process

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
)

// message is one line on fd 3.
type message struct {
	Type         string          `json:"type"`
	Protocol     *int            `json:"protocol"`
	SDK          string          `json:"sdk"`
	Payload      json.RawMessage `json:"payload"`
	Key          *string         `json:"key"`
	Trigger      *string         `json:"trigger"`
	OccurredAt   *string         `json:"occurred_at"`
	Cursor       json.RawMessage `json:"cursor"`
	Level        string          `json:"level"`
	Message      string          `json:"message"`
	Reason       string          `json:"reason"`
	AfterSeconds *float64        `json:"after_seconds"`
	Traceback    string          `json:"traceback"`
}

// eventPrefix is how the SDKs begin an event that has nothing but its payload.
const eventPrefix = `{"type":"event","payload":`

// parseMessage reads a line of fd 3. Payload and Cursor are the line's own bytes, not checked any further than that
// they are JSON. The error, about the line, names what is wrong and is not to be shown without a mask.
func parseMessage(line []byte) (message, error) {
	if payload, ok := bytes.CutPrefix(line, []byte(eventPrefix)); ok {
		if payload, ok := bytes.CutSuffix(payload, []byte("}")); ok && isJSON(payload) {
			return message{Type: "event", Payload: bytes.Trim(payload, " \t\r\n")}, nil
		}
	}
	var m message
	decoder := json.NewDecoder(bytes.NewReader(line))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&m); err != nil {
		return m, fmt.Errorf("not a message of the protocol (%s)", strings.TrimPrefix(err.Error(), "json: "))
	}
	if _, err := decoder.Token(); err != io.EOF {
		return m, fmt.Errorf("more than one JSON object in a line")
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

func orNull(text json.RawMessage) json.RawMessage {
	if len(text) == 0 {
		return json.RawMessage("null")
	}
	return text
}
