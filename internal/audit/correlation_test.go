package audit_test

import (
	"context"
	"encoding/json"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/internal/audit"
	"github.com/attune-automation/sensors/internal/pack"
	"github.com/attune-automation/sensors/internal/rule"
	"github.com/attune-automation/sensors/internal/sensor"
	"github.com/attune-automation/sensors/internal/store"
)

// correlate applies a rule that correlates events 6 and 7, whose group has its enforcement.
func (b *bundle) correlate() {
	b.t.Helper()
	p, err := pack.LoadFS(fstest.MapFS{
		"pack.yaml":       {Data: []byte("ref: pair")},
		"triggers/e.yaml": {Data: []byte("ref: pair.e")},
		"rules/r.yaml": {Data: []byte(`
ref: pair.r
trigger: pair.e
conditions: [{field: part, operator: equals, value: a}]
correlate:
  within: 1h
  then: [{name: b, trigger: pair.e, conditions: [{field: part, operator: equals, value: b}]}]
action: {ref: a.b}`)},
	}, pack.Options{})
	require.NoError(b.t, err)
	_, err = b.store.ApplyPack(b.ctx, p, store.ApplyOptions{})
	require.NoError(b.t, err)
	for _, payload := range []string{`{"part": "a"}`, `{"part": "b"}`} {
		b.evaluate(payload)
	}
	closed, err := b.store.CloseGroup(b.ctx, sensor.GroupHead{ID: 1, Rule: "pair.r"}, func(*sensor.Rule) sensor.GroupRender {
		return func(context.Context, *sensor.Event, json.RawMessage) (json.RawMessage, string, error) {
			return nil, "", nil
		}
	})
	require.NoError(b.t, err)
	require.Equal(b.t, sensor.GroupClosed, closed.Status)
	require.NoError(b.t, b.store.FinishGroup(b.ctx, 1))
}

// evaluate takes an event of pair.e through the rules as they are.
func (b *bundle) evaluate(payload string) {
	b.t.Helper()
	id, err := b.store.StoreSystemEvent(b.ctx, sensor.SystemEvent{TriggerRef: "pair.e", Payload: json.RawMessage(payload)})
	require.NoError(b.t, err)
	batch, err := b.store.Batch(b.ctx, id)
	require.NoError(b.t, err)
	events, err := b.store.CommitEvents(b.ctx, batch, []sensor.NewEvent{{Payload: batch.Payloads[0]}}, nil)
	require.NoError(b.t, err)
	doc, err := rule.NewReader(nil).Read(&events[0])
	require.NoError(b.t, err)
	set, err := b.store.Ruleset(b.ctx, "pair.e")
	require.NoError(b.t, err)
	var matches []sensor.Match
	for i := range set.Rules {
		compiled, err := rule.Compile(&set.Rules[i])
		require.NoError(b.t, err)
		matched, err := compiled.Match(b.ctx, doc)
		require.NoError(b.t, err)
		if matched {
			matches = append(matches, sensor.Match{Event: &events[0], Rule: &set.Rules[i], Grouping: compiled.Grouping(doc)})
		}
	}
	_, err = b.store.CommitEnforcements(b.ctx, id, map[string]int64{"pair.e": set.Version}, matches, nil)
	require.NoError(b.t, err)
	require.NoError(b.t, b.store.FinishBatch(b.ctx, id))
}

func TestCorrelationsAreDecidedAgain(t *testing.T) {
	t.Parallel()
	const (
		lost      = "2: group 1 of rule pair.r is done, but its event 7 has 0 enforcements of it"
		unfounded = "2: group 1 of rule pair.r has an enforcement of event 7, but what it stands for is no first, then b, within 1h that ends with it"
	)
	for name, c := range map[string]struct {
		sql  string
		want []string
	}{
		"sound": {`select 1`, []string{}},
		"no enforcement": {`delete from attune.enforcement where rule_ref = 'pair.r'`, []string{
			"2: event 6 is collected by rule pair.r for an enforcement of event 7, which is not there",
			"2: event 7 is collected by rule pair.r/b for an enforcement of event 7, which is not there", lost,
		}},
		"a match is lost": {`delete from attune.held_match where rule_ref = 'pair.r'`, []string{
			"2: event 6 matches rule pair.r, but is not held for a group of it", unfounded,
		}},
		"a match is not counted": {`update attune.held_match set answered_by = null where rule_ref = 'pair.r'`, []string{unfounded}},
		"too far apart":          {`update attune.event set created = created - interval '61 minutes' where id = 6`, []string{unfounded}},
		"held without a match": {`insert into attune.held_match select 6, 'pair.r/b', 1, 'early', 1`, []string{
			"2: event 6 is held for a group of rule pair.r/b, which it does not match",
		}},
		"of another correlation by now": {`update attune.match_group set state = jsonb_set(state, '{of}', '"x"'), event = 6 where id = 1`, []string{
			"2: group 1 of rule pair.r is done, but its event 6 has 0 enforcements of it",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			b.correlate()
			_, err := b.db.Exec(b.ctx, c.sql)
			require.NoError(t, err)
			require.Equal(t, c.want, findings(b.run(audit.Config{})))
		})
	}
}
