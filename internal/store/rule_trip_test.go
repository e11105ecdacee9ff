package store_test

import (
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/internal/store"
)

// TestTrippedRule proves that a tripped rule is out of its trigger's ruleset, for those who load it as for those who have it,
// until it is reset or changed.
func TestTrippedRule(t *testing.T) {
	t.Parallel()
	b := setup(t)
	const trigger, ref = "weather.reading", "weather.frost"
	pack := weather()
	b.apply(t, pack, store.ApplyOptions{})
	before := b.ruleset(t, trigger)
	inForce := func() []string {
		set, err := b.Ruleset(b.ctx, trigger)
		require.NoError(t, err)
		return refs(set.Rules)
	}
	trip := func(version int64) bool {
		tripped, err := b.TripRule(b.ctx, ref, version, "5 evaluations took long")
		require.NoError(t, err)
		return tripped
	}

	require.False(t, trip(2), "of another version")
	require.Equal(t, before, b.ruleset(t, trigger))
	require.True(t, trip(1))
	require.False(t, trip(1), "once is enough")
	require.False(t, trip(2), "it is tripped")
	require.Equal(t, before+1, b.ruleset(t, trigger))
	require.Equal(t, []string{"weather.heat"}, inForce())
	counts, err := b.TrippedCounts(b.ctx)
	require.NoError(t, err)
	require.Equal(t, map[string]int64{trigger: 1}, counts)
	change, err := b.RulesetSince(b.ctx, trigger, before)
	require.NoError(t, err)
	require.Equal(t, []string{ref}, change.Gone)
	require.Empty(t, change.Rules)
	at, err := b.RulesAt(b.ctx, trigger, before)
	require.NoError(t, err)
	require.Nil(t, at[0].Tripped, "what was in force then was")

	b.apply(t, pack, store.ApplyOptions{})
	require.Equal(t, []string{"weather.heat"}, inForce(), "an apply that changes nothing leaves it")
	reset, err := b.ResetRule(b.ctx, ref)
	require.NoError(t, err)
	require.True(t, reset)
	reset, err = b.ResetRule(b.ctx, ref)
	require.NoError(t, err)
	require.False(t, reset)
	change, err = b.RulesetSince(b.ctx, trigger, before+1)
	require.NoError(t, err)
	require.Equal(t, []string{ref}, refs(change.Rules))
	require.Empty(t, change.Gone)

	require.True(t, trip(3))
	pack.Rules[0].Label = "Frost!"
	b.apply(t, pack, store.ApplyOptions{})
	require.Equal(t, []string{ref, "weather.heat"}, inForce(), "a change resets it")
	versions, err := b.RuleVersions(b.ctx, ref)
	require.NoError(t, err)
	require.Len(t, versions, 5)
	require.NotNil(t, versions[1].Tripped)
	require.Equal(t, "5 evaluations took long", versions[1].TripReason)
	require.Equal(t, []any{int64(5), true, true}, []any{versions[0].Version, versions[0].Tripped == nil, versions[0].TripReason == ""})
	reset, err = b.ResetRule(b.ctx, "weather.none")
	require.NoError(t, err)
	require.False(t, reset)
}

// TestWorkersTripOneRule proves that workers that find out at the same time make one change.
func TestWorkersTripOneRule(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.apply(t, weather(), store.ApplyOptions{})
	before := b.ruleset(t, "weather.reading")
	var workers sync.WaitGroup
	var tripped atomic.Int64
	for range 8 {
		workers.Go(func() {
			done, err := b.TripRule(b.ctx, "weather.frost", 1, "slow")
			if err != nil {
				t.Error(err)
			}
			if done {
				tripped.Add(1)
			}
		})
	}
	workers.Wait()
	require.EqualValues(t, 1, tripped.Load())
	require.Equal(t, before+1, b.ruleset(t, "weather.reading"))
}

// TestACorrelationIsTrippedAsAWhole proves that nothing is taken for absent that nobody looks for.
func TestACorrelationIsTrippedAsAWhole(t *testing.T) {
	t.Parallel()
	b := setup(t)
	d := b.correlated(t, true, "placed", "!paid")
	b.arrive(t, 0, part("x", "placed"))
	_, err := b.db.Exec(b.ctx, `
		insert into attune.rule_version (rule_ref, version, trigger_ref, ruleset, definition)
		select ref, version, trigger_ref, ruleset, to_jsonb(r) from attune.rule r where ref like 'shop.every%' on conflict do nothing`)
	require.NoError(t, err)
	tripped, err := b.TripRule(b.ctx, d.Ref(1), 1, "slow")
	require.NoError(t, err)
	require.True(t, tripped)
	states := func() []string {
		return b.texts(t, `select ref || ' ' || version || ' ' || (tripped is not null) from attune.rule where ref like 'shop.every%' order by ref`)
	}
	require.Equal(t, []string{"shop.every 2 true", "shop.every/paid 2 true"}, states())
	require.Equal(t, []string{"dropped the rule has been tripped"}, b.texts(t, `select status || ' ' || reason from attune.match_group`))

	reset, err := b.ResetRule(b.ctx, "shop.every")
	require.NoError(t, err)
	require.True(t, reset)
	require.Equal(t, []string{"shop.every 3 false", "shop.every/paid 3 false"}, states())
}
