package store_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/internal/sensor"
	"github.com/attune-automation/sensors/internal/store"
)

// history is two events of the sensor and, a day older, one of the system, each with two enforcements.
func history(t *testing.T, b *bundle) (system sensor.Event, seen []sensor.Event) {
	t.Helper()
	id, err := b.StoreSystemEvent(b.ctx, sensor.SystemEvent{TriggerRef: triggerRef, Payload: json.RawMessage(`{}`)})
	require.NoError(t, err)
	system = b.generate(t, id)[0]
	b.match(t, id)
	for _, table := range []string{"event", "enforcement"} {
		b.exec(t, `update attune.`+table+` set created = created - interval '1 day'`)
	}
	id = b.poll(t, `1`, `{}`, `{}`)[0].ID
	seen = b.generate(t, id)
	b.match(t, id)
	return system, seen
}

func TestEvents(t *testing.T) {
	t.Parallel()
	b := setup(t)
	system, seen := history(t, b)
	first, last := seen[0], seen[1]
	for name, test := range map[string]struct {
		filter store.EventFilter
		want   []int64
	}{
		"all, newest first": {store.EventFilter{}, []int64{last.ID, first.ID, system.ID}},
		"of a trigger":      {store.EventFilter{TriggerRef: triggerRef}, []int64{last.ID, first.ID, system.ID}},
		"of a sensor":       {store.EventFilter{SensorRef: sensorRef}, []int64{last.ID, first.ID}},
		"of none":           {store.EventFilter{TriggerRef: "shop.other"}, []int64{}},
		"since":             {store.EventFilter{Since: first.Created}, []int64{last.ID, first.ID}},
		"since later":       {store.EventFilter{Since: first.Created.Add(time.Microsecond)}, []int64{}},
		"the newest":        {store.EventFilter{Limit: 1}, []int64{last.ID}},
		"the next page":     {store.EventFilter{Limit: 1, BeforeID: last.ID}, []int64{first.ID}},
		"what came after":   {store.EventFilter{AfterID: system.ID, SensorRef: sensorRef}, []int64{last.ID, first.ID}},
	} {
		events, err := b.Events(b.ctx, test.filter)
		require.NoError(t, err, name)
		ids := []int64{}
		for _, e := range events {
			ids = append(ids, e.ID)
		}
		require.Equal(t, test.want, ids, name)
	}
	_, err := b.Event(b.ctx, -1)
	require.ErrorIs(t, err, sensor.ErrNotFound)
}

func TestEnforcements(t *testing.T) {
	t.Parallel()
	b := setup(t)
	_, seen := history(t, b)
	b.exec(t, `update attune.enforcement set status = 'processed', resolved_at = now() where rule_ref = 'shop.big'`)
	all, err := b.Enforcements(b.ctx, store.EnforcementFilter{})
	require.NoError(t, err)
	require.Len(t, all, 6)
	for i := range all[:5] {
		require.Greater(t, all[i].ID, all[i+1].ID)
	}
	for name, test := range map[string]struct {
		filter store.EnforcementFilter
		want   int
	}{
		"of a rule":       {store.EnforcementFilter{RuleRef: "shop.big"}, 3},
		"of a trigger":    {store.EnforcementFilter{TriggerRef: triggerRef}, 6},
		"of none":         {store.EnforcementFilter{TriggerRef: "shop.other"}, 0},
		"of an event":     {store.EnforcementFilter{EventID: seen[0].ID}, 2},
		"processed":       {store.EnforcementFilter{Status: "processed"}, 3},
		"since":           {store.EnforcementFilter{Since: all[0].Created}, 4},
		"limited":         {store.EnforcementFilter{Limit: 5}, 5},
		"what came after": {store.EnforcementFilter{AfterID: all[2].ID}, 2},
		"the next page":   {store.EnforcementFilter{BeforeID: all[3].ID}, 2},
		"all of it":       {store.EnforcementFilter{RuleRef: "shop.big", EventID: seen[1].ID, Status: "processed"}, 1},
	} {
		found, err := b.Enforcements(b.ctx, test.filter)
		require.NoError(t, err, name)
		require.Len(t, found, test.want, name)
	}
	processed, err := b.Enforcements(b.ctx, store.EnforcementFilter{Status: "processed"})
	require.NoError(t, err)
	require.NotNil(t, processed[0].ResolvedAt)
	_, err = b.Enforcement(b.ctx, -1)
	require.ErrorIs(t, err, sensor.ErrNotFound)
}

func TestRejected(t *testing.T) {
	t.Parallel()
	b := setup(t)
	bad := `{"a": "\u0000"}`
	id, err := b.StoreSystemEvent(b.ctx, sensor.SystemEvent{TriggerRef: triggerRef, Payload: json.RawMessage(bad)})
	require.NoError(t, err)
	b.generate(t, id)
	b.generate(t, b.poll(t, `1`, bad, bad, `{}`)[0].ID)
	all, err := b.Rejected(b.ctx, store.RejectedFilter{})
	require.NoError(t, err)
	require.Len(t, all, 3)
	require.Empty(t, all[2].SensorRef)
	for name, test := range map[string]struct {
		filter store.RejectedFilter
		want   int
	}{
		"of a trigger": {store.RejectedFilter{TriggerRef: triggerRef}, 3},
		"of a sensor":  {store.RejectedFilter{SensorRef: sensorRef}, 2},
		"since":        {store.RejectedFilter{Since: all[0].Created}, 2},
		"limited":      {store.RejectedFilter{Limit: 1}, 1},
		"next page":    {store.RejectedFilter{BeforeID: all[1].ID}, 1},
		"after":        {store.RejectedFilter{AfterID: all[1].ID}, 1},
	} {
		found, err := b.Rejected(b.ctx, test.filter)
		require.NoError(t, err, name)
		require.Len(t, found, test.want, name)
	}
}
