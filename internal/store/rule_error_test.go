package store_test

import (
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/internal/sensor"
	"github.com/attune-automation/sensors/internal/store"
)

// errorsOf are as many errors of each rule, the last of them on the last of the events.
func errorsOf(events []sensor.Event, rules []sensor.Rule, reason string) (all []sensor.RuleErrors) {
	for i := range rules {
		all = append(all, sensor.RuleErrors{
			Rule: &rules[i], Count: int64(len(events)), LastEvent: events[len(events)-1].ID, LastReason: reason,
		})
	}
	return all
}

// TestRuleErrors proves that the errors that rules have with a batch count once, whoever writes it how often.
func TestRuleErrors(t *testing.T) {
	t.Parallel()
	b := setup(t)
	set, err := b.Ruleset(b.ctx, triggerRef)
	require.NoError(t, err)
	match := func(id int64, errors []sensor.RuleErrors) {
		_, err := b.CommitEnforcements(b.ctx, id, versions(set), nil, errors)
		require.NoError(t, err)
	}
	counted := func(since time.Duration) map[string]int64 {
		activity, err := b.RuleActivity(b.ctx, store.RuleFilter{TriggerRef: triggerRef}, time.Now().Add(-since))
		require.NoError(t, err)
		counts := map[string]int64{}
		for ref, a := range activity {
			if a.Errors > 0 {
				counts[ref] = a.Errors
			}
		}
		return counts
	}
	last, err := b.LastRuleError(b.ctx, "shop.big")
	require.NoError(t, err)
	require.Nil(t, last)

	first := b.poll(t, `1`, numbered(3)...)[0].ID
	events := b.generate(t, first)
	for range 3 {
		match(first, errorsOf(events, set.Rules, "n is missing"))
	}
	require.Equal(t, map[string]int64{"shop.big": 3, "shop.every": 3}, counted(time.Hour))
	b.exec(t, `update attune.poll_batch set status = 'generated'`)
	match(first, errorsOf(events, set.Rules, "it is matched again"))
	require.Equal(t, map[string]int64{"shop.big": 3, "shop.every": 3}, counted(time.Hour))

	b.exec(t, `update attune.rule_error set since = since - interval '2 hours', last_at = last_at - interval '2 hours'`)
	require.Empty(t, counted(time.Hour))
	var large []sensor.Rule
	for _, r := range set.Rules {
		if r.Ref == "shop.big" {
			r.Version = 4
			large = append(large, r)
		}
	}
	for i := range 2 {
		id := b.poll(t, strconv.Itoa(2+i), numbered(2)...)[0].ID
		match(id, errorsOf(b.generate(t, id), large, strings.Repeat("ü", 1000)))
	}
	require.Equal(t, map[string]int64{"shop.big": 4}, counted(time.Hour))
	require.Equal(t, map[string]int64{"shop.big": 7, "shop.every": 3}, counted(3*time.Hour))
	last, err = b.LastRuleError(b.ctx, "shop.big")
	require.NoError(t, err)
	require.WithinDuration(t, time.Now(), last.At, time.Minute)
	require.Equal(t, store.RuleError{At: last.At, Event: 7, Version: 4, Reason: strings.Repeat("ü", 600)}, *last)
	last, err = b.LastRuleError(b.ctx, "shop.every")
	require.NoError(t, err)
	require.Equal(t, []any{int64(3), int64(1), "n is missing"}, []any{last.Event, last.Version, last.Reason})
}

// TestManyAtOnceCountErrors has many batches count errors of the same rules, named in all orders.
func TestManyAtOnceCountErrors(t *testing.T) {
	t.Parallel()
	b := setup(t)
	set, err := b.Ruleset(b.ctx, triggerRef)
	require.NoError(t, err)
	const batches = 12
	ids, errors := make([]int64, batches), make([][]sensor.RuleErrors, batches)
	for i := range batches {
		ids[i] = b.poll(t, strconv.Itoa(i), numbered(1)...)[0].ID
		errors[i] = errorsOf(b.generate(t, ids[i]), set.Rules, "no")
		if i%2 == 0 {
			slices.Reverse(errors[i])
		}
	}
	errs := make([]error, batches)
	var wg sync.WaitGroup
	for i := range batches {
		wg.Go(func() { _, errs[i] = b.CommitEnforcements(b.ctx, ids[i], versions(set), nil, errors[i]) })
	}
	wg.Wait()
	for _, err := range errs {
		require.NoError(t, err)
	}
	activity, err := b.RuleActivity(b.ctx, store.RuleFilter{Ref: "shop.big"}, time.Now().Add(-time.Hour))
	require.NoError(t, err)
	require.Len(t, activity, 1)
	require.EqualValues(t, batches, activity["shop.big"].Errors)
}
