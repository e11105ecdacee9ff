package integration

import (
	"context"
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/internal/messaging"
	"github.com/attune-automation/sensors/internal/sensor"
	"github.com/attune-automation/sensors/internal/store"
	"github.com/attune-automation/sensors/test/stack"
)

// alerts is a pack of a trigger that no sensor watches for.
const alerts = `
-- pack.yaml --
ref: t
-- triggers/alert.yaml --
ref: t.alert
out_schema: {type: object, required: [level], properties: {level: {enum: [low, high]}}}
-- rules/high.yaml --
ref: t.high
trigger: t.alert
conditions:
  - {field: level, operator: equals, value: high}
action: {ref: core.page}
`

func alert(payload string) sensor.SystemEvent {
	return sensor.SystemEvent{TriggerRef: "t.alert", Payload: json.RawMessage(payload)}
}

func TestAnEmittedEventTakesTheSameWay(t *testing.T) {
	t.Parallel()
	s := stack.New(t, nil)
	messages := s.Watch()
	s.Apply(alerts)
	s.StartWorker()
	ctx := t.Context()

	id, err := s.Store.StoreSystemEvent(ctx, alert(`{"level": "high"}`))
	require.NoError(t, err)
	result, err := s.Fleet.Emit(ctx, id)
	require.NoError(t, err)
	require.Equal(t, 1, result.Enforcements)
	require.Empty(t, result.Refused)
	event, err := s.Store.Event(ctx, result.EventID)
	require.NoError(t, err)
	require.JSONEq(t, `{"level": "high"}`, string(event.Payload))
	require.JSONEq(t, `{"trigger": {"ref": "t.alert", "label": "t.alert"}, "sensor": null}`, string(event.Config))
	require.Empty(t, event.SensorRef)
	s.Sound(messages)
	for _, d := range messages.All() {
		if d.Message.MessageType == messaging.TypeEventCreated {
			payload, err := messaging.DecodePayload[messaging.EventCreated](d.Message)
			require.NoError(t, err)
			require.Nil(t, payload.SensorRef)
			require.Nil(t, payload.SensorID)
		}
	}

	// What its trigger's schema refuses is kept with the reason.
	id, err = s.Store.StoreSystemEvent(ctx, alert(`{"level": "middling"}`))
	require.NoError(t, err)
	result, err = s.Fleet.Emit(ctx, id)
	require.NoError(t, err)
	require.Zero(t, result.EventID)
	require.Contains(t, result.Refused, "level")
	refused, err := s.Store.Rejected(ctx, store.RejectedFilter{TriggerRef: "t.alert"})
	require.NoError(t, err)
	require.Len(t, refused, 1)
	require.Equal(t, `{"level": "middling"}`, string(refused[0].Raw))
	require.Equal(t, result.Refused, refused[0].Reason)

	// The same key is the same event, however often it is stored and emitted.
	once := alert(`{"level": "low"}`)
	once.DedupeKey = "incident 7"
	var events []int64
	for range 2 {
		id, err := s.Store.StoreSystemEvent(ctx, once)
		require.NoError(t, err)
		result, err := s.Fleet.Emit(ctx, id)
		require.NoError(t, err)
		require.Zero(t, result.Enforcements)
		events = append(events, result.EventID)
	}
	require.Equal(t, events[0], events[1])
	require.EqualValues(t, 2, s.Sound(messages).Events)
}

// Who stored an event and vanished before it was emitted has it emitted all the same.
func TestTheManagerEmitsWhatNobodyFinished(t *testing.T) {
	t.Parallel()
	s := stack.New(t, nil)
	messages := s.Watch()
	s.Apply(alerts)
	_, err := s.Store.StoreSystemEvent(t.Context(), alert(`{"level": "high"}`))
	require.NoError(t, err)
	_, err = connect(t, s).Exec(t.Context(), "update attune.poll_batch set created = now() - interval '2 minutes'")
	require.NoError(t, err)
	s.StartWorker()
	s.Eventually(func(ctx context.Context) error {
		found, err := s.Store.Enforcements(ctx, store.EnforcementFilter{RuleRef: "t.high"})
		if err != nil {
			return err
		}
		return expect(len(found) == 1, "there are %d enforcements", len(found))
	})
	s.Sound(messages)
}
