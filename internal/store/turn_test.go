package store_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/internal/sensor"
)

func TestTurn(t *testing.T) {
	t.Parallel()
	b := setup(t)

	turn, err := b.Turn(b.ctx, sensorRef)
	require.NoError(t, err)

	no := false
	require.Positive(t, turn.Sensor.ID)
	require.Positive(t, turn.Trigger.ID)
	turn.Sensor.ID, turn.Trigger.ID = 0, 0
	require.Equal(t, sensor.Turn{
		Sensor: sensor.Sensor{
			Ref: sensorRef, PackRef: "shop", PackDigest: digest, Label: "Orders", Description: "Watches orders.",
			Runtime: sensor.RuntimePython, Entrypoint: "sensors/orders.py", TriggerRef: triggerRef,
			TriggerRefs: []string{triggerRef}, Enabled: true, Mode: sensor.ModePoll,
			Config: json.RawMessage(`{"url": "http://shop"}`), Version: 1,
			PollInterval: 24*time.Hour + 90*time.Second, Timeout: 1500 * time.Millisecond, MaxRestartAttempts: 5,
			RestartOnError: &no,
		},
		Trigger: sensor.Trigger{
			Ref: triggerRef, PackRef: "shop", Label: "Order", Description: "An order came in.", Enabled: true,
			OutSchema: json.RawMessage(`{"type": "object"}`), Ruleset: 7,
		},
	}, turn)
}

func TestTurnOfUnknownSensor(t *testing.T) {
	t.Parallel()
	b := setup(t)

	_, err := b.Turn(b.ctx, "shop.nothing")

	require.ErrorIs(t, err, sensor.ErrNotFound)
	require.ErrorContains(t, err, `"shop.nothing"`)
}

func TestTurnSaysWhetherTheSensorIsToRun(t *testing.T) {
	t.Parallel()
	b := setup(t)
	active := func() bool {
		turn, err := b.Turn(b.ctx, sensorRef)
		require.NoError(t, err)
		return turn.Sensor.Active()
	}
	require.True(t, active())

	require.NoError(t, b.SetStopped(b.ctx, sensorRef, true))
	require.False(t, active())
	require.NoError(t, b.SetStopped(b.ctx, sensorRef, false))
	require.True(t, active())

	b.exec(t, `update attune.trigger set enabled = false`)
	require.False(t, active())
}

func TestTurnReturnsUnfinishedBatchesUntilTheyAreDone(t *testing.T) {
	t.Parallel()
	b := setup(t)
	stored := b.poll(t, `1`, `{"a": 1}`, `{}`)
	pending := func() []sensor.BatchHead {
		turn, err := b.Turn(b.ctx, sensorRef)
		require.NoError(t, err)
		return turn.Pending
	}
	want := []sensor.BatchHead{{ID: stored[0].ID, Count: 2}}

	require.Equal(t, want, pending())
	b.generate(t, stored[0].ID)
	require.Equal(t, want, pending())
	b.match(t, stored[0].ID)
	require.Equal(t, want, pending())
	b.finish(t, stored[0].ID)
	require.Empty(t, pending())
}

func TestCursor(t *testing.T) {
	t.Parallel()
	b := setup(t)
	check := func(wantCursor json.RawMessage, wantSeq int64) {
		t.Helper()
		cursor, seq, err := b.Cursor(b.ctx, sensorRef)
		require.NoError(t, err)
		require.Equal(t, wantCursor, cursor)
		require.Equal(t, wantSeq, seq)
	}
	check(nil, 0)

	require.NoError(t, b.SetCursor(b.ctx, sensorRef, json.RawMessage(`{"b":1,"a":[1e2,null]}`)))
	check(json.RawMessage(`{"a": [100, null], "b": 1}`), 1)
	require.NoError(t, b.SetCursor(b.ctx, sensorRef, json.RawMessage(`null`)))
	check(json.RawMessage(`null`), 2)
	require.NoError(t, b.SetCursor(b.ctx, sensorRef, nil))
	check(nil, 3)

	b.exec(t, `delete from attune.sensor`)
	check(nil, 3)
	require.ErrorIs(t, b.SetCursor(b.ctx, sensorRef, nil), sensor.ErrNotFound)
	require.ErrorIs(t, b.SetStopped(b.ctx, sensorRef, true), sensor.ErrNotFound)
	_, _, err := b.Cursor(b.ctx, "shop.nothing")
	require.ErrorIs(t, err, sensor.ErrNotFound)
}

func TestSetCursorRefusesWhatPostgreSQLCannotHold(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for name, payload := range refusedPayloads() {
		err := b.SetCursor(b.ctx, sensorRef, json.RawMessage(payload))
		require.ErrorIs(t, err, sensor.ErrRejectedPayload, name)
	}
	_, seq, err := b.Cursor(b.ctx, sensorRef)
	require.NoError(t, err)
	require.Zero(t, seq)
}

func TestSetCursorWaitsForTheBatchInHand(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.poll(t, `1`, `{}`)[0].ID

	require.ErrorIs(t, b.SetCursor(b.ctx, sensorRef, json.RawMessage(`5`)), sensor.ErrBatchInHand)
	b.generate(t, id)
	require.ErrorIs(t, b.SetCursor(b.ctx, sensorRef, json.RawMessage(`5`)), sensor.ErrBatchInHand)
	b.match(t, id)
	require.ErrorIs(t, b.SetCursor(b.ctx, sensorRef, json.RawMessage(`5`)), sensor.ErrBatchInHand)
	b.finish(t, id)
	require.NoError(t, b.SetCursor(b.ctx, sensorRef, json.RawMessage(`5`)))
}
