package main

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/internal/messaging"
	"github.com/attune-automation/sensors/internal/sensor"
	"github.com/attune-automation/sensors/internal/store"
)

// floor is a bare loop with the outcome of a sensor: the rows of a poll in one transaction, then their messages, all
// confirmed. It has no engine, no rules and no batches, and what dies with it is lost.
type floor struct {
	t        *trial
	conn     *pgx.Conn
	channel  *amqp.Channel
	exchange string
	payloads []string
	batch    int64 // the one that all its events belong to
	position int   // of the next event in it
	event    sensor.Event
	rule     sensor.Rule
}

// newFloor makes events and enforcements like the last ones of the system.
func (t *trial) newFloor(s *system, payloads []string) *floor {
	f := &floor{t: t, exchange: s.Config.MessageQueue.Exchange, payloads: payloads}
	var err error
	f.conn, err = pgx.Connect(t.ctx, s.Config.Database.URL)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, f.conn.Close(context.Background())) })
	broker, err := amqp.Dial(s.Config.MessageQueue.URL)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, broker.Close()) })
	f.channel, err = broker.Channel()
	require.NoError(t, err)
	require.NoError(t, f.channel.Confirm(false))

	events, err := s.Store.Events(t.ctx, store.EventFilter{Limit: 1})
	require.NoError(t, err)
	f.event = events[0]
	rules, err := s.Store.Ruleset(t.ctx, f.event.TriggerRef)
	require.NoError(t, err)
	f.rule = rules.Rules[0]
	err = f.conn.QueryRow(t.ctx, `
		insert into attune.poll_batch (trigger_ref, count, config, status) values (@trigger_ref, 1, @config, 'done')
		returning id`, pgx.NamedArgs{"trigger_ref": f.event.TriggerRef, "config": f.event.Config}).Scan(&f.batch)
	require.NoError(t, err)
	return f
}

// row is what the database decides of a row.
type row struct {
	ID      int64
	Created time.Time
}

func (f *floor) run(polls int) {
	for range polls {
		events, enforcements := f.write()
		f.publish(events, enforcements)
	}
}

func (f *floor) write() (events, enforcements []row) {
	err := pgx.BeginFunc(f.t.ctx, f.conn, func(tx pgx.Tx) (err error) {
		if events, err = f.insertEvents(tx); err != nil {
			return err
		}
		enforcements, err = f.insertEnforcements(tx, events)
		return err
	})
	require.NoError(f.t, err)
	f.position += len(events)
	return events, enforcements
}

func (f *floor) insertEvents(tx pgx.Tx) ([]row, error) {
	rows, err := tx.Query(f.t.ctx, `
		insert into attune.event (batch, position, trigger, trigger_ref, source, source_ref, config, payload)
		select @batch, @position + n, @trigger, @trigger_ref, @source, @source_ref, @config, payload::jsonb
		from unnest(@payloads::text[]) with ordinality as p (payload, n)
		returning id, created`,
		pgx.NamedArgs{
			"batch": f.batch, "position": f.position, "trigger": f.event.TriggerID, "trigger_ref": f.event.TriggerRef,
			"source": f.event.SensorID, "source_ref": f.event.SensorRef, "config": f.event.Config, "payloads": f.payloads,
		})
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[row])
}

func (f *floor) insertEnforcements(tx pgx.Tx, events []row) ([]row, error) {
	ids := make([]int64, len(events))
	for i, e := range events {
		ids[i] = e.ID
	}
	rows, err := tx.Query(f.t.ctx, `
		insert into attune.enforcement (rule, rule_ref, rule_version, trigger_ref, config, event, payload, condition, conditions)
		select @rule, @rule_ref, 1, @trigger_ref, jsonb_build_object('action', @action::text, 'params', @params::jsonb),
			event, payload::jsonb, @condition, @conditions
		from unnest(@events::bigint[], @payloads::text[]) as e (event, payload)
		returning id, created`,
		pgx.NamedArgs{
			"rule": f.rule.ID, "rule_ref": f.rule.Ref, "trigger_ref": f.event.TriggerRef, "action": f.rule.ActionRef,
			"params": f.rule.ActionParams, "condition": f.rule.Condition, "conditions": f.rule.Conditions,
			"events": ids, "payloads": f.payloads,
		})
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[row])
}

// publish sends all messages of a poll and then waits for their confirms.
func (f *floor) publish(events, enforcements []row) {
	var confirms []*amqp.DeferredConfirmation
	for i, r := range events {
		e := f.event
		e.ID, e.Created, e.Payload = r.ID, r.Created, []byte(f.payloads[i])
		m := messaging.NewEventCreated(messaging.DefaultAppID, e)
		body, err := m.Encode()
		require.NoError(f.t, err)
		confirms = append(confirms, f.send(messaging.KeyEventCreated, m.MessageID, m.CorrelationID, m.MessageType, r.Created, body))
	}
	for i, r := range enforcements {
		m := messaging.NewEnforcementCreated(messaging.DefaultAppID, sensor.Enforcement{
			ID: r.ID, RuleID: f.rule.ID, RuleRef: f.rule.Ref, EventID: events[i].ID, EventCreated: events[i].Created,
			TriggerRef: f.event.TriggerRef, Payload: []byte(f.payloads[i]), Created: r.Created,
		})
		body, err := m.Encode()
		require.NoError(f.t, err)
		confirms = append(confirms, f.send(messaging.KeyEnforcementCreated, m.MessageID, m.CorrelationID, m.MessageType, r.Created, body))
	}
	for _, confirm := range confirms {
		acked, err := confirm.WaitContext(f.t.ctx)
		require.NoError(f.t, err)
		require.True(f.t, acked)
	}
}

// send publishes a message with the properties that the worker gives it.
func (f *floor) send(
	key string, id, correlation uuid.UUID, messageType messaging.MessageType, created time.Time, body []byte,
) *amqp.DeferredConfirmation {
	confirm, err := f.channel.PublishWithDeferredConfirm(f.exchange, key, true, false, amqp.Publishing{
		MessageId:     id.String(),
		CorrelationId: correlation.String(),
		Type:          string(messageType),
		Timestamp:     created,
		ContentType:   "application/json",
		AppId:         messaging.DefaultAppID,
		DeliveryMode:  amqp.Persistent,
		Headers: amqp.Table{
			"ce-specversion": "1.0",
			"ce-id":          id.String(),
			"ce-type":        "attune." + key,
			"ce-source":      "/sensors/" + f.event.SensorRef,
			"ce-subject":     f.event.TriggerRef,
			"ce-time":        created.UTC().Format(time.RFC3339Nano),
		},
		Body: body,
	})
	require.NoError(f.t, err)
	return confirm
}
