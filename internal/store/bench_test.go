package store_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/internal/sensor"
)

// fullPoll is a batch of the largest size with payloads of half a KB that have many fields, as most do.
func fullPoll() []string {
	payloads := make([]string, sensor.MaxBatch)
	for i := range payloads {
		var fields strings.Builder
		for f := range 12 {
			fmt.Fprintf(&fields, `,"field_%d":"value %d of row %d"`, f, f*7919, i)
		}
		payloads[i] = fmt.Sprintf(`{"n":%d%s,"tags":["one","two"],"nested":{"ok":true,"ratio":0.25}}`, i, fields.String())
	}
	return payloads
}

func BenchmarkAppend(b *testing.B) {
	s := setup(b)
	payloads := fullPoll()
	for b.Loop() {
		id := s.poll(b, `1`, payloads...)[0].ID
		b.StopTimer()
		s.process(b, id)
		b.StartTimer()
	}
	perEvent(b, 1)
}

// BenchmarkAppendKeys is BenchmarkAppend of payloads that all have a key, of which none or all are there already.
func BenchmarkAppendKeys(b *testing.B) {
	for _, repeated := range []bool{false, true} {
		b.Run(fmt.Sprintf("repeated=%t", repeated), func(b *testing.B) {
			s := setup(b)
			part := newPart(`1`, fullPoll()...)
			keys := 0
			for b.Loop() {
				b.StopTimer()
				for i := range part.Items {
					part.Items[i].Key = fmt.Sprintf("%040d", keys+i)
				}
				if !repeated {
					keys += len(part.Items)
				}
				turn := s.turn(b)
				turn.Sensor.DedupeTTL = time.Hour
				b.StartTimer()
				appended := s.append(b, turn, part)
				b.StopTimer()
				for _, head := range appended.Batches {
					s.process(b, head.ID)
				}
				b.StartTimer()
			}
			perEvent(b, 1)
			var bytes int
			require.NoError(b, s.db.QueryRow(s.ctx, `
				select pg_total_relation_size('attune.event_key') / greatest(count(*), 1) from attune.event_key`).Scan(&bytes))
			b.ReportMetric(float64(bytes), "B/key")
		})
	}
}

func BenchmarkCommitEvents(b *testing.B) {
	s := setup(b)
	payloads := fullPoll()
	for b.Loop() {
		b.StopTimer()
		id := s.poll(b, `1`, payloads...)[0].ID
		batch := s.batch(b, id)
		events := newEvents(batch)
		b.StartTimer()
		_, err := s.CommitEvents(s.ctx, batch, events, nil)
		b.StopTimer()
		require.NoError(b, err)
		s.match(b, id)
		s.finish(b, id)
		b.StartTimer()
	}
	perEvent(b, 1)
}

func BenchmarkCommitEnforcements(b *testing.B) {
	for _, rules := range []int{1, 10} {
		b.Run(fmt.Sprintf("rules=%d", rules), func(b *testing.B) {
			s := setup(b)
			s.exec(b, `delete from attune.rule`)
			s.exec(b, `
				insert into attune.rule (ref, pack, label, trigger, trigger_ref, conditions, action_ref, action_params)
				select 'shop.rule' || n, t.pack, 'Rule', t.id, t.ref,
					'[{"field": "payload.n", "operator": "greater_than", "value": 100}]', 'mail.send', '{"to": "boss"}'
				from attune.trigger t, generate_series(1, $1::int) n`, rules)
			set, err := s.Ruleset(s.ctx, triggerRef)
			require.NoError(b, err)
			payloads := fullPoll()
			for b.Loop() {
				b.StopTimer()
				id := s.poll(b, `1`, payloads...)[0].ID
				matches := matchAll(s.generate(b, id), set.Rules)
				b.StartTimer()
				_, err := s.CommitEnforcements(s.ctx, id, versions(set), matches, nil)
				b.StopTimer()
				require.NoError(b, err)
				s.finish(b, id)
				b.StartTimer()
			}
			perEvent(b, rules)
		})
	}
}

func BenchmarkTurn(b *testing.B) {
	s := setup(b)
	for b.Loop() {
		_, err := s.Turn(s.ctx, sensorRef)
		require.NoError(b, err)
	}
}

func BenchmarkRulesetVersion(b *testing.B) {
	s := setup(b)
	for b.Loop() {
		_, err := s.RulesetVersion(s.ctx, triggerRef)
		require.NoError(b, err)
	}
}

// perEvent adds the rows a second of batches with that many rows an event.
func perEvent(b *testing.B, rows int) {
	b.ReportMetric(float64(b.N*sensor.MaxBatch*rows)/b.Elapsed().Seconds(), "rows/s")
}

// BenchmarkCommitThrottled is BenchmarkCommitEnforcements of one rule that holds back most of its matches, in ten groups.
func BenchmarkCommitThrottled(b *testing.B) {
	for _, throttle := range []string{
		`{"once_within": "1h", "group_by": ["n"]}`, `{"at_least": 10, "within": "1h", "group_by": ["n"]}`, `{"once_after": "1h", "group_by": ["n"]}`,
	} {
		b.Run(throttle[2:12], func(b *testing.B) {
			s := setup(b)
			s.exec(b, `delete from attune.rule where ref <> 'shop.every'`)
			s.throttled(b, throttle)
			set, err := s.Ruleset(s.ctx, triggerRef)
			require.NoError(b, err)
			payloads := fullPoll()
			for b.Loop() {
				b.StopTimer()
				id := s.poll(b, `1`, payloads...)[0].ID
				matches := matchAll(s.generate(b, id), set.Rules)
				for i := range matches {
					matches[i].Grouping = &sensor.Grouping{Key: fmt.Sprintf(`{"n":%d}`, i%10), Render: unrendered}
				}
				b.StartTimer()
				_, err := s.CommitEnforcements(s.ctx, id, versions(set), matches, nil)
				b.StopTimer()
				require.NoError(b, err)
				s.finish(b, id)
				b.StartTimer()
			}
			perEvent(b, 1)
		})
	}
}

// BenchmarkCommitCorrelated is BenchmarkCommitThrottled of a correlation, half of whose matches complete a group each.
func BenchmarkCommitCorrelated(b *testing.B) {
	s := setup(b)
	s.exec(b, `delete from attune.rule`)
	s.correlated(b, true, "placed", "sent")
	set, err := s.Ruleset(s.ctx, triggerRef)
	require.NoError(b, err)
	payloads := fullPoll()
	for b.Loop() {
		b.StopTimer()
		id := s.poll(b, `1`, payloads...)[0].ID
		events := s.generate(b, id)
		matches := make([]sensor.Match, len(events))
		for i := range events {
			key := fmt.Sprintf(`{"n":%d}`, i/2)
			matches[i] = sensor.Match{Event: &events[i], Rule: &set.Rules[i%2], Grouping: &sensor.Grouping{Key: key, Render: unrendered}}
		}
		b.StartTimer()
		_, err := s.CommitEnforcements(s.ctx, id, versions(set), matches, nil)
		b.StopTimer()
		require.NoError(b, err)
		s.finish(b, id)
		b.StartTimer()
	}
	perEvent(b, 1)
}

func unrendered(context.Context, json.RawMessage) (json.RawMessage, string, error) {
	return nil, "", nil
}
