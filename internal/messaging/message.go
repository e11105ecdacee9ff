package messaging

import (
	"fmt"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/attune-automation/sensors/internal/sensor"
)

// Routing keys of the messages that this package publishes.
const (
	KeyEventCreated       = "event.created"
	KeyEnforcementCreated = "enforcement.created"
)

// NewEventCreated returns the message that tells of an event. The same row makes the same message each time.
func NewEventCreated(service string, e sensor.Event) Envelope[EventCreated] {
	id := EventMessageID(e.ID, e.Created)
	payload := EventCreated{
		EventID:    e.ID,
		TriggerID:  e.TriggerID,
		TriggerRef: e.TriggerRef,
		SensorID:   e.SensorID,
		Payload:    e.Payload,
		Config:     e.Config,
		OccurredAt: e.OccurredAt,
	}
	if e.SensorRef != "" {
		payload.SensorRef = &e.SensorRef
	}
	return Envelope[EventCreated]{
		MessageID:     id,
		CorrelationID: id,
		MessageType:   TypeEventCreated,
		Version:       Version,
		Timestamp:     e.Created.UTC(),
		Headers:       Headers{SourceService: service},
		Payload:       payload,
	}
}

// NewEnforcementCreated returns the message that tells of an enforcement. The same row makes the same message each time.
func NewEnforcementCreated(service string, e sensor.Enforcement) Envelope[EnforcementCreated] {
	return Envelope[EnforcementCreated]{
		MessageID:     EnforcementMessageID(e.ID, e.Created),
		CorrelationID: EventMessageID(e.EventID, e.EventCreated),
		MessageType:   TypeEnforcementCreated,
		Version:       Version,
		Timestamp:     e.Created.UTC(),
		Headers:       Headers{SourceService: service},
		Payload: EnforcementCreated{
			EnforcementID: e.ID,
			RuleID:        e.RuleID,
			RuleRef:       e.RuleRef,
			RuleVersion:   e.RuleVersion,
			EventID:       e.EventID,
			TriggerRef:    e.TriggerRef,
			Config:        e.Config,
			Payload:       e.Payload,
			ReplayID:      e.Replay,
			ReplayedFrom:  e.ReplayedFrom,
		},
	}
}

// message is what goes to the exchange for one row.
type message struct {
	key        string
	publishing amqp.Publishing
}

func eventMessage(service string, e sensor.Event) (message, error) {
	source := "/triggers/" + e.TriggerRef
	if e.SensorRef != "" {
		source = "/sensors/" + e.SensorRef
	}
	m, err := newMessage(KeyEventCreated, source, e.TriggerRef, NewEventCreated(service, e))
	if err != nil {
		return message{}, fmt.Errorf("event %d: %w", e.ID, err)
	}
	return m, nil
}

func enforcementMessage(service string, e sensor.Enforcement) (message, error) {
	m, err := newMessage(KeyEnforcementCreated, "/rules/"+e.RuleRef, e.TriggerRef, NewEnforcementCreated(service, e))
	if err != nil {
		return message{}, fmt.Errorf("enforcement %d: %w", e.ID, err)
	}
	return m, nil
}

// newMessage wraps an envelope in AMQP properties and in the CloudEvents attributes source and subject.
func newMessage[P Payload](key, source, subject string, e Envelope[P]) (message, error) {
	body, err := e.Encode()
	if err != nil {
		return message{}, err
	}
	return message{
		key: key,
		publishing: amqp.Publishing{
			MessageId:     e.MessageID.String(),
			CorrelationId: e.CorrelationID.String(),
			Type:          string(e.MessageType),
			Timestamp:     e.Timestamp,
			ContentType:   "application/json",
			AppId:         e.Headers.SourceService,
			DeliveryMode:  amqp.Persistent,
			Headers: amqp.Table{
				"ce-specversion": "1.0",
				"ce-id":          e.MessageID.String(),
				"ce-type":        "attune." + key,
				"ce-source":      source,
				"ce-subject":     subject,
				"ce-time":        e.Timestamp.Format(time.RFC3339Nano),
			},
			Body: body,
		},
	}, nil
}
