package integration

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/internal/messaging"
	"github.com/attune-automation/sensors/internal/store"
	"github.com/attune-automation/sensors/test/stack"
	"github.com/attune-automation/sensors/workflows"
)

// desk is a pack whose sensor tells of the same ticket and the same refunds at every poll.
const desk = `
-- pack.yaml --
ref: t
-- triggers/ticket.yaml --
ref: t.ticket
out_schema: {type: object, required: [n], properties: {n: {type: integer}}}
-- triggers/refund.yaml --
ref: t.refund
-- sensors/desk.yaml --
ref: t.desk
runtime: core.python3
entrypoint: desk.py
triggers: [t.ticket, t.refund]
poll_interval: 200ms
-- rules/ticket.yaml --
ref: t.tickets
trigger: t.ticket
action: {ref: core.echo}
-- rules/refund.yaml --
ref: t.refunds
trigger: t.refund
conditions: [{field: event.occurred_at, operator: starts_with, value: "2026-01-31T09:"}]
action: {ref: core.echo}
-- desk.py --
import datetime

def poll(ctx):
    at = datetime.datetime(2026, 1, 31, 10, 30, tzinfo=datetime.timezone(datetime.timedelta(hours=1)))
    yield ctx.event({"n": 1}, key="ticket 1")
    ctx.checkpoint("ticket 1")
    yield ctx.event({"sum": 2}, key="refund 2", trigger="t.refund", occurred_at=at)
    yield ctx.event({"sum": 3}, key="refund 3", trigger="t.refund")
`

// What a sensor tells again and again is one event, of its own trigger, with its own rules.
func TestKeysTriggersAndTimes(t *testing.T) {
	t.Parallel()
	s := stack.New(t, nil)
	messages := s.Watch()
	s.Apply(desk)
	s.StartWorker()
	status := await(t, s, "t.desk", func(status workflows.Status) bool { return status.Suppressed >= 6 })
	require.EqualValues(t, 3, status.Events)
	s.Sound(messages)

	events, err := s.Store.Events(t.Context(), store.EventFilter{SensorRef: "t.desk"})
	require.NoError(t, err)
	require.Len(t, events, 3)
	orders, err := s.Store.Enforcements(t.Context(), store.EnforcementFilter{})
	require.NoError(t, err)
	require.Len(t, orders, 2)
	require.Equal(t, "t.refunds", orders[0].RuleRef)
	require.Equal(t, events[1].ID, orders[0].EventID)
	require.Equal(t, "t.tickets", orders[1].RuleRef)
	keys, err := s.Store.Keys(t.Context(), store.KeyFilter{SensorRef: "t.desk"})
	require.NoError(t, err)
	require.Len(t, keys, 3)
	for i, want := range []string{"refund 3", "refund 2", "ticket 1"} {
		require.Equal(t, want, keys[i].Key)
		require.Equal(t, events[i].ID, *keys[i].EventID)
		require.GreaterOrEqual(t, keys[i].Suppressed, int64(2))
	}
	at := time.Date(2026, 1, 31, 9, 30, 0, 0, time.UTC)
	for _, d := range messages.All() {
		if d.Message.MessageType != messaging.TypeEventCreated {
			continue
		}
		var p messaging.EventCreated
		require.NoError(t, json.Unmarshal(d.Message.Payload, &p))
		if p.EventID == events[1].ID {
			require.Equal(t, &at, p.OccurredAt)
			require.Contains(t, string(p.Config), `"t.refund"`)
		} else {
			require.Nil(t, p.OccurredAt)
		}
	}
}

// A payload that is refused takes the key from no good one behind it.
func TestARefusedPayloadSuppressesNothing(t *testing.T) {
	t.Parallel()
	s := stack.New(t, nil)
	s.Apply(desk + `
-- desk.py --
def poll(ctx):
    if ctx.cursor is None:
        yield ctx.event({"n": "one"}, key="k")
        yield ctx.event({"n": 1}, key="k")
        yield ctx.event({"n": 2}, key="k")
        ctx.cursor = 1
`)
	s.StartWorker()
	status := await(t, s, "t.desk", func(status workflows.Status) bool { return status.Polls >= 2 })
	require.EqualValues(t, 1, status.Events)
	require.EqualValues(t, 1, status.Rejected)
	require.EqualValues(t, 1, status.Suppressed)
}
