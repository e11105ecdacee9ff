package backtest_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/internal/backtest"
	"github.com/attune-automation/sensors/internal/sensor"
	"github.com/attune-automation/sensors/internal/store"
	"github.com/attune-automation/sensors/internal/testenv"
)

// stored is how many events the benchmarks read: a week of three a second.
const stored = 2_000_000

// BenchmarkRun tests a rule of two conditions on two million events of 180 bytes that are in PostgreSQL. Beside it is the floor:
// the payloads of the same events, read by one statement and dropped.
func BenchmarkRun(b *testing.B) {
	url := testenv.Database(b)
	db, err := pgxpool.New(b.Context(), url)
	require.NoError(b, err)
	b.Cleanup(db.Close)
	_, err = db.Exec(b.Context(), `
		with b as (
			insert into attune.poll_batch (trigger_ref, seq, status, count, config, done) values ('shop.order', 0, 'done', $1, '{}', now())
			returning id)
		insert into attune.event (batch, position, trigger_ref, config, payload, created)
		select b.id, n, 'shop.order', '{"trigger": {"ref": "shop.order"}}', jsonb_build_object('order', 'o-' || n, 'total', n % 1000,
			'country', case when n % 7 = 0 then 'de' else 'fr' end, 'items', jsonb_build_array('a', 'b'), 'note', repeat('x', 100)),
			now() - interval '7 days' + n * interval '0.3 s'
		from b, generate_series(0, $1::int - 1) n`, stored)
	require.NoError(b, err)
	_, err = db.Exec(b.Context(), `vacuum analyze attune.event`)
	require.NoError(b, err)

	b.Run("of=backtest", func(b *testing.B) {
		s, err := store.New(b.Context(), store.Config{URL: url, MaxConnections: 2})
		require.NoError(b, err)
		b.Cleanup(s.Close)
		since := time.Now().AddDate(0, 0, -8)
		selection, err := s.SelectEvents(b.Context(), sensor.Replay{TriggerRefs: []string{"shop.order"}, Since: &since})
		require.NoError(b, err)
		big := &sensor.Rule{Ref: "shop.big", TriggerRef: "shop.order", Condition: "all", Conditions: json.RawMessage(`[
			{"field": "total", "operator": "greater_than", "value": 990}, {"field": "country", "operator": "equals", "value": "de"}]`)}
		for b.Loop() {
			report, err := backtest.Run(b.Context(), backtest.Config{Source: s, Selection: selection, Rule: big})
			require.NoError(b, err)
			require.EqualValues(b, stored, report.Events)
			require.EqualValues(b, 2571, report.Matches)
		}
		perSecond(b)
	})
	b.Run("of=reading", func(b *testing.B) {
		for b.Loop() {
			rows, err := db.Query(b.Context(), `select id, payload from attune.event where trigger_ref = 'shop.order' order by id`)
			require.NoError(b, err)
			n := 0
			for rows.Next() {
				n += len(rows.RawValues()) / 2
			}
			require.NoError(b, rows.Err())
			require.Equal(b, stored, n)
		}
		perSecond(b)
	})
}

func perSecond(b *testing.B) {
	b.ReportMetric(float64(stored)*float64(b.N)/b.Elapsed().Seconds(), "events/s")
}
