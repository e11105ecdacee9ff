package store_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/internal/sensor"
)

func TestAppendBlamesTheSensorForABadItem(t *testing.T) {
	t.Parallel()
	b := setup(t)
	turn := b.turn(t)
	turn.Sensor.DedupeTTL = time.Hour
	for want, item := range map[string]sensor.Item{
		"its key has 1025 bytes, and at most 1024": {Key: strings.Repeat("k", sensor.MaxKey+1)},
		`its key "a\x00" is not text`:              {Key: "a\x00"},
		`its key "\xff" is not text`:               {Key: "\xff"},
		`its trigger "shop.refund" is none of`:     {TriggerRef: "shop.refund"},
		"it occurred in the year 10000":            {OccurredAt: time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)},
		"it occurred in the year -1":               {OccurredAt: time.Date(-1, 1, 1, 0, 0, 0, 0, time.UTC)},
	} {
		item.Payload = []byte(`{}`)
		_, err := b.Append(b.ctx, turn, sensor.Part{Items: []sensor.Item{{Payload: []byte(`{}`)}, item}})
		var fault *sensor.Fault
		require.True(t, errors.As(err, &fault), "%s: %v", want, err)
		require.Equal(t, sensor.FaultOutput, fault.Kind)
		require.Contains(t, fault.Message, "event 2 of the part: "+want)
	}
	require.Zero(t, b.count(t, "poll_batch"))
	long := sensor.Item{Payload: []byte(`{}`), Key: strings.Repeat("k", sensor.MaxKey), TriggerRef: triggerRef,
		OccurredAt: time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)}
	require.Len(t, b.append(t, turn, sensor.Part{Items: []sensor.Item{long}}).Batches, 1)
}

func TestAppendBlamesTheSensorForABadCursor(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for name, payload := range refusedPayloads() {
		for _, payloads := range [][]string{nil, {`{}`}} {
			turn, err := b.Turn(b.ctx, sensorRef)
			require.NoError(t, err)
			_, err = b.Append(b.ctx, turn, newPart(payload, payloads...))
			var fault *sensor.Fault
			require.True(t, errors.As(err, &fault), "%s: %v", name, err)
			require.Equal(t, sensor.FaultOutput, fault.Kind)
			require.Contains(t, fault.Message, "cursor")
		}
	}
	require.Zero(t, b.count(t, "poll_batch"))
	require.Zero(t, b.count(t, "sensor_state"))
}

func TestAppendKeepsWhatAGoneSensorSaw(t *testing.T) {
	t.Parallel()
	b := setup(t)
	turn, err := b.Turn(b.ctx, sensorRef)
	require.NoError(t, err)
	b.exec(t, `delete from attune.sensor`)

	stored := b.append(t, turn, newPart(`1`, `{}`)).Batches

	require.Len(t, stored, 1)
	b.process(t, stored[0].ID)
	require.Equal(t, 1, b.count(t, "event"))
}
