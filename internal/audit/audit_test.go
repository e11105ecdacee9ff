package audit_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
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

func TestSoundData(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.saveRefund("waiting") // a batch in hand is no fault, and neither is its key
	messages := b.messages()
	report := b.run(audit.Config{Messages: sequence(append(messages, messages...))})
	require.Equal(t, audit.Report{
		Batches: 5, Unfinished: 1, Events: 5, Rejected: 1, Enforcements: 9, Evaluations: 21, Keys: 2, Messages: 28,
		Findings: []audit.Finding{},
	}, report)
}

func TestFaults(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		sql  string
		want []string
	}{
		"event lost": {
			`delete from attune.enforcement where event = 2; delete from attune.event where id = 2`,
			[]string{"1: batch 1 has 3 payloads, but 1 events and 1 refused at 2 positions from 0 to 1"},
		},
		"event of another position": {
			`update attune.event set position = 7 where id = 2`,
			[]string{"1: batch 1 has 3 payloads, but 2 events and 1 refused at 3 positions from 0 to 7"},
		},
		"payload both an event and refused": {
			`update attune.rejected_event set position = 0`,
			[]string{"1: batch 1 has 3 payloads, but 2 events and 1 refused at 2 positions from 0 to 2"},
		},
		"enforcement lost": {
			`delete from attune.enforcement where event = 1 and rule_ref = 'shop.big'`,
			[]string{"2: event 1 matches rule shop.big, but has no enforcement of it"},
		},
		"enforcement of a rule that does not match": {
			`update attune.enforcement set rule_ref = 'shop.big' where event = 2 and rule_ref = 'shop.every'`,
			[]string{
				"2: event 2 has an enforcement of rule shop.big, which it does not match",
				"2: event 2 matches rule shop.every, but has no enforcement of it",
			},
		},
		"enforcement of a disabled rule": {
			`update attune.enforcement set rule_ref = 'shop.off' where event = 1 and rule_ref = 'shop.big'`,
			[]string{
				"2: event 1 matches rule shop.big, but has no enforcement of it",
				"2: event 1 has an enforcement of rule shop.off, which was disabled",
			},
		},
		"enforcements before the match": {
			`update attune.poll_batch set status = 'generated', rulesets = null where id = 3`,
			[]string{"2: event 4 has 1 enforcements, but its batch is not matched yet"},
		},
		"matched by no rules": {
			`update attune.poll_batch set rulesets = null where id = 3; delete from attune.enforcement where event = 4`,
			[]string{"2: event 4 is in a batch that is done, but that does not say by which rules of trigger shop.order"},
		},
		"match of a shadow lost": {
			`delete from attune.shadow_match where event = 2`,
			[]string{"2: event 2 matches the shadow rule shop.tried, but that is not recorded"},
		},
		"match of a shadow that is none": {
			`insert into attune.shadow_match (event, rule_ref, rule_version) values (2, 'shop.big', 1)`,
			[]string{"2: event 2 is recorded as a match of the shadow rule shop.big, which it is not"},
		},
		"enforcement of a shadow": {
			`insert into attune.enforcement (rule, rule_ref, rule_version, trigger_ref, config, event, payload, condition, conditions)
			select rule, 'shop.tried', 1, trigger_ref, config, event, payload, condition, conditions from attune.enforcement where event = 4`,
			[]string{"2: event 4 has an enforcement of rule shop.tried, which is a shadow"},
		},
		"held back by a rule without a throttle": {
			`delete from attune.enforcement where event = 2 and rule_ref = 'shop.every';
			insert into attune.held_match (event, rule_ref, rule_version, state) values (2, 'shop.every', 1, 'suppressed')`,
			[]string{"2: event 2 is held back as a match of rule shop.every, which does not hold it back"},
		},
		"held back and ordered": {
			throttled + `insert into attune.held_match (event, rule_ref, rule_version, state, answered_by) values (2, 'shop.every', 1, 'suppressed', 1)`,
			[]string{"2: event 2 has an enforcement of rule shop.every, and is held back by it, too"},
		},
		"neither held back nor ordered": {
			throttled + `delete from attune.enforcement where event = 2 and rule_ref = 'shop.every'`,
			[]string{"2: event 2 matches rule shop.every, but has no enforcement of it"},
		},
		"held back for what is not there": {
			throttled + `delete from attune.enforcement where event = 2 and rule_ref = 'shop.every';
			insert into attune.held_match (event, rule_ref, rule_version, state, answered_by) values (2, 'shop.every', 1, 'suppressed', 5)`,
			[]string{"2: event 2 is suppressed by rule shop.every for an enforcement of event 5, which is not there"},
		},
		"held back": {
			throttled + `delete from attune.enforcement where event = 2 and rule_ref = 'shop.every';
			insert into attune.held_match (event, rule_ref, rule_version, state, answered_by) values (2, 'shop.every', 1, 'suppressed', 1)`,
			nil,
		},
		"group that nobody closes": {
			throttled + `insert into attune.match_group (rule_ref, rule_version, kind, key, opened, due, count, first_event, last_event)
			values ('shop.every', 1, 'once_after', '{}', now(), now() - interval '1 hour', 1, 1, 1)`,
			[]string{"2: group 1 of rule shop.every is still open 1h0m0s after its time: see that a worker and its servers are up"},
		},
		"enforcement of a rule lost that has been deleted since": {
			endVersions + `delete from attune.rule where ref = 'shop.every'; delete from attune.enforcement where event = 2 and rule_ref = 'shop.every'`,
			[]string{"2: event 2 matches rule shop.every, but has no enforcement of it"},
		},
		"match lost that a deleted rule held back": {
			throttled + endVersions + `delete from attune.rule where ref = 'shop.every'; delete from attune.enforcement where event = 2 and rule_ref = 'shop.every';
			insert into attune.held_match (event, rule_ref, rule_version, state, answered_by) values (2, 'shop.every', 1, 'suppressed', 1), (4, 'shop.big', 1, 'suppressed', 4)`,
			[]string{
				"2: event 4 is held back as a match of rule shop.big, which does not hold it back",
				"2: event 4 is suppressed by rule shop.big for an enforcement of event 4, which is not there",
			},
		},
		"group that is closed without all of its matches": {
			`insert into attune.match_group (rule_ref, rule_version, kind, key, status, opened, due, count, first_event, last_event, event, closed)
			values ('gone.rule', 1, 'once_after', '{}', 'done', now(), now(), 2, 1, 2, 2, now());
			insert into attune.held_match (event, rule_ref, rule_version, state, match_group, answered_by) values
				(1, 'gone.rule', 1, 'collected', 1, null), (77, 'gone.rule', 1, 'collected', 1, null)`,
			[]string{"2: event 1 is collected by rule gone.rule for group 1, which is done without it"},
		},
		"rule out of its time": {
			`update attune.rule set valid_until = '2026-01-01' where ref = 'shop.early'`,
			[]string{"2: event 5 has an enforcement of rule shop.early, which it does not match"},
		},
		"rule that does not compile": {
			`update attune.rule set conditions = '[1]' where ref = 'shop.off'`,
			[]string{"2: rule shop.off does not compile, and so matches nothing: apply its pack again: conditions[0]: want an object"},
		},
		"order": {
			`update attune.poll_batch set seq = case id when 1 then 12 else 11 end where id in (1, 2);
			update attune.sensor_state set committed_seq = 12`,
			[]string{"4: event 1 of sensor shop.orders comes after event 3, but was polled before it"},
		},
		"cursor behind": {
			`update attune.sensor_state set committed_seq = 1`,
			[]string{"5: batch 2 of sensor shop.orders has its events, but the cursor is still at 1 and not at 2"},
		},
		"cursor ahead of its events": {
			`delete from attune.enforcement where event = 3; delete from attune.event where id = 3;
			update attune.poll_batch set status = 'stored', rulesets = null where id = 2`,
			[]string{"5: batch 2 of sensor shop.orders has no events yet, but the cursor is at 2 already"},
		},
		"rows of a stored batch": {
			`update attune.poll_batch set status = 'stored' where id = 3`,
			[]string{"1: batch 3 is only stored, but has 1 rows"},
		},
		"matched by the rules of another trigger": {
			`update attune.poll_batch set rulesets = '{"shop.order": 1}' where id = 4; delete from attune.enforcement where event = 5`,
			[]string{"2: event 5 is in a batch that is done, but that does not say by which rules of trigger shop.refund"},
		},
		"key of a payload that there never was": {
			`update attune.event_key set position = 5`,
			[]string{`1: key "settled" of sensor shop.returns is of payload 5 of batch 4, which has 1`},
		},
		"key of a payload that is no event": {
			`insert into attune.event_key (sensor_ref, key, batch, position, expires)
			values ('shop.orders', 'refused', 1, 1, now() + interval '1 hour')`,
			[]string{`1: key "refused" of sensor shop.orders suppresses events, but payload 1 of batch 1 is none`},
		},
		"key that outlives its batch": {
			`update attune.event_key set batch = 99`,
			nil,
		},
		"rules that changed since cannot be judged": {
			`update attune.trigger set ruleset = 9; update attune.rule set enabled = not enabled, ruleset = 9`,
			nil,
		},
		"events of a trigger that was made anew cannot be judged": {
			`update attune.event set trigger = 99; delete from attune.enforcement`,
			nil,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			_, err := b.db.Exec(b.ctx, c.sql)
			require.NoError(t, err)
			report := b.run(audit.Config{})
			found := findings(report)
			require.Len(t, found, len(c.want), "%q", found)
			require.EqualValues(t, len(c.want), report.Total)
			for i, want := range c.want {
				require.True(t, strings.HasPrefix(found[i], want), "%q is not %q", found[i], want)
			}
		})
	}
}

// A batch that only moves the cursor has nothing to be missed, whether it has moved it or not.
func TestACursorAlone(t *testing.T) {
	t.Parallel()
	b := setup(t)
	turn, err := b.store.Turn(b.ctx, "shop.orders")
	require.NoError(t, err)
	first, err := b.store.Append(b.ctx, turn, sensor.Part{Items: []sensor.Item{{Payload: []byte(`{}`)}}})
	require.NoError(t, err)
	turn.TailSeq = first.Seq
	second, err := b.store.Append(b.ctx, turn, sensor.Part{Cursor: json.RawMessage(`"end"`)})
	require.NoError(t, err)
	require.Empty(t, findings(b.run(audit.Config{})))
	for _, head := range append(first.Batches, second.Batches...) {
		b.process(head.ID)
		require.Empty(t, findings(b.run(audit.Config{})))
	}
}

func TestMessages(t *testing.T) {
	t.Parallel()
	b := setup(t)
	messages := b.messages()
	other := uuid.New()
	first := slices.IndexFunc(messages, func(m audit.Message) bool { return m.Kind == audit.KindEvent && m.Row == 1 })
	own := messages[first].ID

	without := slices.Delete(slices.Clone(messages), first, first+1)
	require.Equal(t, []string{"3: event 1 is in a finished batch, but no message of it was seen"},
		findings(b.run(audit.Config{Messages: sequence(without)})))
	require.Empty(t, findings(b.run(audit.Config{Messages: sequence(without), MessagesSince: time.Now().Add(time.Hour)})))

	require.Equal(t, []string{fmt.Sprintf("3: event 1 was published under two message IDs, %s and %s", own, other)},
		findings(b.run(audit.Config{Messages: sequence(append(slices.Clone(messages), audit.Message{ID: other, Kind: audit.KindEvent, Row: 1}))})))

	wrong := slices.Clone(messages)
	wrong[first].ID = other
	require.Equal(t, []string{fmt.Sprintf("3: event 1 was published under message ID %s, and its own is %s", other, own)},
		findings(b.run(audit.Config{Messages: sequence(wrong)})))

	stray := append(slices.Clone(messages), audit.Message{ID: other, Kind: audit.KindEnforcement, Row: 99})
	require.Equal(t, []string{fmt.Sprintf("3: enforcement 99 was published as message %s, but there is no such row", other)},
		findings(b.run(audit.Config{Messages: sequence(stray)})))
}

func TestUnreadableMessagesAreAnError(t *testing.T) {
	t.Parallel()
	b := setup(t)
	broken := errors.New("broken")
	_, err := audit.Run(b.ctx, audit.Config{Store: b.store, Messages: func(yield func(audit.Message, error) bool) {
		yield(audit.Message{}, broken)
	}})
	require.ErrorIs(t, err, broken)
}

func TestStoreIsRequired(t *testing.T) {
	t.Parallel()
	_, err := audit.Run(t.Context(), audit.Config{})
	require.ErrorContains(t, err, "Store is missing")
}

func TestManyFindingsAreCounted(t *testing.T) {
	t.Parallel()
	b := setup(t)
	messages := func(yield func(audit.Message, error) bool) {
		for i := range int64(1500) {
			if !yield(audit.Message{ID: uuid.New(), Kind: audit.KindEvent, Row: 1000 + i}, nil) {
				return
			}
		}
	}
	report := b.run(audit.Config{Messages: messages, MessagesSince: time.Now().Add(time.Hour)})
	require.Len(t, report.Findings, 1000)
	require.EqualValues(t, 1500, report.Total)
}
