package integration

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/attune-automation/sensors/internal/sensor"
	"github.com/attune-automation/sensors/internal/store"
	"github.com/attune-automation/sensors/test/stack"
)

// hands is a pack whose rules act on Temporal.
const hands = `
-- pack.yaml --
ref: t
-- triggers/alert.yaml --
ref: t.alert
out_schema: {type: object, required: [host], properties: {host: {type: string}}}
-- rules/repair.yaml --
ref: t.repair
trigger: t.alert
action:
  temporal: {operation: start, workflow: Repair, task_queue: repairs, input: {host: "{{ payload.host }}"}}
-- rules/note.yaml --
ref: t.note
trigger: t.alert
action:
  temporal: {operation: signal, id: "log-{{ payload.host }}", name: note, input: "{{ payload.host }}"}
`

// repair returns the host that it was told of.
func repair(_ workflow.Context, in map[string]string) (string, error) { return in["host"], nil }

// resolved waits until the action of each of the rules is carried out or has failed.
func resolved(s *stack.Stack) map[string]sensor.Enforcement {
	found := map[string]sensor.Enforcement{}
	s.Eventually(func(ctx context.Context) error {
		all, err := s.Store.Enforcements(ctx, store.EnforcementFilter{})
		if err != nil {
			return err
		}
		for _, e := range all {
			if e.Status == sensor.EnforcementCreated {
				return errors.New("an action is not carried out yet")
			}
			found[e.RuleRef] = e
		}
		if len(found) < 2 {
			return fmt.Errorf("%d rules have matched", len(found))
		}
		return nil
	})
	return found
}

func TestARuleActsOnTemporal(t *testing.T) {
	t.Parallel()
	s := stack.New(t, nil)
	messages := s.Watch()
	s.Apply(hands)
	s.StartWorker()
	repairs := worker.New(s.Client, "repairs", worker.Options{})
	repairs.RegisterWorkflowWithOptions(repair, workflow.RegisterOptions{Name: "Repair"})
	require.NoError(t, repairs.Start())
	t.Cleanup(repairs.Stop)

	id, err := s.Store.StoreSystemEvent(t.Context(), alert(`{"host": "db1"}`))
	require.NoError(t, err)
	_, err = s.Fleet.Emit(t.Context(), id)
	require.NoError(t, err)
	found := resolved(s)

	started := found["t.repair"]
	require.Equal(t, "dispatched", started.Status, started.Reason)
	require.Equal(t, fmt.Sprintf("enforcement:%d", started.ID), started.Link.WorkflowID)
	var host string
	require.NoError(t, s.Client.GetWorkflow(t.Context(), started.Link.WorkflowID, started.Link.RunID).Get(t.Context(), &host))
	require.Equal(t, "db1", host)
	refused := found["t.note"]
	require.Equal(t, sensor.EnforcementFailed, refused.Status)
	require.Contains(t, refused.Reason, "log-db1")
	s.Sound(messages)
}

// What a matcher has not had carried out, because it died or the engine was away, the manager has.
func TestActionsThatNobodyCarriedOutAreResumed(t *testing.T) {
	t.Parallel()
	s := stack.New(t, nil)
	s.Apply(hands)
	s.StartWorker()
	id, err := s.Store.StoreSystemEvent(t.Context(), alert(`{"host": "db2"}`))
	require.NoError(t, err)
	_, err = s.Fleet.Emit(t.Context(), id)
	require.NoError(t, err)
	before := resolved(s)["t.repair"]

	batch, err := s.Store.Redispatch(t.Context(), before.ID)
	require.ErrorIs(t, err, sensor.ErrNotFound, "it did not fail")
	require.Zero(t, batch)
	conn, err := pgx.Connect(t.Context(), s.Config.Database.URL)
	require.NoError(t, err)
	defer conn.Close(context.WithoutCancel(t.Context())) //nolint:errcheck // the test is over
	_, err = conn.Exec(t.Context(), `
		update attune.enforcement set status = 'created', link = null, resolved_at = null, created = created - interval '1 hour'
		where id = $1`, before.ID)
	require.NoError(t, err)
	require.NoError(t, s.Fleet.Poke(t.Context()))
	again := resolved(s)["t.repair"]
	require.Equal(t, "dispatched", again.Status, again.Reason)
	require.Equal(t, before.Link, again.Link, "it is the same run")
}
