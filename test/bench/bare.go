package main

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/internal/intake"
	"github.com/attune-automation/sensors/internal/messaging"
	"github.com/attune-automation/sensors/internal/sensor"
)

// bare is a webhook without engine, rules and batches: for each request it stores a row, by group commit, and publishes a
// message, confirmed, and then answers. What dies between the two is lost.
type bare struct {
	t     *trial
	db    *pgxpool.Pool
	inbox *intake.Intake

	mu    sync.Mutex
	floor floor // for its messages
}

// bareHandler starts a bare handler and returns its address.
func (t *trial) bareHandler(s *system) string {
	b := &bare{t: t, floor: floor{
		t: t, exchange: s.Config.MessageQueue.Exchange, event: sensor.Event{SensorRef: "b.hook", TriggerRef: "b.push"},
	}}
	var err error
	b.db, err = pgxpool.New(t.ctx, s.Config.Database.URL)
	require.NoError(t, err)
	t.Cleanup(b.db.Close)
	_, err = b.db.Exec(t.ctx, `create table bare (id uuid primary key, payload jsonb not null, created timestamptz not null default now())`)
	require.NoError(t, err)
	b.inbox, err = intake.New(intake.Config{Store: b})
	require.NoError(t, err)
	t.Cleanup(b.inbox.Close)
	broker, err := amqp.Dial(s.Config.MessageQueue.URL)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, broker.Close()) })
	b.floor.channel, err = broker.Channel()
	require.NoError(t, err)
	require.NoError(t, b.floor.channel.Confirm(false))
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	server := &http.Server{Handler: b, ReadHeaderTimeout: time.Minute}
	go func() { _ = server.Serve(listener) }() // ends with the trial
	t.Cleanup(func() { require.NoError(t, server.Close()) })
	return listener.Addr().String()
}

// InsertDeliveries writes a row for each request.
func (b *bare) InsertDeliveries(ctx context.Context, deliveries []sensor.Delivery) ([]sensor.Receipt, error) {
	ids, payloads := make([]string, len(deliveries)), make([]string, len(deliveries))
	receipts := make([]sensor.Receipt, len(deliveries))
	for i, d := range deliveries {
		ids[i], payloads[i], receipts[i].ID = d.ID, string(d.Payload), d.ID
	}
	_, err := b.db.Exec(ctx, `insert into bare (id, payload) select * from unnest(@ids::uuid[], @payloads::jsonb[])`,
		pgx.NamedArgs{"ids": ids, "payloads": payloads})
	return receipts, err
}

func (b *bare) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil || !json.Valid(body) {
		http.Error(w, "no JSON", http.StatusBadRequest)
		return
	}
	id, err := uuid.NewV7()
	if err == nil {
		_, _, err = b.inbox.Accept(r.Context(), sensor.Delivery{ID: id.String(), Payload: body})
	}
	if err == nil {
		err = b.publish(r.Context(), id, body)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusAccepted)
	_, _ = w.Write([]byte(`{"delivery_id": "` + id.String() + `"}`)) // the sender may be gone
}

// publish sends the message that an enforcement of the request would have, and waits until the broker has it.
func (b *bare) publish(ctx context.Context, id uuid.UUID, body []byte) error {
	now := time.Now().UTC()
	message := messaging.NewEnforcementCreated(messaging.DefaultAppID, sensor.Enforcement{
		ID: 1, RuleID: 1, RuleRef: "b.rule7", EventID: 1, EventCreated: now, TriggerRef: "b.push", Payload: body, Created: now,
	})
	encoded, err := message.Encode()
	if err != nil {
		return err
	}
	b.mu.Lock()
	confirm := b.floor.send(messaging.KeyEnforcementCreated, id, id, message.MessageType, now, encoded)
	b.mu.Unlock()
	_, err = confirm.WaitContext(ctx)
	return err
}
