package integration

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/internal/messaging"
	"github.com/attune-automation/sensors/internal/sensor"
	"github.com/attune-automation/sensors/internal/store"
	"github.com/attune-automation/sensors/test/stack"
)

// templated is a pack whose rule renders parameters for two of three events, of which its expression drops one more.
const templated = `
-- pack.yaml --
ref: t
-- triggers/number.yaml --
ref: t.number
-- sensors/lines.yaml --
ref: t.lines
runtime: core.exec
entrypoint: bin/lines
trigger: t.number
-- rules/double.yaml --
ref: t.double
trigger: t.number
cel: payload.n < 4
action:
  ref: core.echo
  params:
    twice: "{{ payload.n * 2 }}"
    text: "{{ payload.name }} of {{ sensor.ref }}"
-- bin/lines --
#!/bin/sh
echo '{"n": 1, "name": "one"}'
echo '{"n": 2}'
echo '{"n": 3, "name": "${secret:DB}"}'
echo '{"n": 4, "name": "four"}'
echo '{"name": "none"}'
`

// Parameters are rendered for each event, into row and message. Where that fails, the enforcement says why, nobody is told
// of it, and the rest of its batch goes on.
func TestParametersAreRendered(t *testing.T) {
	t.Parallel()
	s := stack.New(t, seldom)
	messages := s.Watch()
	s.StartWorker()
	s.Apply(templated)

	var rows []sensor.Enforcement
	s.Eventually(func(ctx context.Context) error {
		var err error
		if rows, err = s.Store.Enforcements(ctx, store.EnforcementFilter{RuleRef: "t.double"}); err != nil {
			return err
		}
		if len(rows) != 3 {
			return fmt.Errorf("%d enforcements", len(rows))
		}
		return nil
	})
	one, two, three := rows[2], rows[1], rows[0]
	require.JSONEq(t, `{"action": "core.echo", "params": {"twice": 2, "text": "one of t.lines"}}`, string(one.Config))
	require.JSONEq(t, `{"action": "core.echo", "params": {"twice": 6, "text": "$${secret:DB} of t.lines"}}`, string(three.Config))
	require.Equal(t, sensor.EnforcementFailed, two.Status)
	require.Equal(t, "action.params.text: payload.name: name is missing", two.Reason)
	require.JSONEq(t, `{"action": "core.echo", "params": null}`, string(two.Config))
	require.Equal(t, "payload.n < 4", one.CEL)

	report := s.Sound(messages)
	require.EqualValues(t, 5, report.Events)
	require.EqualValues(t, 3, report.Enforcements)
	require.Equal(t, map[int64]string{one.ID: compact(t, one.Config), three.ID: compact(t, three.Config)}, published(t, messages))
}

// published returns the config in the message of each enforcement that there is one of, as the row has it.
func published(t *testing.T, messages *stack.Messages) map[int64]string {
	t.Helper()
	configs := map[int64]string{}
	for _, d := range messages.All() {
		if d.Message.MessageType != messaging.TypeEnforcementCreated {
			continue
		}
		p, err := messaging.DecodePayload[messaging.EnforcementCreated](d.Message)
		require.NoError(t, err)
		configs[p.EnforcementID] = compact(t, p.Config)
	}
	return configs
}

func compact(t *testing.T, raw json.RawMessage) string {
	t.Helper()
	var out bytes.Buffer
	require.NoError(t, json.Compact(&out, raw))
	return out.String()
}
