package messaging

import (
	"bytes"
	"encoding/json"
	"os"
	"regexp"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/internal/sensor"
)

// TestReadmeExamples: the two messages in docs/messages/README.md are what these rows make.
func TestReadmeExamples(t *testing.T) {
	t.Parallel()
	trigger, source := int64(3), int64(5)
	event := sensor.Event{
		ID: 1042, TriggerID: &trigger, TriggerRef: "examples.commit", SensorID: &source, SensorRef: "examples.git_log",
		Payload: json.RawMessage(`{"hash": "9fceb02", "author": "Ada", "subject": "store: lock the state row", "insertions": 12}`),
		Config: json.RawMessage(`{"trigger": {"ref": "examples.commit", "label": "Commit"},
			"sensor": {"ref": "examples.git_log", "label": "Git log", "runtime": "core.python3", "entrypoint": "sensors/git_log.py",
			"version": 4, "config": {"path": "."}}}`),
		Created: time.Date(2026, 3, 14, 15, 9, 26, 535897000, time.UTC),
	}
	enforcement := sensor.Enforcement{
		ID: 77, RuleID: 8, RuleRef: "examples.store_commit", RuleVersion: 3, EventID: event.ID, EventCreated: event.Created,
		Config:     json.RawMessage(`{"action": "review.start", "params": {"commit": "9fceb02", "urgent": false}}`),
		TriggerRef: event.TriggerRef, Payload: event.Payload, Created: event.Created.Add(3 * time.Millisecond),
	}
	readme, err := os.ReadFile(schemaDir + "/README.md")
	require.NoError(t, err)
	blocks := regexp.MustCompile("(?s)```json\n(.*?)```").FindAllSubmatch(readme, -1)
	require.Len(t, blocks, 2)

	want, err := NewEventCreated(DefaultAppID, event).Encode()
	require.NoError(t, err)
	require.JSONEq(t, string(want), string(blocks[0][1]))
	want, err = NewEnforcementCreated(DefaultAppID, enforcement).Encode()
	require.NoError(t, err)
	require.JSONEq(t, string(want), string(blocks[1][1]))
	for i, kind := range []MessageType{TypeEventCreated, TypeEnforcementCreated} {
		value, err := jsonschema.UnmarshalJSON(bytes.NewReader(blocks[i][1]))
		require.NoError(t, err)
		require.NoError(t, compile(t, string(kind)+".schema.json").Validate(value))
	}
	for _, constant := range []string{
		DefaultExchange, DefaultEventsQueue, DefaultEnforcementsQueue, DefaultAppID, KeyEventCreated, KeyEnforcementCreated, namespaceID,
	} {
		require.Contains(t, string(readme), "`"+constant+"`")
	}
}
