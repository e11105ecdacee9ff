package main

import (
	"encoding/json"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/internal/messaging"
)

// receiveMatches begins to take the messages of enforcements. What it returns waits for those of all requests that were
// sent, and returns the seconds from each request to its message.
func (t *trial) receiveMatches(s *system) func(sent map[int64]time.Time) (took []float64) {
	conn, err := amqp.Dial(s.Config.MessageQueue.URL)
	require.NoError(t, err)
	channel, err := conn.Channel()
	require.NoError(t, err)
	require.NoError(t, channel.Qos(1000, 0, false))
	messages, err := channel.Consume(s.Config.MessageQueue.EnforcementsQueue, "", false, false, false, false, nil)
	require.NoError(t, err)
	type arrival struct {
		n  int64
		at time.Time
	}
	arrivals := make(chan arrival, 100_000)
	go func() {
		defer close(arrivals)
		for m := range messages {
			at := time.Now()
			n, err := requestOf(m.Body)
			if err != nil {
				t.Errorf("reading a message: %w", err)
				return
			}
			_ = m.Ack(false) // it would come again, and be counted once
			arrivals <- arrival{n, at}
		}
	}()
	return func(sent map[int64]time.Time) (took []float64) {
		defer conn.Close()
		for seen := map[int64]bool{}; len(took) < len(sent); {
			select {
			case a, ok := <-arrivals:
				require.True(t, ok, "the broker ended the connection")
				if at, known := sent[a.n]; known && !seen[a.n] {
					seen[a.n] = true
					took = append(took, a.at.Sub(at).Seconds())
				}
			case <-t.ctx.Done():
				require.NoError(t, t.ctx.Err())
			}
		}
		return took
	}
}

// requestOf returns the number of the request that a message comes from.
func requestOf(body []byte) (int64, error) {
	message, err := messaging.Decode(body)
	if err != nil {
		return 0, err
	}
	enforcement, err := messaging.DecodePayload[messaging.EnforcementCreated](message)
	if err != nil {
		return 0, err
	}
	var payload struct {
		Body struct {
			N int64 `json:"n"`
		} `json:"body"`
	}
	return payload.Body.N, json.Unmarshal(enforcement.Payload, &payload)
}
