package explain_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/internal/explain"
	"github.com/attune-automation/sensors/internal/sensor"
	"github.com/attune-automation/sensors/internal/store"
	"github.com/attune-automation/sensors/internal/testenv"
)

// bundle is a database with a pack.
type bundle struct {
	t     *testing.T
	ctx   context.Context
	store *store.Store
	pack  sensor.Pack
}

func setup(t *testing.T, rules ...sensor.Rule) *bundle {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	s, err := store.New(ctx, store.Config{URL: testenv.Database(t)})
	require.NoError(t, err)
	t.Cleanup(s.Close)
	b := &bundle{t: t, ctx: ctx, store: s, pack: sensor.Pack{
		Ref: "shop", Label: "Shop", Digest: strings.Repeat("a", 64), Archive: []byte("files"),
		Triggers: []sensor.Trigger{{Ref: "shop.push", PackRef: "shop", Label: "Push", Enabled: true}},
	}}
	b.apply(rules...)
	return b
}

func (b *bundle) apply(rules ...sensor.Rule) {
	b.t.Helper()
	b.pack.Rules = rules
	_, err := b.store.ApplyPack(b.ctx, b.pack, store.ApplyOptions{Prune: true})
	require.NoError(b.t, err)
}

// event stores an event; matched by the rules with these refs, if there are any, and else not matched yet.
func (b *bundle) event(payload string, matched ...string) int64 {
	b.t.Helper()
	id, err := b.store.StoreSystemEvent(b.ctx, sensor.SystemEvent{TriggerRef: "shop.push", Payload: json.RawMessage(payload)})
	require.NoError(b.t, err)
	batch, err := b.store.Batch(b.ctx, id)
	require.NoError(b.t, err)
	events, err := b.store.CommitEvents(b.ctx, batch, []sensor.NewEvent{{Payload: json.RawMessage(payload)}}, nil)
	require.NoError(b.t, err)
	if matched == nil {
		return events[0].ID
	}
	set, err := b.store.Ruleset(b.ctx, "shop.push")
	require.NoError(b.t, err)
	var matches []sensor.Match
	for i, r := range set.Rules {
		for _, ref := range matched {
			if ref == r.Ref {
				matches = append(matches, sensor.Match{Event: &events[0], Rule: &set.Rules[i]})
			}
		}
	}
	_, err = b.store.CommitEnforcements(b.ctx, id, map[string]int64{"shop.push": set.Version}, matches, nil)
	require.NoError(b.t, err)
	return events[0].ID
}

func (b *bundle) explain(event int64, o explain.Options) explain.Report {
	b.t.Helper()
	report, err := explain.Event(b.ctx, b.store, event, o)
	require.NoError(b.t, err)
	return report
}

func newRule(name, condition, conditions string) sensor.Rule {
	return sensor.Rule{
		Ref: "shop." + name, PackRef: "shop", Label: name, TriggerRef: "shop.push", Condition: condition, Enabled: true,
		Conditions: json.RawMessage(conditions), ActionRef: "mail.send", ActionParams: json.RawMessage(`{}`),
	}
}

const (
	branchIsMain = `{"field": "payload.branch", "operator": "equals", "value": "main"}`
	manyFiles    = `{"field": "files", "operator": "greater_than", "value": 100}`
	someAuthor   = `{"field": "author", "operator": "not_equals", "value": null}`
)

func refs(r explain.Report) (refs []string) {
	for _, v := range r.Rules {
		refs = append(refs, v.RuleRef)
	}
	return refs
}

func TestNearMissesComeFirst(t *testing.T) {
	t.Parallel()
	off := newRule("off", "all", `[]`)
	off.Enabled = false
	late := newRule("late", "all", `[`+someAuthor+`]`)
	until := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	late.ValidUntil = &until
	shadow := newRule("shadow", "all", `[]`)
	shadow.Shadow = true
	b := setup(t,
		newRule("all", "all", `[`+branchIsMain+`,`+manyFiles+`,`+someAuthor+`]`),
		newRule("any", "any", `[{"all": [`+branchIsMain+`,`+manyFiles+`]}, `+branchIsMain+`]`),
		newRule("every", "all", `[]`), late, off, shadow,
		newRule("not", "all", `[{"not": `+someAuthor+`}]`),
	)
	id := b.event(`{"branch": "Main", "files": 7, "author": "Ada"}`, "shop.every", "shop.shadow")

	report := b.explain(id, explain.Options{})
	require.Equal(t, []string{"shop.late", "shop.any", "shop.not", "shop.off", "shop.all", "shop.every", "shop.shadow"}, refs(report))
	said := map[string]string{}
	for _, v := range report.Rules {
		require.Nil(t, v.Now, v.RuleRef)
		said[v.RuleRef] = v.Then.String()
	}
	require.Equal(t, map[string]string{
		"shop.late":   "1 of 1; its time: " + report.Rules[0].Then.Explanation.Untimely,
		"shop.any":    `0 of 2; payload.branch was "Main", expected "main"`,
		"shop.not":    `0 of 1; not: author was "Ada", expected not_equals null`,
		"shop.off":    "no conditions; it is disabled",
		"shop.all":    `1 of 3; payload.branch was "Main", expected "main"`,
		"shop.every":  "no conditions",
		"shop.shadow": "no conditions; a shadow, which orders nothing",
	}, said)
	require.Equal(t, []int64{1}, report.Rules[5].Enforcements)
	require.True(t, report.Rules[6].Recorded)

	report = b.explain(id, explain.Options{Limit: 2})
	require.Equal(t, []string{"shop.late", "shop.any", "shop.every", "shop.shadow"}, refs(report))
	require.Equal(t, 3, report.Left)
	require.Equal(t, []string{"shop.all"}, refs(b.explain(id, explain.Options{RuleRef: "shop.all"})))
}

// A rule that has changed since is judged as it was, and as it is.
func TestThenAndNow(t *testing.T) {
	t.Parallel()
	b := setup(t, newRule("branch", "all", `[`+branchIsMain+`]`), newRule("gone", "all", `[]`), newRule("same", "all", `[]`))
	id := b.event(`{"branch": "Main"}`, "shop.gone", "shop.same")
	b.apply(newRule("branch", "all", `[{"field": "branch", "operator": "equals", "value": "Main"}]`), newRule("new", "all", `[`+manyFiles+`]`),
		newRule("same", "all", `[]`))

	report := b.explain(id, explain.Options{})
	require.EqualValues(t, 1, *report.Ruleset)
	byRef := map[string]explain.Verdict{}
	for _, v := range report.Rules {
		byRef[v.RuleRef] = v
	}
	branch := byRef["shop.branch"]
	require.EqualValues(t, 1, branch.Then.Version)
	require.False(t, branch.Then.Matched)
	require.EqualValues(t, 2, branch.Now.Version)
	require.True(t, branch.Now.Matched)
	require.True(t, byRef["shop.gone"].Gone)
	require.True(t, byRef["shop.gone"].Then.Matched)
	require.Nil(t, byRef["shop.gone"].Now)
	require.Nil(t, byRef["shop.new"].Then)
	require.Equal(t, "0 of 1; files is missing, expected greater_than 100", byRef["shop.new"].Now.String())
	require.Nil(t, byRef["shop.same"].Now)
}

func TestAnEventThatIsNotMatchedYet(t *testing.T) {
	t.Parallel()
	b := setup(t, newRule("every", "all", `[]`))
	id := b.event(`{}`)
	report := b.explain(id, explain.Options{})
	require.Nil(t, report.Ruleset)
	require.Nil(t, report.Rules[0].Then)
	require.True(t, report.Rules[0].Now.Matched)

	_, err := explain.Event(b.ctx, b.store, 99, explain.Options{})
	require.ErrorIs(t, err, sensor.ErrNotFound)
}
