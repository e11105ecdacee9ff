package activities

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"github.com/attune-automation/sensors/internal/rule"
	"github.com/attune-automation/sensors/internal/sensor"
)

// counted is metrics of rules.
type counted struct {
	uncounted
	mu     sync.Mutex
	counts map[string]int
}

func (c *counted) add(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.counts[name]++
}

func (c *counted) Overrun(trigger, part string) { c.add(trigger + " overrun " + part) }

// TestStrikes proves after how many overruns a rule is to be tripped.
func TestStrikes(t *testing.T) {
	t.Parallel()
	metrics := &counted{counts: map[string]int{}}
	s := newStrikes(RuleLimits{Evaluation: 50 * time.Millisecond, Overruns: 3, Within: time.Minute}, metrics, zap.NewNop())
	r := &sensor.Rule{Ref: "r.slow", TriggerRef: "t.a", Version: 1}
	now := time.Now()
	count := func(event int64, after time.Duration, o rule.Overrun) error {
		o.Rule, o.Part = r, rule.PartCEL
		return s.count(&sensor.Event{ID: event}, []rule.Overrun{o}, now.Add(after))
	}
	slow := rule.Overrun{Took: 80 * time.Millisecond}

	require.NoError(t, count(1, 0, slow))
	require.NoError(t, count(2, time.Second, slow))
	require.NoError(t, count(2, 2*time.Second, slow), "the same event once more, say because its batch was tried again")
	require.NoError(t, count(3, 61*time.Second, slow), "the first is long ago")
	r.Version = 2
	require.NoError(t, count(4, 61*time.Second, slow), "another version begins anew")
	require.NoError(t, count(5, 61*time.Second, slow))
	require.EqualError(t, count(6, 61*time.Second, slow),
		`rule "r.slow" is to be tripped: 3 evaluations within 1m0s took more than 50ms: the last one 80ms, on event 6, mostly in its cel`)
	r.Version = 3
	require.EqualError(t, count(7, 61*time.Second, rule.Overrun{Took: time.Second, Cut: true}),
		`rule "r.slow" is to be tripped: its evaluation on event 7 was ended after 1s, in its cel: 50ms are allowed`)
	require.Equal(t, map[string]int{"t.a overrun cel": 8}, metrics.counts)

	costly := rule.Overrun{Cost: true}
	r.Version = 4
	require.NoError(t, count(8, 62*time.Second, costly))
	require.NoError(t, count(9, 62*time.Second, slow))
	require.EqualError(t, count(10, 62*time.Second, costly), `rule "r.slow" is to be tripped: `+
		`3 evaluations within 1m0s took more than 50ms or cost more than 200000: the last one was ended for its cost on event 10, in its cel`)
	r.Version = 5
	require.NoError(t, count(11, 62*time.Second, costly))
	require.NoError(t, count(12, 62*time.Second, costly))
	require.EqualError(t, count(13, 62*time.Second, costly), `rule "r.slow" is to be tripped: `+
		`3 evaluations within 1m0s cost more than 200000: the last one was ended for its cost on event 13, in its cel`)
}

// tripStore has a slow rule and a fast one until the slow one is tripped.
type tripStore struct {
	MatchStore
	slow    sensor.Rule
	tripped []string
}

func (s *tripStore) RulesetVersion(context.Context, string) (int64, error) {
	return int64(1 + len(s.tripped)), nil
}

func (s *tripStore) Ruleset(_ context.Context, trigger string) (sensor.Ruleset, error) {
	return sensor.Ruleset{TriggerRef: trigger, Version: 1, Rules: []sensor.Rule{
		s.slow, {Ref: "r.fast", TriggerRef: trigger, Conditions: json.RawMessage(`[]`)},
	}}, nil
}

func (s *tripStore) RulesetSince(context.Context, string, int64) (sensor.RulesetChange, error) {
	return sensor.RulesetChange{Version: int64(1 + len(s.tripped)), Gone: []string{s.slow.Ref}}, nil
}

func (s *tripStore) TripRule(_ context.Context, ref string, version int64, reason string) (bool, error) {
	s.tripped = append(s.tripped, fmt.Sprintf("%s %d: %s", ref, version, reason))
	return true, nil
}

// TestSlowRuleIsTripped matches a batch of which each event takes some milliseconds because of one rule.
func TestSlowRuleIsTripped(t *testing.T) {
	t.Parallel()
	list := "[" + strings.TrimSuffix(strings.Repeat("1, ", 150), ", ") + "]"
	events := make([]sensor.Event, 20)
	for i := range events {
		events[i] = sensor.Event{ID: int64(i + 1), TriggerRef: "t.a", Payload: json.RawMessage(`{"list": ` + list + `}`), Config: json.RawMessage(`{}`)}
	}
	slow := sensor.Rule{
		Ref: "r.slow", TriggerRef: "t.a", Version: 7, Conditions: json.RawMessage(`[]`),
		CEL: `!payload.list.exists(a, payload.list.exists(b, a + b == -1))`,
	}
	took := time.Hour // on this machine, if it has nothing else to do
	for range 5 {
		began := time.Now()
		_, _, err := NewMatcher(MatcherConfig{Store: &tripStore{slow: slow}, Logger: zap.NewNop()}).evaluate(t.Context(), events[:1])
		require.NoError(t, err)
		took = min(took, time.Since(began))
	}
	for name, test := range map[string]struct {
		limits  RuleLimits
		tripped string
		matches int
	}{
		"no limit":           {RuleLimits{}, "", 40},
		"within its limit":   {RuleLimits{Evaluation: time.Minute, Overruns: 1, Within: time.Hour}, "", 40},
		"too few overruns":   {RuleLimits{Evaluation: took / 8, Overruns: 21, Within: time.Hour}, "", 40},
		"too many overruns":  {RuleLimits{Evaluation: took / 8, Overruns: 3, Within: time.Hour}, "r.slow 7: 3 evaluations within", 20},
		"cut off in its way": {RuleLimits{Evaluation: took / 1000, Overruns: 100, Within: time.Hour}, "r.slow 7: its evaluation on event", 20},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store, metrics := &tripStore{slow: slow}, &counted{counts: map[string]int{}}
			m := NewMatcher(MatcherConfig{Store: store, Metrics: metrics, Logger: zap.NewNop(), Limits: test.limits})
			rules, found, err := m.evaluate(t.Context(), events)
			require.NoError(t, err)
			require.Len(t, found.matches, test.matches, "matched with a rule, or without it")
			if test.tripped == "" {
				require.Empty(t, store.tripped)
				return
			}
			require.Len(t, store.tripped, 1)
			require.Contains(t, store.tripped[0], test.tripped)
			require.Equal(t, map[string]int64{"t.a": 2}, rules.versions())
			require.Positive(t, metrics.counts["t.a overrun cel"])
		})
	}
}

// TestCostlyRuleIsTripped matches events of which one rule has no result, because that would cost too much, whether or not
// time is measured.
func TestCostlyRuleIsTripped(t *testing.T) {
	t.Parallel()
	list := "[" + strings.Repeat("0, ", 329) + "0]"
	events := make([]sensor.Event, 5)
	for i := range events {
		events[i] = sensor.Event{ID: int64(i + 1), TriggerRef: "t.a", Payload: json.RawMessage(`{"list": ` + list + `}`), Config: json.RawMessage(`{}`)}
	}
	costly := sensor.Rule{
		Ref: "r.slow", TriggerRef: "t.a", Version: 7, Conditions: json.RawMessage(`[]`),
		CEL: `!payload.list.exists(a, payload.list.exists(b, a + b == -1))`,
	}
	failing := costly
	failing.CEL = `payload.nope == 1`
	for name, test := range map[string]struct {
		rule     sensor.Rule
		measured time.Duration
		events   int
		tripped  bool
		errors   int64
		overruns int
	}{
		"often":              {costly, time.Hour, 5, true, 0, 5},
		"not often":          {costly, time.Hour, 4, false, 4, 4},
		"slow as well":       {costly, time.Microsecond * 100, 4, false, 4, 4},
		"without a limit":    {costly, 0, 5, true, 0, 5},
		"for another reason": {failing, time.Hour, 5, false, 5, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store, metrics := &tripStore{slow: test.rule}, &counted{counts: map[string]int{}}
			limits := RuleLimits{Evaluation: test.measured, Overruns: 5, Within: time.Minute}
			m := NewMatcher(MatcherConfig{Store: store, Metrics: metrics, Logger: zap.NewNop(), Limits: limits})
			_, found, err := m.evaluate(t.Context(), events[:test.events])
			if name == "slow as well" && len(store.tripped) > 0 {
				require.Contains(t, store.tripped[0], "was ended after", "this machine is slow")
				return
			}
			require.NoError(t, err)
			require.Len(t, found.matches, test.events)
			require.Equal(t, test.tripped, len(store.tripped) == 1, store.tripped)
			if test.tripped {
				require.Contains(t, store.tripped[0], "5 evaluations within 1m0s cost more than 200000")
			}
			var errors int64
			for _, e := range found.failed.list() {
				require.Equal(t, "r.slow", e.Rule.Ref)
				require.EqualValues(t, test.events, e.LastEvent)
				errors += e.Count
			}
			require.Equal(t, test.errors, errors)
			require.Equal(t, test.overruns, metrics.counts["t.a overrun cel"])
		})
	}
}
