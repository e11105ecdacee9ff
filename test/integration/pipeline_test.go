// Package integration tests the whole system on real servers.
package integration

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/internal/store"
	"github.com/attune-automation/sensors/test/stack"
	"github.com/attune-automation/sensors/workflows"
)

// counter yields numbers from its cursor on, config.batch of them a poll, up to config.last.
const counter = `
-- pack.yaml --
ref: t
-- triggers/number.yaml --
ref: t.number
out_schema: {type: object, required: [n], properties: {n: {type: integer, maximum: 10000000}}}
-- sensors/counter.yaml --
ref: t.counter
runtime: core.python3
entrypoint: counter.py
trigger: t.number
poll_interval: 1s
config: {batch: 3, last: 9}
-- rules/even.yaml --
ref: t.big
trigger: t.number
conditions:
  - {field: n, operator: greater_than, value: 4}
action: {ref: core.echo, params: {greeting: hello}}
-- rules/all.yaml --
ref: t.all
trigger: t.number
action: {ref: core.echo}
-- counter.py --
def poll(ctx):
    n = ctx.cursor or 0
    for n in range(n + 1, min(n + ctx.config["batch"], ctx.config["last"]) + 1):
        yield {"n": n}
    ctx.cursor = n
`

func TestWhatASensorSeesBecomesEventsAndEnforcements(t *testing.T) {
	t.Parallel()
	s := stack.New(t, nil)
	messages := s.Watch()
	s.StartWorker()
	s.Apply(counter)

	s.Eventually(func(ctx context.Context) error {
		return expect(messages.Count("EventCreated") == 9 && messages.Count("EnforcementCreated") == 14,
			"%d events and %d enforcements came from the broker", messages.Count("EventCreated"), messages.Count("EnforcementCreated"))
	})
	events, err := s.Store.Events(t.Context(), store.EventFilter{SensorRef: "t.counter", Limit: 100})
	require.NoError(t, err)
	require.Len(t, events, 9)
	for i, e := range events { // newest first
		require.JSONEq(t, fmt.Sprintf(`{"n": %d}`, 9-i), string(e.Payload))
		var origin struct {
			Sensor struct{ Config json.RawMessage }
		}
		require.NoError(t, json.Unmarshal(e.Config, &origin))
		require.JSONEq(t, `{"batch": 3, "last": 9}`, string(origin.Sensor.Config))
	}
	enforcements, err := s.Store.Enforcements(t.Context(), store.EnforcementFilter{RuleRef: "t.big", Limit: 100})
	require.NoError(t, err)
	require.Len(t, enforcements, 5)

	s.Eventually(func(ctx context.Context) error {
		status, err := s.Fleet.Status(ctx, "t.counter")
		if err != nil {
			return err
		}
		return expect(status.State == workflows.StateRunning && status.Running && !status.Failed &&
			status.Events == 9 && status.Enforcements == 14 && status.Batches == 3, "status is %+v", status)
	})
}

// expect returns an error with the message unless ok.
func expect(ok bool, format string, args ...any) error {
	if ok {
		return nil
	}
	return errors.New(fmt.Sprintf(format, args...))
}
