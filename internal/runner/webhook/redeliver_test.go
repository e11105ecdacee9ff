package webhook

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/internal/sensor"
)

func TestAgain(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 31, 9, 0, 0, 0, time.FixedZone("", 3600))
	first := sensor.Delivery{
		ID: "a", SensorRef: "t.hook", Key: "k",
		Payload: []byte(`{"body": {"n": 12345678901234567890, "html": "<b>&\ud800"}, "delivery_id": "a", "received_at": "then"}`),
	}
	again, err := Again(first, now)
	require.NoError(t, err)
	require.NotEqual(t, "a", again.ID)
	require.Equal(t, `{"body":{"n":12345678901234567890,"html":"<b>&\ud800"},"delivery_id":"`+again.ID+
		`","received_at":"then","redelivered_from":"a"}`, string(again.Payload))
	again.ID, again.Payload = "", nil
	require.Equal(t, sensor.Delivery{SensorRef: "t.hook", ReceivedAt: now.UTC()}, again)
	for _, payload := range []string{``, `7`, `null`, `{`} {
		_, err := Again(sensor.Delivery{Payload: []byte(payload)}, now)
		require.ErrorContains(t, err, "no JSON object")
	}
}
