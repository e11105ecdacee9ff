// Package messaging carries events and enforcements to RabbitMQ: the envelope and payloads of every message of the
// platform, the exchange and queues, a publisher whose nil means that the broker has each message, and a watcher that
// reads along without taking anything from anyone.
package messaging

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
)

// Version is the version of the envelope that this package writes. Another minor version may add fields, which readers
// ignore; another major version is another envelope.
const Version = "1.0"

// MessageType names what a message says, as the envelope and the AMQP property `type` do.
type MessageType string

// The message types of the platform. This package publishes the first two.
const (
	TypeEventCreated           MessageType = "EventCreated"
	TypeEnforcementCreated     MessageType = "EnforcementCreated"
	TypeExecutionRequested     MessageType = "ExecutionRequested"
	TypeExecutionStatusChanged MessageType = "ExecutionStatusChanged"
	TypeExecutionCompleted     MessageType = "ExecutionCompleted"
	TypeInquiryCreated         MessageType = "InquiryCreated"
	TypeInquiryResponded       MessageType = "InquiryResponded"
	TypeNotificationCreated    MessageType = "NotificationCreated"
)

// Envelope is what every message of the platform looks like, around a payload of type P.
type Envelope[P any] struct {
	// Identity of the message: the same each time that it is sent, so that a consumer recognizes a repetition.
	MessageID uuid.UUID `json:"message_id"`
	// Identity of the EventCreated message from which this message follows; its own if it is that message.
	CorrelationID uuid.UUID `json:"correlation_id"`
	// What the message says, and so which payload it has.
	MessageType MessageType `json:"message_type"`
	// Version of the envelope, major.minor.
	Version string `json:"version"`
	// When what the message tells of happened, RFC 3339 in UTC.
	Timestamp time.Time `json:"timestamp"`
	// About the sending of the message.
	Headers Headers `json:"headers"`
	// What the message says in detail.
	Payload P `json:"payload"`
}

// Headers are the part of an envelope that is about its sending.
type Headers struct {
	// The service that sent the message.
	SourceService string `json:"source_service"`
	// How often a consumer has put the message back to try again; 0 as published.
	RetryCount int `json:"retry_count"`
	// Trace that the message belongs to, if there is one.
	TraceID string `json:"trace_id,omitempty"`
}

// Message is an envelope whose payload is not decoded yet.
type Message = Envelope[json.RawMessage]

// Encode returns the envelope as it goes over the wire. JSON inside the payload keeps its numbers, strings and order of
// keys to the letter; only white space between tokens goes.
func (e Envelope[P]) Encode() ([]byte, error) {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	// The default would rewrite <, > and & inside of payloads.
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(e); err != nil {
		return nil, fmt.Errorf("encoding %s %s: %w", e.MessageType, e.MessageID, err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// Decode reads the body of a message. It refuses what is no envelope of a version that this package knows, and says
// which field is wrong. It accepts message types that it does not know and ignores unknown fields.
func Decode(body []byte) (Message, error) {
	var m Message
	if err := json.Unmarshal(body, &m); err != nil {
		return Message{}, fmt.Errorf("decoding envelope: %w", err)
	}
	if err := checkEnvelope(m); err != nil {
		return Message{}, fmt.Errorf("decoding envelope: %w", err)
	}
	return m, nil
}

func checkEnvelope(m Message) error {
	switch {
	case m.MessageID == uuid.Nil:
		return errors.New("message_id is missing")
	case m.CorrelationID == uuid.Nil:
		return errors.New("correlation_id is missing")
	case m.MessageType == "":
		return errors.New("message_type is missing")
	case !strings.HasPrefix(m.Version, "1."):
		return fmt.Errorf("version %q is not known: want 1.x", m.Version)
	case m.Timestamp.IsZero():
		return errors.New("timestamp is missing")
	case len(m.Payload) == 0 || m.Payload[0] != '{':
		return errors.New("payload is not an object")
	}
	return nil
}

// DecodePayload reads the payload of a message of P's type.
func DecodePayload[P Payload](m Message) (P, error) {
	var p P
	if m.MessageType != p.MessageType() {
		return p, fmt.Errorf("message %s is %s, not %s", m.MessageID, m.MessageType, p.MessageType())
	}
	if err := json.Unmarshal(m.Payload, &p); err != nil {
		return p, fmt.Errorf("decoding payload of %s %s: %w", m.MessageType, m.MessageID, err)
	}
	return p, nil
}
