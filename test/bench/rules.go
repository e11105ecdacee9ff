package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/internal/condition"
	"github.com/attune-automation/sensors/internal/rule"
	"github.com/attune-automation/sensors/internal/sensor"
)

// A rulesMix is a kind of rules, of which each is about another repository or team, by its number. Of any event one
// matches, or a few.
type rulesMix struct {
	name string
	of   func(i int) string
}

func rulesMixes() []rulesMix {
	equality := func(i int) string {
		return fmt.Sprintf(`[{"field": "forced", "operator": "equals", "value": false},
			{"field": "repository.full_name", "operator": "equals", "value": "acme/site-%d"}]`, i)
	}
	prefix := func(i int) string {
		return fmt.Sprintf(`[{"field": "ref", "operator": "starts_with", "value": "refs/heads/team-%d/"}]`, i)
	}
	span := func(i int) string {
		return fmt.Sprintf(`[{"field": "size", "operator": "greater_or_equal", "value": %d}, {"field": "size", "operator": "less_than", "value": %d}]`, i, i+3)
	}
	regex := func(i int) string {
		return fmt.Sprintf(`[{"field": "ref", "operator": "matches", "value": "team-%d/(fix|feature)-[0-9]+$"}]`, i)
	}
	groups := func(i int) string {
		return fmt.Sprintf(`[{"any": [{"field": "repository.full_name", "operator": "equals", "value": "acme/site-%d"},
				{"all": [{"field": "commits", "operator": "any", "value": {"field": "item.author", "operator": "equals", "value": "dev-%d"}},
					{"field": "sender.login", "operator": "not_equals", "value": "bot"}]}]},
			{"not": {"field": "forced", "operator": "equals", "value": true}}]`, i, i)
	}
	each := []func(int) string{equality, prefix, span, regex, groups}
	mixed := func(i int) string { return each[i%len(each)](i) }
	return []rulesMix{{"equality", equality}, {"prefix", prefix}, {"range", span}, {"regex", regex}, {"groups", groups}, {"mixed", mixed}}
}

// rulesEvent is what a webhook of an ordinary size brings, which is about the numbers.
func rulesEvent(i int) []byte {
	return fmt.Appendf(nil, `{"id": "12345", "ref": "refs/heads/team-%d/fix-77", "size": %d, "after": "9f2c0d8a7b", "forced": false,
	"sender": {"id": 4711, "login": "alice", "site_admin": false},
	"commits": [{"hash": "9f2c0d8a7b", "files": 4, "author": "dev-%d", "subject": "Fix the \"thing\"", "deletions": 8},
		{"hash": "77aa00bb11", "files": 2, "author": "bob", "subject": "Add tests", "deletions": 0}],
	"repository": {"stars": 12.5, "topics": ["go", "automation", "sensor"], "private": true, "full_name": "acme/site-%d"}}`, i, i, i, i)
}

// benchRules matches events against 10 to 100,000 rules of one trigger on one core: by the index, and beside it by the loop
// over all rules. An event is decoded once for all of them, which is part of it.
func benchRules(t *trial) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	for _, mix := range rulesMixes() {
		for _, n := range []int{10, 1_000, 10_000, 100_000} {
			r := t.newRules(mix, n)
			name := fmt.Sprintf("%s_%d", mix.name, n)
			t.report(name, r.rate(r.find), "events/s")
			t.report(name+"_loop", r.rate(r.loop), "events/s")
			if n == 100_000 {
				t.report(name+"_memory", r.memory, "bytes/rule")
				t.report(name+"_change", r.change().Seconds(), "s")
			}
		}
	}
}

// A rules is rules of one trigger.
type rules struct {
	*trial
	mix    rulesMix
	book   rule.Book
	set    *rule.Set
	all    []*rule.Compiled
	memory float64 // bytes a rule, with its definition, its compiled form and the index
	finder rule.Finder
}

func (t *trial) newRules(mix rulesMix, n int) *rules {
	r := &rules{trial: t, mix: mix}
	before := heap()
	for i := range n {
		require.NoError(t, r.book.Put(r.rule(i)))
	}
	r.set = r.book.Set()
	r.memory = float64(heap()-before) / float64(n)
	for i := range n {
		compiled, err := rule.Compile(r.rule(i))
		require.NoError(t, err)
		r.all = append(r.all, compiled)
	}
	return r
}

func (r *rules) rule(i int) *sensor.Rule {
	return &sensor.Rule{Ref: fmt.Sprintf("bench.rule-%d", i), Condition: "all", Conditions: json.RawMessage(r.mix.of(i))}
}

func heap() uint64 {
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc
}

// rate returns how many events are matched in a second of one core's time, whatever else the machine does.
func (r *rules) rate(match func(*rule.Document) int) float64 {
	random := rand.New(rand.NewPCG(1, 1))
	events := make([][]byte, 1000)
	for i := range events {
		events[i] = rulesEvent(random.IntN(len(r.all)))
	}
	const enough = 400 * time.Millisecond
	runtime.GC()
	done, matched := 0, 0
	start := processorTime(r)
	taken := time.Duration(0)
	for round := 1; taken < enough; round *= 2 {
		for range round {
			payload, err := condition.Decode(events[done%len(events)])
			require.NoError(r, err)
			matched += match(rule.NewDocument(condition.Document{condition.Payload: payload}))
			done++
		}
		taken = processorTime(r) - start
	}
	require.GreaterOrEqual(r, matched, done*9/10, "every event is about a rule")
	return float64(done) / taken.Seconds()
}

// processorTime is what this process has used.
func processorTime(t testing.TB) time.Duration {
	var usage syscall.Rusage
	require.NoError(t, syscall.Getrusage(syscall.RUSAGE_SELF, &usage))
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

func (r *rules) find(doc *rule.Document) int {
	matches, err := r.set.Match(context.Background(), doc, &r.finder)
	require.NoError(r, err)
	return len(matches)
}

func (r *rules) loop(doc *rule.Document) int {
	matched := 0
	for _, compiled := range r.all {
		ok, err := compiled.Match(context.Background(), doc)
		require.NoError(r, err)
		if ok {
			matched++
		}
	}
	return matched
}

// change returns what it takes, in the median, to replace one of the rules and have a set with the new one.
func (r *rules) change() time.Duration {
	const times = 101
	taken := make([]float64, times)
	for i := range taken {
		start := time.Now()
		require.NoError(r, r.book.Put(r.rule(i*7)))
		r.book.Set()
		taken[i] = float64(time.Since(start))
	}
	return time.Duration(median(taken))
}
