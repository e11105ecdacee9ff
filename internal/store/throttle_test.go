package store_test

import (
	"encoding/json"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/internal/rule"
	"github.com/attune-automation/sensors/internal/sensor"
)

// throttled makes shop.every a rule with this throttle, and shop.big as it is.
func (b *bundle) throttled(t testing.TB, throttle string) {
	t.Helper()
	b.exec(t, `update attune.rule set throttle = $1::text::jsonb where ref = 'shop.every'`, throttle)
}

// evaluate returns the matches of a batch's events, as the step that matches events does.
func (b *bundle) evaluate(t testing.TB, id int64) (map[string]int64, []sensor.Match) {
	t.Helper()
	events, err := b.EventsOfBatch(b.ctx, id)
	require.NoError(t, err)
	set, err := b.Ruleset(b.ctx, triggerRef)
	require.NoError(t, err)
	var matches []sensor.Match
	for i := range events {
		doc, err := rule.NewReader(nil).Read(&events[i])
		require.NoError(t, err)
		for j := range set.Rules {
			compiled, err := rule.Compile(&set.Rules[j])
			require.NoError(t, err)
			matched, err := compiled.Match(b.ctx, doc)
			require.NoError(t, err)
			if matched {
				matches = append(matches, sensor.Match{Event: &events[i], Rule: &set.Rules[j], Grouping: compiled.Grouping(doc)})
			}
		}
	}
	return versions(set), matches
}

// arrive takes payloads up to their enforcements, as recorded at an offset from 8 o'clock.
func (b *bundle) arrive(t testing.TB, after time.Duration, payloads ...string) []sensor.Enforcement {
	t.Helper()
	id := b.poll(t, "", payloads...)[0].ID
	b.generate(t, id)
	b.exec(t, `update attune.event set created = $1 where batch = $2`, eight.Add(after), id)
	rulesets, matches := b.evaluate(t, id)
	enforcements, err := b.CommitEnforcements(b.ctx, id, rulesets, matches, nil)
	require.NoError(t, err)
	b.finish(t, id)
	return enforcements
}

var eight = time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)

// held returns the matches that are held back, as "event state answered_by".
func (b *bundle) held(t testing.TB) []string {
	t.Helper()
	rows, err := b.db.Query(b.ctx, `
		select format('%s %s %s', event, state, answered_by) from attune.held_match order by event, rule_ref`)
	require.NoError(t, err)
	defer rows.Close()
	var all []string
	for rows.Next() {
		var text string
		require.NoError(t, rows.Scan(&text))
		all = append(all, text)
	}
	return all
}

func groupOf(t testing.TB, e sensor.Enforcement) sensor.Group {
	t.Helper()
	var config struct{ Group sensor.Group }
	require.NoError(t, json.Unmarshal(e.Config, &config))
	return config.Group
}

func TestOnceWithinOrdersOnceInEachGroup(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.throttled(t, `{"once_within": "15m", "group_by": ["payload.host"]}`)
	first := b.arrive(t, 0, `{"host": "a"}`, `{"host": "b", "total": 500}`, `{"host": "a"}`)
	require.Len(t, first, 3, "one of each host, and one of the rule that has no throttle")
	require.Equal(t, "shop.big", first[1].RuleRef)
	require.JSONEq(t, `{"action": "mail.send", "params": {"to": "boss"}}`, string(first[1].Config))
	require.Empty(t, b.arrive(t, 14*time.Minute, `{"host": "a"}`, `{"host": "b"}`))
	third := b.arrive(t, 15*time.Minute, `{"host": "a"}`, `{"host": "a"}`, `{}`)
	require.Len(t, third, 2, "the span of a is over, and one without a host is a group of its own")
	require.Equal(t, []string{"3 suppressed 1", "4 suppressed 1", "5 suppressed 2", "7 suppressed 6"}, b.held(t))
	require.Equal(t, sensor.Group{
		ID: groupOf(t, third[0]).ID, By: json.RawMessage(`{"payload.host": "a"}`), Count: 1,
		Since: eight.Add(15 * time.Minute), Until: eight.Add(15 * time.Minute),
		Events: []sensor.GroupEvent{{ID: 6, TriggerRef: triggerRef, Created: eight.Add(15 * time.Minute), Payload: json.RawMessage(`{"host": "a"}`)}},
	}, groupOf(t, third[0]))
	require.Equal(t, 3, b.count(t, "match_group"))
	read, err := b.Enforcement(b.ctx, third[0].ID)
	require.NoError(t, err)
	require.JSONEq(t, string(third[0].Config), string(read.Config))
}

func TestAtLeastOrdersForAllThatItCounted(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.throttled(t, `{"at_least": 3, "within": "10m", "group_by": ["payload.host"]}`)
	b.exec(t, `update attune.rule set action_params = '{"n": "{{ group.count }}", "last": "{{ events.map(e, e.payload.n) }}"}' where ref = 'shop.every'`)
	require.Empty(t, b.arrive(t, 0, `{"host": "a", "n": 1}`))
	require.Empty(t, b.arrive(t, 11*time.Minute, `{"host": "a", "n": 2}`, `{"host": "b", "n": 1}`))
	require.Empty(t, b.arrive(t, 12*time.Minute, `{"host": "a", "n": 3}`))
	orders := b.arrive(t, 20*time.Minute, `{"host": "a", "n": 4}`, `{"host": "a", "n": 5}`)
	require.Len(t, orders, 1)
	require.EqualValues(t, 5, orders[0].EventID)
	group := groupOf(t, orders[0])
	require.Equal(t, 3, group.Count)
	require.Equal(t, eight.Add(11*time.Minute), group.Since)
	require.Len(t, group.Events, 3)
	require.JSONEq(t, `{"n": 2, "host": "a"}`, string(group.Events[0].Payload))
	var config struct{ Params json.RawMessage }
	require.NoError(t, json.Unmarshal(orders[0].Config, &config))
	require.JSONEq(t, `{"n": 3, "last": [2, 3, 4]}`, string(config.Params))
	require.Equal(t, []string{"1 counted ", "2 counted 5", "3 counted ", "4 counted 5", "6 counted "}, b.held(t))
}

// Parameters that cannot be rendered make the one enforcement fail, as those of any other rule do.
func TestThrottledParametersMayFail(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.throttled(t, `{"once_within": "10m"}`)
	b.exec(t, `update attune.rule set action_params = '{"n": "{{ events[0].payload.nope }}"}' where ref = 'shop.every'`)
	orders := b.arrive(t, 0, `{}`, `{}`)
	require.Len(t, orders, 1)
	require.Equal(t, sensor.EnforcementFailed, orders[0].Status)
	require.Contains(t, orders[0].Reason, "nope is missing")
	require.Contains(t, string(orders[0].Config), `"params": null`)
}

// A shadow throttles nothing: its matches are recorded as they are.
func TestShadowsAreNotThrottled(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.throttled(t, `{"once_within": "10m"}`)
	b.exec(t, `update attune.rule set shadow = true where ref = 'shop.every'`)
	require.Empty(t, b.arrive(t, 0, `{}`, `{}`))
	require.Equal(t, 2, b.count(t, "shadow_match"))
	require.Zero(t, b.count(t, "held_match"))
	require.Zero(t, b.count(t, "match_group"))
}

// However often a batch is matched, what was decided stays: also when all of it is published and matched once more.
func TestThrottledBatchesCanBeMatchedAgain(t *testing.T) {
	t.Parallel()
	for _, throttle := range []string{`{"once_within": "10m"}`, `{"at_least": 2, "within": "10m"}`} {
		b := setup(t)
		b.throttled(t, throttle)
		id := b.poll(t, "", numbered(5)...)[0].ID
		b.generate(t, id)
		rulesets, matches := b.evaluate(t, id)
		first, err := b.CommitEnforcements(b.ctx, id, rulesets, matches, nil)
		require.NoError(t, err)
		held := b.held(t)
		for _, status := range []string{"matched", "generated"} {
			b.exec(t, `update attune.poll_batch set status = $1`, status)
			_, matches := b.evaluate(t, id)
			again, err := b.CommitEnforcements(b.ctx, id, rulesets, matches, nil)
			require.NoError(t, err)
			require.Len(t, again, len(first))
			for i := range again {
				require.Equal(t, first[i].ID, again[i].ID)
				require.JSONEq(t, string(first[i].Config), string(again[i].Config))
			}
			require.Equal(t, held, b.held(t))
		}
	}
}

// TestThrottlesAreExactUnderConcurrency has many batches of the same groups matched at once.
func TestThrottlesAreExactUnderConcurrency(t *testing.T) {
	t.Parallel()
	const batches, events, hosts = 24, 20, 4
	for throttle, want := range map[string]int{
		`{"once_within": "1h", "group_by": ["payload.host"]}`:             hosts,
		`{"at_least": 7, "within": "1h", "group_by": ["payload.host"]}`:   hosts * (batches * events / hosts / 7),
		`{"at_least": 100, "within": "1h", "group_by": ["payload.host"]}`: hosts * (batches * events / hosts / 100),
	} {
		b := setup(t)
		b.throttled(t, throttle)
		var ids []int64
		for range batches {
			var payloads []string
			for n := range events {
				payloads = append(payloads, fmt.Sprintf(`{"host": %d}`, n%hosts))
			}
			id := b.poll(t, "", payloads...)[0].ID
			b.generate(t, id)
			ids = append(ids, id)
		}
		errs := make([]error, len(ids))
		var wg sync.WaitGroup
		for i, id := range ids {
			rulesets, matches := b.evaluate(t, id)
			for range 2 { // two workers that both believe they own the sensor
				wg.Go(func() {
					if _, err := b.CommitEnforcements(b.ctx, id, rulesets, matches, nil); err != nil {
						errs[i] = err
					}
				})
			}
		}
		wg.Wait()
		for _, err := range errs {
			require.NoError(t, err)
		}
		require.Equal(t, want, b.count(t, "enforcement"), throttle)
		require.Equal(t, batches*events-want, b.count(t, "held_match"), throttle)
		require.Equal(t, hosts, b.count(t, "match_group"), throttle)
		if throttle[2] == 'a' {
			var odd int
			require.NoError(t, b.db.QueryRow(b.ctx, `
				select count(*) from attune.enforcement n
				where (n.config -> 'group' ->> 'count')::int <> 1 + (select count(*) from attune.held_match h where h.answered_by = n.event)`).Scan(&odd))
			require.Zero(t, odd, "each order says how many it stands for")
		}
	}
}
