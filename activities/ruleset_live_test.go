package activities

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"github.com/attune-automation/sensors/internal/sensor"
	"github.com/attune-automation/sensors/internal/store"
	"github.com/attune-automation/sensors/internal/testenv"
)

const manyTrigger = "many.event"

// countingStore counts how a worker reads rules.
type countingStore struct {
	*store.Store
	loads, rules atomic.Int64
}

func (s *countingStore) Ruleset(ctx context.Context, ref string) (sensor.Ruleset, error) {
	s.loads.Add(1)
	return s.Store.Ruleset(ctx, ref)
}

func (s *countingStore) RulesetSince(ctx context.Context, ref string, version int64) (sensor.RulesetChange, error) {
	change, err := s.Store.RulesetSince(ctx, ref, version)
	s.rules.Add(int64(len(change.Rules) + len(change.Gone)))
	return change, err
}

// manyWorkers is workers that share a trigger of very many rules.
type manyWorkers struct {
	store  *store.Store
	caches []*ruleCache
	counts []*countingStore
}

// newManyWorkers writes n rules, of which rule i matches the payload {"n": i}.
func newManyWorkers(t *testing.T, n, workers int) *manyWorkers {
	t.Helper()
	url := testenv.Database(t)
	s, err := store.New(t.Context(), store.Config{URL: url, MaxConnections: 10})
	require.NoError(t, err)
	t.Cleanup(s.Close)
	db, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	defer func() { require.NoError(t, db.Close(t.Context())) }()
	_, err = db.Exec(t.Context(), fmt.Sprintf(`
		insert into attune.pack_archive (digest, content) values (repeat('a', 64), 'files');
		insert into attune.pack (ref, label, digest) values ('many', 'Many', repeat('a', 64));
		insert into attune.trigger (ref, pack, label, ruleset) select '%s', id, 'Event', 1 from attune.pack;
		insert into attune.rule (ref, pack, label, trigger, trigger_ref, conditions, action_ref, ruleset)
		select 'many.r' || i, pack, 'Rule', id, ref,
			jsonb_build_array(jsonb_build_object('field', 'n', 'operator', 'equals', 'value', i)), 'a.b', 1
		from attune.trigger, generate_series(1, %d) i;
		analyze attune.rule`, manyTrigger, n))
	require.NoError(t, err)
	m := &manyWorkers{store: s}
	for range workers {
		counting := &countingStore{Store: s}
		m.counts = append(m.counts, counting)
		m.caches = append(m.caches, newRuleCache(counting, zap.NewNop()))
	}
	return m
}

// matches returns the rules that each worker finds for a payload, which have to be the same.
func (m *manyWorkers) matches(t *testing.T, payload string) []string {
	t.Helper()
	events := []sensor.Event{{TriggerRef: manyTrigger, Payload: json.RawMessage(payload), Config: json.RawMessage(`{}`)}}
	var all [][]string
	for _, cache := range m.caches {
		rules, err := cache.of(t.Context(), events)
		require.NoError(t, err)
		found, err := rules.match(t.Context(), events, nil)
		require.NoError(t, err)
		refs := []string{}
		for _, match := range found.matches {
			refs = append(refs, match.Rule.Ref)
		}
		all = append(all, refs)
		require.Equal(t, all[0], refs)
	}
	return all[0]
}

// apply applies a pack of one rule, for payloads with this n; 0: of none.
func (m *manyWorkers) apply(t *testing.T, n int) {
	t.Helper()
	pack := sensor.Pack{Ref: "extra", Label: "Extra", Digest: strings.Repeat("b", 64), Archive: []byte("code")}
	if n > 0 {
		pack.Rules = []sensor.Rule{{
			Ref: "extra.one", Label: "One", TriggerRef: manyTrigger, Condition: "all", Enabled: true, ActionRef: "a.b",
			Conditions: fmt.Appendf(nil, `[{"field": "n", "operator": "equals", "value": %d}]`, n), ActionParams: json.RawMessage(`{}`),
		}}
	}
	_, err := m.store.ApplyPack(t.Context(), pack, store.ApplyOptions{Prune: true})
	require.NoError(t, err)
}

// TestOneOfManyRulesChanges proves that a change of one rule is in force on every worker at its next batch, that it is all
// that a worker reads then, and that batches that are being matched do not wait for it.
func TestOneOfManyRulesChanges(t *testing.T) {
	t.Parallel()
	const many, workers = 100_000, 2
	m := newManyWorkers(t, many, workers)
	require.Equal(t, []string{"many.r5"}, m.matches(t, `{"n": 5}`))

	stop, longest := m.matchOn(t)
	var slowest time.Duration
	for _, n := range []int{5, 6, 7, 0} {
		m.apply(t, n)
		start := time.Now()
		for probe := 5; probe <= 7; probe++ {
			want := []string{fmt.Sprintf("many.r%d", probe)}
			if probe == n {
				want = []string{"extra.one", want[0]}
			}
			require.Equal(t, want, m.matches(t, fmt.Sprintf(`{"n": %d}`, probe)))
		}
		slowest = max(slowest, time.Since(start))
	}
	stop()
	for _, count := range m.counts {
		require.EqualValues(t, 1, count.loads.Load(), "all rules are read once")
		require.EqualValues(t, 4, count.rules.Load(), "and then what changes")
	}
	t.Logf("a change is in force on %d workers within %v; the longest match of an event took %v", workers, slowest, time.Duration(longest.Load()))
	require.Less(t, slowest, 2*time.Second)
}

// matchOn matches events one after the other until it is stopped, on rules that change meanwhile, and keeps the longest
// time that one took.
func (m *manyWorkers) matchOn(t *testing.T) (stop func(), longest *atomic.Int64) {
	ctx, cancel := context.WithCancel(t.Context())
	longest = &atomic.Int64{}
	done := make(chan error, 1)
	events := []sensor.Event{{TriggerRef: manyTrigger, Payload: json.RawMessage(`{"n": 99}`), Config: json.RawMessage(`{}`)}}
	go func() {
		for ctx.Err() == nil {
			rules, err := m.caches[0].of(context.WithoutCancel(ctx), events)
			if err != nil {
				done <- err
				return
			}
			start := time.Now()
			found, err := rules.match(context.WithoutCancel(ctx), events, nil)
			longest.Store(max(longest.Load(), int64(time.Since(start))))
			if err != nil || len(found.matches) != 1 {
				done <- fmt.Errorf("%d matches: %w", len(found.matches), err)
				return
			}
		}
		done <- nil
	}()
	return func() {
		cancel()
		require.NoError(t, <-done)
	}, longest
}
