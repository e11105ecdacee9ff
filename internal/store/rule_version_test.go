package store_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/internal/sensor"
	"github.com/attune-automation/sensors/internal/store"
)

// versionsOf returns the numbers of a rule's versions, the latest first.
func (b *bundle) versionsOf(t testing.TB, ref string) (numbers []int64) {
	t.Helper()
	versions, err := b.RuleVersions(b.ctx, ref)
	require.NoError(t, err)
	for _, v := range versions {
		numbers = append(numbers, v.Version)
	}
	return numbers
}

// at returns the versions of rules that a trigger had at a ruleset, by ref.
func (b *bundle) at(t testing.TB, trigger string, ruleset int64) map[string]int64 {
	t.Helper()
	rules, err := b.RulesAt(b.ctx, trigger, ruleset)
	require.NoError(t, err)
	versions := map[string]int64{}
	for _, r := range rules {
		versions[r.Ref] = r.Version
	}
	return versions
}

func TestEachChangeOfARuleIsAVersion(t *testing.T) {
	t.Parallel()
	b := setup(t)
	p := weather()
	from := time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC)
	p.Rules[0].Shadow, p.Rules[0].Priority, p.Rules[0].ValidFrom = true, 7, &from
	p.Rules[0].Active = json.RawMessage(`[{"days": "mon"}]`)
	first := p
	b.apply(t, p, store.ApplyOptions{})
	b.apply(t, p, store.ApplyOptions{})
	require.Equal(t, []int64{1}, b.versionsOf(t, "weather.frost"), "nothing changed")

	rules := append([]sensor.Rule{}, p.Rules...)
	rules[0].Shadow, rules[0].ValidFrom = false, nil
	p.Rules = rules
	b.apply(t, p, store.ApplyOptions{DryRun: true})
	require.Equal(t, []int64{1}, b.versionsOf(t, "weather.frost"), "a dry run")
	b.apply(t, p, store.ApplyOptions{})

	versions, err := b.RuleVersions(b.ctx, "weather.frost")
	require.NoError(t, err)
	require.Len(t, versions, 2)
	now, err := b.Rule(b.ctx, "weather.frost")
	require.NoError(t, err)
	require.Equal(t, now, versions[0].Rule)
	require.EqualValues(t, 2, now.Version)
	require.Nil(t, versions[0].Until)
	require.Equal(t, versions[0].Since, *versions[1].Until)
	was := versions[1].Rule
	require.True(t, was.Shadow)
	require.Equal(t, 7, was.Priority)
	require.Equal(t, from, *was.ValidFrom)
	require.JSONEq(t, string(first.Rules[0].Active), string(was.Active))
	require.Equal(t, "weather", was.PackRef)
	require.Equal(t, []int64{1}, b.versionsOf(t, "weather.heat"), "of another rule")
}

func TestARuleThatIsDeletedGoesOnWithItsVersions(t *testing.T) {
	t.Parallel()
	b := setup(t)
	all := weather()
	less := all
	less.Rules = all.Rules[1:]
	b.apply(t, all, store.ApplyOptions{})
	b.apply(t, less, store.ApplyOptions{Prune: true})
	require.Equal(t, []int64{1}, b.versionsOf(t, "weather.frost"))
	versions, err := b.RuleVersions(b.ctx, "weather.frost")
	require.NoError(t, err)
	require.NotNil(t, versions[0].Until)
	b.apply(t, all, store.ApplyOptions{})

	require.Equal(t, []int64{2, 1}, b.versionsOf(t, "weather.frost"))
	rule, err := b.Rule(b.ctx, "weather.frost")
	require.NoError(t, err)
	require.EqualValues(t, 2, rule.Version)
}

func TestRulesAtARuleset(t *testing.T) {
	t.Parallel()
	b := setup(t)
	all := weather()
	moved := all
	moved.Rules = append([]sensor.Rule{}, all.Rules...)
	moved.Rules[0].TriggerRef = "weather.storm"
	less := all
	less.Rules = moved.Rules[:1]
	b.apply(t, all, store.ApplyOptions{})             // reading 1: frost 1, heat 1
	b.apply(t, moved, store.ApplyOptions{})           // reading 2: heat 1; storm 1: frost 2
	b.apply(t, less, store.ApplyOptions{Prune: true}) // reading 3: nothing
	b.apply(t, all, store.ApplyOptions{})             // reading 4: frost 3, heat 2; storm 2: nothing

	for ruleset, want := range []map[string]int64{
		{}, {"weather.frost": 1, "weather.heat": 1}, {"weather.heat": 1}, {}, {"weather.frost": 3, "weather.heat": 2},
	} {
		require.Equal(t, want, b.at(t, "weather.reading", int64(ruleset)), "reading %d", ruleset)
	}
	require.Equal(t, map[string]int64{"weather.frost": 2}, b.at(t, "weather.storm", 1))
	require.Empty(t, b.at(t, "weather.storm", 2))
}

func TestPriorityOrdersTheRules(t *testing.T) {
	t.Parallel()
	b := setup(t)
	p := weather()
	third := p.Rules[0]
	third.Ref, third.Priority = "weather.ice", -1
	p.Rules = append(p.Rules, third)
	p.Rules[1].Priority = 1
	b.apply(t, p, store.ApplyOptions{})

	set, err := b.Ruleset(b.ctx, "weather.reading")
	require.NoError(t, err)
	require.Equal(t, []string{"weather.heat", "weather.frost", "weather.ice"}, refs(set.Rules))
}

func TestShadowMatchesAreRecordedAndOrderNothing(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.exec(t, `update attune.rule set shadow = true, version = 3 where ref = 'shop.big'`)
	id := b.poll(t, `1`, numbered(3)...)[0].ID
	events := b.generate(t, id)
	enforcements := b.match(t, id)
	require.Len(t, enforcements, 3)
	for _, e := range enforcements {
		require.Equal(t, "shop.every", e.RuleRef)
	}
	require.Equal(t, enforcements, b.match(t, id), "again")

	require.Equal(t, 3, b.count(t, "shadow_match"))
	require.Equal(t, 3, b.count(t, "shadow_match where rule_ref = 'shop.big' and rule_version = 3"))

	set, err := b.Ruleset(b.ctx, triggerRef)
	require.NoError(t, err)
	other := b.poll(t, `2`, `{}`)[0].ID
	b.generate(t, other)
	_, err = b.CommitEnforcements(b.ctx, other, versions(set), matchAll(events, set.Rules[:1]), nil)
	require.ErrorContains(t, err, "shadow", "of events of another batch")
	require.Equal(t, 3, b.count(t, "shadow_match"))
}

func TestRuleActivity(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.process(t, b.poll(t, `1`, numbered(3)...)[0].ID)
	b.exec(t, `update attune.enforcement set created = now() - interval '2 hours'`)
	b.exec(t, `update attune.rule set shadow = true where ref = 'shop.big'`)
	b.process(t, b.poll(t, `2`, numbered(2)...)[0].ID)

	hour, err := b.RuleActivity(b.ctx, store.RuleFilter{TriggerRef: triggerRef}, time.Now().Add(-time.Hour))
	require.NoError(t, err)
	require.Len(t, hour, 3)
	for _, ref := range []string{"shop.big", "shop.every"} {
		a := hour[ref]
		require.EqualValues(t, 2, a.Matches, ref)
		require.EqualValues(t, 5, *a.LastEvent, ref)
		require.WithinDuration(t, time.Now(), *a.LastMatch, time.Minute, ref)
	}
	require.Equal(t, store.RuleActivity{RuleRef: "shop.off"}, hour["shop.off"])
	day, err := b.RuleActivity(b.ctx, store.RuleFilter{PackRef: "shop"}, time.Now().Add(-24*time.Hour))
	require.NoError(t, err)
	require.EqualValues(t, 5, day["shop.big"].Matches, "as a rule and as a shadow")
}
