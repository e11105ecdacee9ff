package integration

import (
	"context"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/internal/sensor"
	"github.com/attune-automation/sensors/internal/store"
	"github.com/attune-automation/sensors/test/stack"
)

// What was stored before a sensor was removed becomes events all the same, whether a worker was up or not.
func TestARemovedSensorLosesNothing(t *testing.T) {
	t.Parallel()
	for name, workerIsUp := range map[string]bool{"with a worker": true, "before any worker": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := stack.New(t, nil)
			s.Apply(counter, "t.counter.last=0")
			if workerIsUp {
				s.StartWorker()
				s.Eventually(func(ctx context.Context) error {
					status, err := s.Fleet.Status(ctx, "t.counter")
					if err != nil {
						return err
					}
					return expect(status.Polls > 0, "status is %+v", status)
				})
			}
			turn, err := s.Store.Turn(t.Context(), "t.counter")
			require.NoError(t, err)
			part := sensor.Part{Cursor: []byte("2500")}
			for range 2500 {
				part.Items = append(part.Items, sensor.Item{Payload: []byte(`{"n": 1}`)})
			}
			_, err = s.Store.Append(t.Context(), turn, part)
			require.NoError(t, err)
			s.Apply(withoutSensor(counter))
			if !workerIsUp {
				ageBatches(t, s)
				s.StartWorker()
			}
			s.Eventually(func(ctx context.Context) error {
				events, err := s.Store.Events(ctx, store.EventFilter{SensorRef: "t.counter", Limit: 10_000})
				if err != nil {
					return err
				}
				return expect(len(events) == 2500, "%d events", len(events))
			})
			s.Eventually(func(ctx context.Context) error {
				pending, err := s.Store.Pending(ctx, "t.counter")
				if err != nil {
					return err
				}
				return expect(len(pending) == 0, "%d batches are unfinished", len(pending))
			})
		})
	}
}

// ageBatches makes all batches older than the manager waits before it looks after them.
func ageBatches(t *testing.T, s *stack.Stack) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), s.Config.Database.URL)
	require.NoError(t, err)
	defer conn.Close(context.Background())
	_, err = conn.Exec(t.Context(), "update attune.poll_batch set created = created - interval '2 minutes'")
	require.NoError(t, err)
}

// withoutSensor leaves the sensor's definition out of a pack.
func withoutSensor(text string) string {
	before, rest, _ := strings.Cut(text, "-- sensors/counter.yaml --")
	_, after, _ := strings.Cut(rest, "-- rules/even.yaml --")
	return before + "-- rules/even.yaml --" + after
}
