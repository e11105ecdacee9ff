package store_test

import (
	"encoding/json"
	"iter"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/internal/sensor"
	"github.com/attune-automation/sensors/internal/store"
)

func TestAudit(t *testing.T) {
	t.Parallel()
	b := setup(t)
	system, err := b.StoreSystemEvent(b.ctx, sensor.SystemEvent{TriggerRef: triggerRef, Payload: json.RawMessage(`{}`)})
	require.NoError(t, err)
	done := b.poll(t, `1`, `{}`, `{"a": "\u0000"}`, `{}`)[0].ID
	events := b.generate(t, done)
	enforcements := b.match(t, done)
	b.finish(t, done)
	waiting := b.poll(t, `2`, `{}`)[0].ID
	b.process(t, system)

	err = b.Audit(b.ctx, func(v *store.AuditView) error {
		var rules []sensor.Rule
		for _, r := range collect(t, v.Rules(b.ctx)) {
			rules = append(rules, r.Rule)
		}
		require.Equal(t, []string{"shop.big", "shop.every", "shop.off"}, refs(rules))
		b.generate(t, waiting) // too late to be seen

		batches := collect(t, v.Batches(b.ctx))
		require.Len(t, batches, 3)
		ruleset := int64(7)
		require.Equal(t, store.AuditBatch{
			ID: done, SensorRef: sensorRef, TriggerRef: triggerRef, Seq: 1, CommittedSeq: 1, Status: sensor.BatchDone, Count: 3,
			Events: 2, Rejected: 1, Positions: 3, FirstPosition: 0, LastPosition: 2,
			Created: batches[0].Created,
		}, batches[0])
		require.Equal(t, store.AuditBatch{
			ID: waiting, SensorRef: sensorRef, TriggerRef: triggerRef, Seq: 2, CommittedSeq: 1, Status: sensor.BatchStored,
			Count: 1, FirstPosition: -1, LastPosition: -1, Created: batches[1].Created,
		}, batches[1])
		require.Equal(t, store.AuditBatch{
			ID: system, TriggerRef: triggerRef, Status: sensor.BatchDone, Count: 1, Events: 1, Positions: 1,
			Created: batches[2].Created,
		}, batches[2])

		seen := collect(t, v.Events(b.ctx))
		require.Len(t, seen, 3)
		require.Equal(t, store.AuditEvent{
			Event: events[1], Seq: 1, BatchStatus: sensor.BatchDone, Ruleset: &ruleset,
			RuleRefs: []string{"shop.big", "shop.every"}, ShadowRefs: []string{}, HeldRefs: []string{},
		}, seen[1])
		require.Equal(t, system, seen[2].BatchID)

		orders := collect(t, v.Enforcements(b.ctx))
		require.Len(t, orders, 6)
		require.Equal(t, store.AuditEnforcement{
			ID: enforcements[0].ID, RuleRef: enforcements[0].RuleRef, EventID: events[0].ID, Status: sensor.EnforcementCreated, BatchStatus: sensor.BatchDone,
			Created: enforcements[0].Created,
		}, orders[0])
		return nil
	})
	require.NoError(t, err)
}

func TestAuditCanStopEarly(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.process(t, b.poll(t, `1`, numbered(10)...)[0].ID)

	err := b.Audit(b.ctx, func(v *store.AuditView) error {
		for e, err := range v.Events(b.ctx) {
			require.NoError(t, err)
			require.Zero(t, e.Position)
			break
		}
		require.Len(t, collect(t, v.Enforcements(b.ctx)), 20)
		return sensor.ErrNotFound
	})
	require.ErrorIs(t, err, sensor.ErrNotFound)
}

func collect[T any](t *testing.T, seq iter.Seq2[T, error]) []T {
	t.Helper()
	var all []T
	for v, err := range seq {
		require.NoError(t, err)
		all = append(all, v)
	}
	return all
}
