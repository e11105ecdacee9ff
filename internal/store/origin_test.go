package store_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/internal/sensor"
	"github.com/attune-automation/sensors/internal/store"
)

const refundRef = "shop.refund"

// setupTwoTriggers is setup with a second trigger of the sensor, which has a rule.
func setupTwoTriggers(t testing.TB) *bundle {
	t.Helper()
	b := setup(t)
	b.exec(t, `
		insert into attune.trigger (ref, pack, label, ruleset) select 'shop.refund', id, 'Refund', 3 from attune.pack;
		update attune.sensor set other_trigger_refs = '{shop.refund}';
		insert into attune.rule (ref, pack, label, trigger, trigger_ref, conditions, action_ref)
		select 'shop.refunds', pack, 'Refunds', id, ref, '[]', 'mail.send' from attune.trigger where ref = 'shop.refund'`)
	return b
}

// TestItemsOfSeveralTriggers takes a part whose items say more than their payload from the poll to the end.
func TestItemsOfSeveralTriggers(t *testing.T) {
	t.Parallel()
	b := setupTwoTriggers(t)
	at := time.Date(2024, 2, 29, 12, 0, 0, 123456000, time.FixedZone("", 3600))
	id := b.append(t, b.turn(t), sensor.Part{Items: []sensor.Item{
		{Payload: []byte(`{"n": 0}`)},
		{Payload: []byte(`{"n": 1}`), TriggerRef: refundRef, OccurredAt: at},
		{Payload: []byte(`{"n": 2}`), TriggerRef: triggerRef},
		{Payload: []byte(`{"n": 3}`), TriggerRef: refundRef},
		{Payload: []byte(`{"n": 4}`), OccurredAt: at},
		{Payload: []byte(`{"n": "\u0000"}`), TriggerRef: refundRef},
	}}).Batches[0].ID

	batch := b.batch(t, id)
	require.Equal(t, []string{"", refundRef, "", refundRef, "", refundRef}, batch.Triggers)
	events := b.generate(t, id)
	require.Len(t, events, 5)
	orders, err := b.Trigger(b.ctx, triggerRef)
	require.NoError(t, err)
	refunds, err := b.Trigger(b.ctx, refundRef)
	require.NoError(t, err)
	turn := b.turn(t)
	for i, e := range events {
		trigger := []sensor.Trigger{orders, refunds}[i%2]
		require.Equal(t, trigger.Ref, e.TriggerRef)
		require.Equal(t, &trigger.ID, e.TriggerID)
		snapshot, err := sensor.TakeSnapshot(trigger, &turn.Sensor)
		require.NoError(t, err)
		require.JSONEq(t, string(snapshot), string(e.Config))
		if i == 1 || i == 4 {
			require.Equal(t, at.UTC(), *e.OccurredAt)
		} else {
			require.Nil(t, e.OccurredAt)
		}
		if i > 0 {
			require.Greater(t, e.ID, events[i-1].ID, "poll order, across triggers")
		}
		one, err := b.Event(b.ctx, e.ID)
		require.NoError(t, err)
		require.Equal(t, e, one)
	}
	rejected, err := b.Rejected(b.ctx, store.RejectedFilter{})
	require.NoError(t, err)
	require.Len(t, rejected, 1)
	require.Equal(t, refundRef, rejected[0].TriggerRef)

	enforcements := b.match(t, id)
	require.Len(t, enforcements, 3*2+2)
	require.Equal(t, "shop.refunds", enforcements[2].RuleRef)
	require.Equal(t, refundRef, enforcements[2].TriggerRef)
	read, err := b.EnforcementsOfBatch(b.ctx, id)
	require.NoError(t, err)
	require.Equal(t, read, enforcements)
	b.finish(t, id)
	batch = b.batch(t, id)
	require.Nil(t, batch.Triggers)
	require.Nil(t, batch.Occurred)
	again, err := b.EventsOfBatch(b.ctx, id)
	require.NoError(t, err)
	require.Equal(t, events, again)
	var rulesets map[string]int64
	require.NoError(t, b.db.QueryRow(b.ctx, `select rulesets from attune.poll_batch`).Scan(&rulesets))
	require.Equal(t, map[string]int64{triggerRef: 7, refundRef: 3}, rulesets)
}

// TestCommonItemsTakeNoMoreRoom proves that what no item says is null in its batch.
func TestCommonItemsTakeNoMoreRoom(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.append(t, b.turn(t), sensor.Part{Items: []sensor.Item{{Payload: []byte(`{}`), TriggerRef: triggerRef}, {Payload: []byte(`{}`)}}})
	require.Equal(t, 1, b.count(t, "poll_batch where triggers is null and occurred is null and keys is null"))
}

// TestCommitEventsAfterAnotherTriggerIsGone proves that a trigger that goes between the check and the commit costs nothing.
func TestCommitEventsAfterAnotherTriggerIsGone(t *testing.T) {
	t.Parallel()
	b := setupTwoTriggers(t)
	id := b.append(t, b.turn(t), sensor.Part{Items: []sensor.Item{{Payload: []byte(`{}`), TriggerRef: refundRef}}}).Batches[0].ID
	b.exec(t, `delete from attune.rule where trigger_ref = 'shop.refund'; delete from attune.trigger where ref = 'shop.refund'`)
	events := b.generate(t, id)
	require.Len(t, events, 1)
	require.Nil(t, events[0].TriggerID)
	require.Equal(t, refundRef, events[0].TriggerRef)
	var snapshot sensor.Snapshot
	require.NoError(t, json.Unmarshal(events[0].Config, &snapshot))
	require.Equal(t, sensor.TriggerSnapshot{Ref: refundRef}, snapshot.Trigger)
	require.Equal(t, sensorRef, snapshot.Sensor.Ref)
}

// TestEnforcementsOfABatchThatIsPublishedAgain proves that those of an earlier match are published again, too, also of
// rules that are gone since, and that new rules match.
func TestEnforcementsOfABatchThatIsPublishedAgain(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.poll(t, `1`, `{}`, `{}`)[0].ID
	b.generate(t, id)
	first := b.match(t, id)
	b.finish(t, id)
	b.exec(t, `
		update attune.poll_batch set status = 'generated';
		update attune.rule set enabled = false where ref = 'shop.big';
		update attune.rule set enabled = true where ref = 'shop.off'`)
	again := b.match(t, id)
	require.Len(t, first, 4)
	require.Len(t, again, 6)
	require.Equal(t, first, again[:4])
	require.Equal(t, "shop.off", again[5].RuleRef)
}
