package sensor_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/internal/sensor"
)

// An enforcement lists the latest events of its group, with as much of their payloads as there is room for, and counts all.
func TestNewGroupKeepsTheLatest(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)
	var events []sensor.GroupEvent
	for i := range 150 {
		events = append(events, sensor.GroupEvent{
			ID: int64(i + 1), Created: start.Add(time.Duration(i) * time.Second),
			Payload: json.RawMessage(`"` + strings.Repeat("x", 4094) + `"`),
		})
	}
	g := sensor.NewGroup(7, `{"host":"a"}`, 150, start, events)
	require.Len(t, g.Events, sensor.MaxGroupEvents)
	require.EqualValues(t, 51, g.Events[0].ID)
	require.EqualValues(t, 150, g.Events[99].ID)
	require.Equal(t, start, g.Since)
	require.Equal(t, start.Add(149*time.Second), g.Until)
	bare := 0
	for _, e := range g.Events {
		if e.Payload == nil {
			bare++
		}
	}
	require.Equal(t, 36, bare, "64 of 4 KiB are 256 KiB")
	require.Nil(t, g.Events[35].Payload)
	require.NotNil(t, g.Events[36].Payload)
	require.NotNil(t, events[60].Payload, "what it was made of stays as it is")
	raw, err := json.Marshal(g)
	require.NoError(t, err)
	require.Contains(t, string(raw), `{"id":51,"trigger_ref":"","created":"2026-03-01T08:00:50Z","payload":null}`)
}
