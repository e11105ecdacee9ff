package audit_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/internal/audit"
	"github.com/attune-automation/sensors/internal/sensor"
)

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
