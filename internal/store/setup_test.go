package store_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/internal/sensor"
	"github.com/attune-automation/sensors/internal/store"
	"github.com/attune-automation/sensors/internal/testenv"
)

const (
	sensorRef  = "shop.orders"
	triggerRef = "shop.order"
)

// digest is that of the pack's archive.
var digest = strings.Repeat("a", 64)

// bundle is a store on a database of its own that holds one pack: a trigger, a sensor of it and three rules, the last
// of them disabled.
type bundle struct {
	*store.Store
	ctx context.Context
	db  *pgxpool.Pool // for what no method does
}

func setup(t testing.TB) *bundle {
	t.Helper()
	return setupAt(t, testenv.Database(t))
}

// setupAlterable is setup for a test that changes the schema.
func setupAlterable(t testing.TB) *bundle {
	t.Helper()
	url := testenv.EmptyDatabase(t)
	_, err := store.Migrate(context.Background(), url)
	require.NoError(t, err)
	return setupAt(t, url)
}

func setupAt(t testing.TB, url string) *bundle {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	t.Cleanup(cancel)
	s, err := store.New(ctx, store.Config{URL: url, MaxConnections: 25})
	require.NoError(t, err)
	t.Cleanup(s.Close)
	db, err := pgxpool.New(ctx, url)
	require.NoError(t, err)
	t.Cleanup(db.Close)
	_, err = db.Exec(ctx, `
		insert into attune.pack_archive (digest, content) values (repeat('a', 64), 'files');
		insert into attune.pack (ref, label, digest) values ('shop', 'Shop', repeat('a', 64));
		insert into attune.trigger (ref, pack, label, description, out_schema, ruleset)
		select 'shop.order', id, 'Order', 'An order came in.', '{"type": "object"}', 7 from attune.pack;
		insert into attune.sensor (ref, pack, label, description, entrypoint, runtime_ref, trigger, trigger_ref, config,
			poll_interval, timeout, max_restart_attempts, restart_on_error)
		select 'shop.orders', pack, 'Orders', 'Watches orders.', 'sensors/orders.py', 'core.python3', id, ref,
			'{"url": "http://shop"}', '1 day 90 seconds', '1500 milliseconds', 5, false from attune.trigger;
		insert into attune.rule (ref, pack, label, trigger, trigger_ref, condition, conditions, action_ref, action_params,
			enabled, ruleset)
		select v.ref, t.pack, v.ref, t.id, t.ref, v.condition, v.conditions::jsonb, 'mail.send', v.params::jsonb,
			v.enabled, v.ruleset
		from attune.trigger t, (values
			('shop.every', 'all', '[]', '{}', true, 3),
			('shop.big', 'any', '[{"field": "total", "operator": "greater_than", "value": 100}]', '{"to": "boss"}', true, 7),
			('shop.off', 'all', '[]', '{}', false, 5)
		) v (ref, condition, conditions, params, enabled, ruleset)`)
	require.NoError(t, err)
	return &bundle{Store: s, ctx: ctx, db: db}
}

// poll does a whole poll: it reads the turn and stores payloads and cursor.
func (b *bundle) poll(t testing.TB, cursor string, payloads ...string) []sensor.BatchHead {
	t.Helper()
	turn := b.turn(t)
	return b.append(t, turn, newPart(cursor, payloads...)).Batches
}

func (b *bundle) turn(t testing.TB) sensor.Turn {
	t.Helper()
	turn, err := b.Turn(b.ctx, sensorRef)
	require.NoError(t, err)
	return turn
}

func (b *bundle) append(t testing.TB, turn sensor.Turn, part sensor.Part) sensor.Appended {
	t.Helper()
	appended, err := b.Append(b.ctx, turn, part)
	require.NoError(t, err)
	return appended
}

// generate commits all payloads of a batch as events.
func (b *bundle) generate(t testing.TB, id int64) []sensor.Event {
	t.Helper()
	batch := b.batch(t, id)
	events, err := b.CommitEvents(b.ctx, batch, newEvents(batch), nil)
	require.NoError(t, err)
	return events
}

// match commits an enforcement of every enabled rule of its trigger for every event.
func (b *bundle) match(t testing.TB, id int64) []sensor.Enforcement {
	t.Helper()
	events, err := b.EventsOfBatch(b.ctx, id)
	require.NoError(t, err)
	sets, rulesets := map[string]sensor.Ruleset{}, map[string]int64{}
	var matches []sensor.Match
	for i := range events {
		trigger := events[i].TriggerRef
		if _, ok := sets[trigger]; !ok {
			sets[trigger], err = b.Ruleset(b.ctx, trigger)
			require.NoError(t, err)
			rulesets[trigger] = sets[trigger].Version
		}
		matches = append(matches, matchAll(events[i:i+1], sets[trigger].Rules)...)
	}
	enforcements, err := b.CommitEnforcements(b.ctx, id, rulesets, matches, nil)
	require.NoError(t, err)
	return enforcements
}

func (b *bundle) finish(t testing.TB, id int64) {
	t.Helper()
	require.NoError(t, b.FinishBatch(b.ctx, id))
}

// process takes a batch from stored to done.
func (b *bundle) process(t testing.TB, id int64) {
	t.Helper()
	b.generate(t, id)
	b.match(t, id)
	b.finish(t, id)
}

func (b *bundle) batch(t testing.TB, id int64) sensor.Batch {
	t.Helper()
	batch, err := b.Batch(b.ctx, id)
	require.NoError(t, err)
	return batch
}

func (b *bundle) count(t testing.TB, table string) int {
	t.Helper()
	var n int
	require.NoError(t, b.db.QueryRow(b.ctx, "select count(*) from attune."+table).Scan(&n))
	return n
}

func (b *bundle) exec(t testing.TB, sql string, args ...any) {
	t.Helper()
	_, err := b.db.Exec(b.ctx, sql, args...)
	require.NoError(t, err)
}

func newPart(cursor string, payloads ...string) sensor.Part {
	var part sensor.Part
	if cursor != "" {
		part.Cursor = json.RawMessage(cursor)
	}
	for _, p := range payloads {
		part.Items = append(part.Items, sensor.Item{Payload: []byte(p)})
	}
	return part
}

// newEvents takes every payload of a batch.
func newEvents(batch sensor.Batch) []sensor.NewEvent {
	events := make([]sensor.NewEvent, len(batch.Payloads))
	for i := range events {
		item := batch.Item(i)
		events[i] = sensor.NewEvent{
			Position: i, Payload: item.Payload, TriggerRef: item.TriggerRef, OccurredAt: item.OccurredAt,
		}
	}
	return events
}

// versions is what a batch is matched by if all of it is of one trigger.
func versions(set sensor.Ruleset) map[string]int64 {
	return map[string]int64{set.TriggerRef: set.Version}
}

func matchAll(events []sensor.Event, rules []sensor.Rule) []sensor.Match {
	var matches []sensor.Match
	for i := range events {
		for j := range rules {
			matches = append(matches, sensor.Match{Event: &events[i], Rule: &rules[j]})
		}
	}
	return matches
}

// numbered returns n payloads that tell their place.
func numbered(n int) []string {
	payloads := make([]string, n)
	for i := range payloads {
		payloads[i] = fmt.Sprintf(`{"n": %d}`, i)
	}
	return payloads
}

// refusedPayloads are JSON to Go, or to most, but not to PostgreSQL.
func refusedPayloads() map[string]string {
	return map[string]string{
		"NUL":             `{"a": "\u0000"}`,
		"lone surrogate":  `{"a": "\ud800"}`,
		"huge number":     `{"a": 1e131073}`,
		"absurd depth":    strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000),
		"invalid UTF-8":   "{\"a\": \"\xff\"}",
		"raw NUL":         "{\"a\": \"\x00\"}",
		"not JSON at all": `{"a": `,
	}
}

func mapValues(m map[string]string) []string { return slices.Sorted(maps.Values(m)) }
