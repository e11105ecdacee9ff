package audit_test

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/internal/audit"
	"github.com/attune-automation/sensors/internal/messaging"
	"github.com/attune-automation/sensors/internal/sensor"
	"github.com/attune-automation/sensors/internal/store"
	"github.com/attune-automation/sensors/internal/testenv"
)

// bundle is a database with one sensor, whose first poll brought events 1, with a total of 250, and 2, with one of 5, and
// a refused payload in between, and whose second one brought event 3; and with event 4 that no sensor saw. Rule
// shop.every matches all, shop.big totals above 100, and shop.ours what the sensor saw; shop.off is disabled, and
// shop.tried, a shadow, matches all. Another
// sensor brought event 5, of another trigger and with a key, which rule shop.early matches. All batches are done.
type bundle struct {
	t     *testing.T
	ctx   context.Context
	store *store.Store
	db    *pgxpool.Pool
}

func setup(t *testing.T) *bundle {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	url := testenv.Database(t)
	s, err := store.New(ctx, store.Config{URL: url})
	require.NoError(t, err)
	t.Cleanup(s.Close)
	db, err := pgxpool.New(ctx, url)
	require.NoError(t, err)
	t.Cleanup(db.Close)
	b := &bundle{t: t, ctx: ctx, store: s, db: db}
	b.apply()
	b.poll(`{"total": 250}`, `refused`, `{"total": 5}`)
	b.poll(`{"total": 7}`)
	id, err := s.StoreSystemEvent(ctx, sensor.SystemEvent{TriggerRef: "shop.order", Payload: json.RawMessage(`{"total": 1}`)})
	require.NoError(t, err)
	b.process(id)
	b.process(b.saveRefund("settled"))
	return b
}

func (b *bundle) apply() {
	b.t.Helper()
	rule := func(name, trigger, conditions string, enabled bool) sensor.Rule {
		return sensor.Rule{
			Ref: "shop." + name, PackRef: "shop", Label: name, TriggerRef: "shop." + trigger, Condition: "all",
			Conditions: json.RawMessage(conditions), ActionRef: "mail.send", ActionParams: json.RawMessage(`{}`), Enabled: enabled,
		}
	}
	tried := rule("tried", "order", `[]`, true)
	tried.Shadow = true
	_, err := b.store.ApplyPack(b.ctx, sensor.Pack{
		Ref: "shop", Label: "Shop", Digest: strings.Repeat("a", 64), Archive: []byte("files"),
		Triggers: []sensor.Trigger{
			{Ref: "shop.order", PackRef: "shop", Label: "Order", Enabled: true},
			{Ref: "shop.refund", PackRef: "shop", Label: "Refund", Enabled: true},
		},
		Sensors: []sensor.Sensor{{
			Ref: "shop.orders", PackRef: "shop", Label: "Orders", Enabled: true, Runtime: sensor.RuntimeExec, Entrypoint: "x",
			TriggerRef: "shop.order", Config: json.RawMessage(`{}`),
		}, {
			Ref: "shop.returns", PackRef: "shop", Label: "Returns", Enabled: true, Runtime: sensor.RuntimeExec, Entrypoint: "x",
			TriggerRef: "shop.order", TriggerRefs: []string{"shop.order", "shop.refund"}, Config: json.RawMessage(`{}`),
		}},
		Rules: []sensor.Rule{
			rule("big", "order", `[{"field": "total", "operator": "greater_than", "value": 100}]`, true),
			rule("early", "refund", `[{"field": "event.occurred_at", "operator": "equals", "value": "2026-01-02T03:04:05Z"}]`, true),
			rule("every", "order", `[]`, true),
			rule("off", "order", `[]`, false), tried,
			rule("ours", "order", `[{"field": "sensor.ref", "operator": "equals", "value": "shop.orders"},
				{"field": "event.source_ref", "operator": "equals", "value": "shop.orders"}]`, true),
		},
	}, store.ApplyOptions{})
	require.NoError(b.t, err)
}

// throttled makes shop.every a rule that holds back matches.
// endVersions notes the rules as they are as versions that have ended.
const endVersions = `
	insert into attune.rule_version (rule_ref, version, trigger_ref, ruleset, ended_ruleset, definition)
	select ref, version, trigger_ref, ruleset, 1000, to_jsonb(r) from attune.rule r where ref = 'shop.every'
	on conflict (rule_ref, version) do update set ended_ruleset = 1000, definition = excluded.definition; `

const throttled = `update attune.rule set throttle = '{"once_within": "1h"}' where ref = 'shop.every'; `

func (b *bundle) poll(payloads ...string) {
	b.t.Helper()
	for _, head := range b.save(payloads...) {
		b.process(head.ID)
	}
}

// saveRefund stores an event of shop.refund, which has a key and says when it occurred.
func (b *bundle) saveRefund(key string) int64 {
	b.t.Helper()
	turn, err := b.store.Turn(b.ctx, "shop.returns")
	require.NoError(b.t, err)
	turn.Sensor.DedupeTTL = time.Hour
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	appended, err := b.store.Append(b.ctx, turn, sensor.Part{Items: []sensor.Item{
		{Payload: []byte(`{"total": 9}`), Key: key, TriggerRef: "shop.refund", OccurredAt: at},
	}})
	require.NoError(b.t, err)
	return appended.Batches[0].ID
}

func (b *bundle) save(payloads ...string) []sensor.BatchHead {
	b.t.Helper()
	turn, err := b.store.Turn(b.ctx, "shop.orders")
	require.NoError(b.t, err)
	part := sensor.Part{Cursor: json.RawMessage(`1`)}
	for _, p := range payloads {
		part.Items = append(part.Items, sensor.Item{Payload: []byte(p)})
	}
	appended, err := b.store.Append(b.ctx, turn, part)
	require.NoError(b.t, err)
	return appended.Batches
}

// process takes a batch from stored to done.
func (b *bundle) process(id int64) {
	b.t.Helper()
	batch, err := b.store.Batch(b.ctx, id)
	require.NoError(b.t, err)
	var accepted []sensor.NewEvent
	var refused []sensor.Rejection
	for i, p := range batch.Payloads {
		if item := batch.Item(i); json.Valid(p) {
			accepted = append(accepted, sensor.NewEvent{Position: i, Payload: p, TriggerRef: item.TriggerRef, OccurredAt: item.OccurredAt})
		} else {
			refused = append(refused, sensor.Rejection{Position: i, Raw: p, Reason: "no JSON"})
		}
	}
	events, err := b.store.CommitEvents(b.ctx, batch, accepted, refused)
	require.NoError(b.t, err)
	rulesets := map[string]int64{}
	var matches []sensor.Match
	for j := range events {
		e := &events[j]
		set, err := b.store.Ruleset(b.ctx, e.TriggerRef)
		require.NoError(b.t, err)
		rulesets[e.TriggerRef] = set.Version
		for i, r := range set.Rules {
			matched := map[string]bool{
				"shop.early": true, "shop.every": true, "shop.tried": true, "shop.big": strings.Contains(string(e.Payload), "250"), "shop.ours": e.SensorRef != "",
			}[r.Ref]
			if matched {
				matches = append(matches, sensor.Match{Event: e, Rule: &set.Rules[i]})
			}
		}
	}
	_, err = b.store.CommitEnforcements(b.ctx, id, rulesets, matches, nil)
	require.NoError(b.t, err)
	require.NoError(b.t, b.store.FinishBatch(b.ctx, id))
}

// messages are those of all rows.
func (b *bundle) messages() []audit.Message {
	b.t.Helper()
	events, err := b.store.Events(b.ctx, store.EventFilter{})
	require.NoError(b.t, err)
	enforcements, err := b.store.Enforcements(b.ctx, store.EnforcementFilter{})
	require.NoError(b.t, err)
	var all []audit.Message
	for _, e := range events {
		all = append(all, audit.Message{ID: messaging.EventMessageID(e.ID, e.Created), Kind: audit.KindEvent, Row: e.ID})
	}
	for _, e := range enforcements {
		all = append(all, audit.Message{ID: messaging.EnforcementMessageID(e.ID, e.Created), Kind: audit.KindEnforcement, Row: e.ID})
	}
	return all
}

func (b *bundle) run(cfg audit.Config) audit.Report {
	b.t.Helper()
	cfg.Store = b.store
	report, err := audit.Run(b.ctx, cfg)
	require.NoError(b.t, err)
	return report
}

// findings are a report's findings as lines.
func findings(r audit.Report) []string {
	lines := []string{}
	for _, f := range r.Findings {
		lines = append(lines, fmt.Sprintf("%d: %s %s", f.Invariant, f.Subject, f.Message))
	}
	return lines
}

func sequence(messages []audit.Message) iter.Seq2[audit.Message, error] {
	return func(yield func(audit.Message, error) bool) {
		for _, m := range messages {
			if !yield(m, nil) {
				return
			}
		}
	}
}
