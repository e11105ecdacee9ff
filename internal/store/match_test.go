package store_test

import (
	"encoding/json"
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/internal/sensor"
)

func TestCommitEnforcements(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.poll(t, `1`, `{"total":1}`, `{"total":1000}`)[0].ID
	events := b.generate(t, id)
	set, err := b.Ruleset(b.ctx, triggerRef)
	require.NoError(t, err)
	big, every := &set.Rules[0], &set.Rules[1]

	enforcements, err := b.CommitEnforcements(b.ctx, id, versions(set), []sensor.Match{
		{Event: &events[0], Rule: every}, {Event: &events[1], Rule: big}, {Event: &events[1], Rule: every},
	}, nil)
	require.NoError(t, err)

	require.Len(t, enforcements, 3)
	require.Less(t, enforcements[0].ID, enforcements[1].ID)
	require.Less(t, enforcements[1].ID, enforcements[2].ID)
	require.NotZero(t, enforcements[1].Created)
	require.Equal(t, sensor.Enforcement{
		ID: enforcements[1].ID, RuleID: big.ID, RuleRef: "shop.big", RuleVersion: 1, EventID: events[1].ID, EventCreated: events[1].Created,
		TriggerRef: triggerRef, Config: json.RawMessage(`{"action": "mail.send", "params": {"to": "boss"}}`),
		Payload: json.RawMessage(`{"total": 1000}`), Status: "created", Condition: "any", Conditions: big.Conditions,
		Created: enforcements[1].Created,
	}, enforcements[1])
	require.Equal(t, "shop.every", enforcements[0].RuleRef)
	require.Equal(t, "shop.every", enforcements[2].RuleRef)

	read, err := b.EnforcementsOfBatch(b.ctx, id)
	require.NoError(t, err)
	require.Equal(t, enforcements, read)
	one, err := b.Enforcement(b.ctx, enforcements[1].ID)
	require.NoError(t, err)
	require.Equal(t, enforcements[1], one)

	var rulesets map[string]int64
	require.NoError(t, b.db.QueryRow(b.ctx, `select rulesets from attune.poll_batch`).Scan(&rulesets))
	require.Equal(t, versions(set), rulesets)
	require.Equal(t, sensor.BatchMatched, b.batch(t, id).Status)
}

func TestCommitEnforcementsAgainReturnsTheSameRows(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.poll(t, `1`, numbered(5)...)[0].ID
	b.generate(t, id)
	enforcements := b.match(t, id)
	require.Len(t, enforcements, 10)

	again := func() {
		t.Helper()
		require.Equal(t, enforcements, b.match(t, id))
		repeated, err := b.CommitEnforcements(b.ctx, id, map[string]int64{triggerRef: 99}, nil, nil)
		require.NoError(t, err)
		require.Equal(t, enforcements, repeated)
	}
	again()
	b.finish(t, id)
	again()
	require.Equal(t, 10, b.count(t, "enforcement"))
}

func TestManyAtOnceCommitEnforcements(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.poll(t, `1`, numbered(50)...)[0].ID
	events := b.generate(t, id)
	set, err := b.Ruleset(b.ctx, triggerRef)
	require.NoError(t, err)

	var wg sync.WaitGroup
	var enforcements [10][]sensor.Enforcement
	var errs [10]error
	for i := range enforcements {
		wg.Go(func() {
			enforcements[i], errs[i] = b.CommitEnforcements(b.ctx, id, versions(set), matchAll(events, set.Rules), nil)
		})
	}
	wg.Wait()

	for i := range enforcements {
		require.NoError(t, errs[i])
		require.Equal(t, enforcements[0], enforcements[i])
	}
	require.Equal(t, 100, b.count(t, "enforcement"))
}

func TestCommitEnforcementsOfNoMatch(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.poll(t, `1`, `{}`)[0].ID
	b.generate(t, id)

	enforcements, err := b.CommitEnforcements(b.ctx, id, map[string]int64{triggerRef: 7}, nil, nil)

	require.NoError(t, err)
	require.Empty(t, enforcements)
	require.Equal(t, sensor.BatchMatched, b.batch(t, id).Status)
}

func TestCommitEnforcementsOfMoreMatchesThanOneStatementWrites(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.exec(t, `
		insert into attune.rule (ref, pack, label, trigger, trigger_ref, action_ref)
		select 'shop.rule' || n, t.pack, 'Rule', t.id, t.ref, 'mail.send' from attune.trigger t, generate_series(1, 104) n`)
	id := b.poll(t, `1`, numbered(100)...)[0].ID
	events := b.generate(t, id)
	set, err := b.Ruleset(b.ctx, triggerRef)
	require.NoError(t, err)
	matches := matchAll(events, set.Rules)
	require.Len(t, matches, 10_600)

	enforcements, err := b.CommitEnforcements(b.ctx, id, versions(set), matches, nil)

	require.NoError(t, err)
	require.Len(t, enforcements, len(matches))
	for i, e := range enforcements {
		if e.EventID != matches[i].Event.ID || e.RuleRef != matches[i].Rule.Ref {
			require.FailNow(t, "not in the order of the matches", "%d: %+v", i, e)
		}
	}
}

func TestCommitEnforcementsThatFailsLeavesNothing(t *testing.T) {
	t.Parallel()
	b := setup(t)
	stored := b.poll(t, `1`, numbered(1001)...)
	first := b.generate(t, stored[0].ID)
	other := b.generate(t, stored[1].ID)
	set, err := b.Ruleset(b.ctx, triggerRef)
	require.NoError(t, err)

	_, err = b.CommitEnforcements(b.ctx, stored[0].ID, versions(set), matchAll([]sensor.Event{first[0], other[0]}, set.Rules), nil)

	require.ErrorContains(t, err, fmt.Sprint("batch ", stored[0].ID))
	require.Zero(t, b.count(t, "enforcement"))
	require.Equal(t, sensor.BatchGenerated, b.batch(t, stored[0].ID).Status)
}

func TestCommitEnforcementsNeedsEvents(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.poll(t, `1`, `{}`)[0].ID

	_, err := b.CommitEnforcements(b.ctx, id, map[string]int64{triggerRef: 7}, nil, nil)
	require.ErrorContains(t, err, "status is stored")
	_, err = b.CommitEnforcements(b.ctx, -1, map[string]int64{triggerRef: 7}, nil, nil)
	require.ErrorIs(t, err, sensor.ErrNotFound)
}
