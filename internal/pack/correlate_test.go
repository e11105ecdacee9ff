package pack_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/internal/correlation"
	"github.com/attune-automation/sensors/internal/pack"
)

const correlated = `
-- pack.yaml --
ref: shop
-- triggers/order_placed.yaml --
ref: shop.order_placed
out_schema: {type: object, properties: {order: {type: integer}}, examples: [{order: 1}]}
-- triggers/order_paid.yaml --
ref: shop.order_paid
out_schema: {type: object, properties: {order_id: {type: integer}, amount: {type: number}}, examples: [{order_id: 1, amount: 5}]}
-- triggers/order_cancelled.yaml --
ref: shop.order_cancelled
-- rules/unpaid.yaml --
ref: shop.unpaid
`

func TestRulesThatCorrelateBecomeOneRuleForEachPart(t *testing.T) {
	t.Parallel()
	p, err := pack.LoadFS(folderOf(t, correlated+`
label: Unpaid
trigger: shop.order_placed
conditions: [{field: order, operator: exists}]
shadow: true
priority: 7
correlate:
  within: 1d
  group_by: [payload.order]
  then:
    - name: paid
      trigger: shop.order_paid
      group_by: [payload.order_id]
      cel: payload.amount > 0
    - {name: cancelled, trigger: shop.order_cancelled, absent: true}
action: {ref: a.b, params: {amount: "{{ payload.amount }}", order: "{{ events[0].payload.order }}", n: "{{ group.count }}"}}
`), pack.Options{})
	require.NoError(t, err)
	require.Len(t, p.Rules, 3)
	whole, cancelled, paid := p.Rules[0], p.Rules[1], p.Rules[2]
	require.Equal(t, []string{"shop.unpaid", "shop.unpaid/cancelled", "shop.unpaid/paid"}, []string{whole.Ref, cancelled.Ref, paid.Ref})
	require.Equal(t, []string{"shop.order_placed", "shop.order_cancelled", "shop.order_paid"}, []string{whole.TriggerRef, cancelled.TriggerRef, paid.TriggerRef})
	require.Equal(t, []string{"Unpaid", "Unpaid: cancelled", "Unpaid: paid"}, []string{whole.Label, cancelled.Label, paid.Label})
	require.JSONEq(t, `[{"field": "order", "operator": "exists"}]`, string(whole.Conditions))
	require.JSONEq(t, `[]`, string(paid.Conditions), "a part has its own conditions")
	require.Equal(t, "payload.amount > 0", paid.CEL)
	require.JSONEq(t, `{}`, string(paid.ActionParams), "a part orders nothing by itself")
	for _, r := range p.Rules {
		require.True(t, r.Shadow)
		require.Equal(t, 7, r.Priority)
		require.Equal(t, "a.b", r.ActionRef)
	}
	d, part, err := correlation.Parse(paid.Correlation)
	require.NoError(t, err)
	require.Equal(t, 1, part)
	require.Equal(t, []string{"shop.unpaid", "shop.unpaid/paid", "shop.unpaid/cancelled"}, d.Refs())
	require.Equal(t, []string{"payload.order_id"}, d.Parts[1].By.Names())
	require.Equal(t, []string{"payload.order"}, d.Parts[2].By.Names(), "those of the rule")
}

func TestProblemsOfCorrelations(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ rule, problems string }{
		"not keys and values": {`
correlate: 10m`, "rules/unpaid.yaml:3: correlate: got \"10m\": write correlate: {within: 10m, group_by: [payload.order], then: [{name: paid, trigger: PACK.NAME}]}"},
		"an unknown key": {`
correlate:
  witin: 10m
  then: [{name: paid, trigger: shop.order_paid}]`, "rules/unpaid.yaml:3: correlate.within: missing: write a duration such as 90s, 15m, 1h30m or 7d\n" +
			"rules/unpaid.yaml:4: correlate.witin: unknown key: did you mean \"within\"?"},
		"no parts": {`
correlate: {within: 10m}`, "rules/unpaid.yaml:3: correlate.then: missing: write then: [{name: paid, trigger: PACK.NAME}], or and: for parts in any order"},
		"an empty list": {`
correlate: {within: 10m, and: []}`, "rules/unpaid.yaml:3: correlate.and: has 0 parts: write from 1 to 7; the rule itself is one more"},
		"both lists": {`
correlate:
  within: 10m
  then: [{name: paid, trigger: shop.order_paid}]
  and: [{name: paid, trigger: shop.order_paid}]`, "rules/unpaid.yaml:6: correlate.and: then is there too: keep one of them, then for parts in their order, and for parts in any"},
		"both lists, and more": {`
correlate:
  within: 10m
  then: [{name: paid, trigger: shop.order_paid, abzent: true}]
  and: [{name: paid, trigger: shop.order_paid}, {trigger: shop.order_paid}]`, "rules/unpaid.yaml:5: correlate.then[0].abzent: unknown key: did you mean \"absent\"?\n" +
			"rules/unpaid.yaml:6: correlate.and: then is there too: keep one of them, then for parts in their order, and for parts in any\n" +
			"rules/unpaid.yaml:6: correlate.and[1].name: bad name \"\": write up to 50 lower-case letters, digits, '_' and '-', such as paid"},
		"a time that is too long": {`
correlate: {within: 31d, then: [{name: paid, trigger: shop.order_paid}]}`, "rules/unpaid.yaml:3: correlate.within: 31d is out of bounds: write a duration from 1s to 30d"},
		"a throttle as well": {`
throttle: {once_within: 10m}
correlate: {within: 10m, then: [{name: paid, trigger: shop.order_paid}]}`, "rules/unpaid.yaml:4: correlate: throttle is there too: keep one of them"},
		"of a part": {`
correlate:
  within: 10m
  group_by: [payload.order, 'payload.*']
  then:
    - paid
    - name: Paid
      trigger: shop.order_payed
      conditons: []
    - name: first
      trigger: shop.order_paid
      absent: maybe`, "rules/unpaid.yaml:5: correlate.group_by[1]: * leads to many values: name one, such as payload.items[0].id\n" +
			"rules/unpaid.yaml:7: correlate.then[0]: got \"paid\": write a part, such as {name: paid, trigger: PACK.NAME}\n" +
			"rules/unpaid.yaml:9: correlate.then[1].trigger: unknown trigger \"shop.order_payed\": define it in triggers/, or did you mean \"shop.order_paid\"?\n" +
			"rules/unpaid.yaml:10: correlate.then[1].conditons: unknown key: did you mean \"conditions\"?\n" +
			"rules/unpaid.yaml:13: correlate.then[2].absent: got \"maybe\": write true or false"},
		"of the parts together": {`
correlate:
  within: 10m
  group_by: [payload.order]
  then:
    - {name: Paid, trigger: shop.order_paid, absent: true}
    - {name: first, trigger: shop.order_paid, group_by: [payload.a, payload.b]}
    - {name: first, trigger: shop.order_paid}`, "rules/unpaid.yaml:7: correlate.then[0].absent: only the last part of `then` can be absent: move it to the end, or leave absent out\n" +
			"rules/unpaid.yaml:7: correlate.then[0].name: bad name \"Paid\": write up to 50 lower-case letters, digits, '_' and '-', such as paid\n" +
			"rules/unpaid.yaml:8: correlate.then[1].group_by: has 2 fields, and that of the rule has 1: write one for each, or leave it out to use the rule's\n" +
			"rules/unpaid.yaml:8: correlate.then[1].name: \"first\" is the name of the rule itself: write another\n" +
			"rules/unpaid.yaml:9: correlate.then[2].name: \"first\" is the name of another part already: rename one\n" +
			"rules/unpaid.yaml:9: correlate.then[2].name: \"first\" is the name of the rule itself: write another"},
		"in any order": {`
correlate:
  within: 10m
  group_by: [payload.order]
  and:
    - {name: paid, trigger: shop.order_paid, absent: true}
    - {name: again, trigger: shop.order_paid, group_by: [payload.order_id]}`,
			"rules/unpaid.yaml:7: correlate.and[0].absent: with `and` nothing says from when on it must not come: write it as the last of `then`\n" +
				"rules/unpaid.yaml:8: correlate.and[1].group_by: is not that of part paid, and an event of shop.order_paid could complete two groups at once: group both by the same fields"},
		"in a condition of a part": {`
correlate:
  within: 10m
  then:
    - name: paid
      trigger: shop.order_paid
      conditions:
        - {field: payload.amount, operator: greater_then, value: 1}
      cel: |
        payload.amount > 1 &&
        payload.order_id ==`, "rules/unpaid.yaml:9: correlate.then[0].conditions[0].operator: payload.amount: unknown operator \"greater_then\": did you mean \"greater_than\"?\n" +
			"rules/unpaid.yaml:13: correlate.then[0].cel: column 1: syntax error"},
		"in an expression of a part": {`
correlate:
  within: 10m
  then:
    - name: paid
      trigger: shop.order_paid
      cel: |
        payload.amount > 1 &&
        payloda.order_id == 1`, "rules/unpaid.yaml:10: correlate.then[0].cel: column 1: unknown name \"payloda\": did you mean \"payload\"?"},
		"in the parameters, for the last part": {`
correlate: {within: 10m, then: [{name: paid, trigger: shop.order_paid}]}
params: {}
action: {ref: a.b, params: {order: "{{ payload.order }}"}}`, "rules/unpaid.yaml:5: action.params: fails on out_schema.examples[0] of triggers/order_paid.yaml, which part paid matches: action.params.order: payload.order: order is missing"},
		"in the parameters, for an absence": {`
correlate: {within: 10m, then: [{name: paid, trigger: shop.order_paid, absent: true}]}
action: {ref: a.b, params: {order: "{{ payload.amount }}"}}`, "rules/unpaid.yaml:4: action.params: fails on out_schema.examples[0] of triggers/order_placed.yaml, which part first matches: action.params.order: payload.amount: amount is missing"},
	} {
		text := correlated + "trigger: shop.order_placed\n" + strings.TrimPrefix(c.rule, "\n") + "\n"
		if !strings.Contains(text, "action:") {
			text += "action: {ref: a.b}\n"
		}
		_, err := pack.LoadFS(folderOf(t, text), pack.Options{})
		_, ok := errors.AsType[pack.Problems](err)
		require.True(t, ok, "%s: %v", name, err)
		require.ErrorContains(t, err, c.problems, name)
	}
}

// Parameters of a correlation are checked against what its parts' triggers say: the event's own, and those of the group.
func TestParametersOfCorrelations(t *testing.T) {
	t.Parallel()
	const head = `
-- pack.yaml --
ref: shop
-- triggers/placed.yaml --
ref: shop.placed
out_schema: {type: object, required: [order, total], properties: {order: {type: integer}, total: {type: integer}}}
-- triggers/paid.yaml --
ref: shop.paid
out_schema: {type: object, required: [order, amount], properties: {order: {type: integer}, amount: {type: integer, minimum: 0}, card: {type: string}}}
-- rules/both.yaml --
ref: shop.both
trigger: shop.placed
conditions: [{field: total, operator: greater_than, value: 0}]
correlate: {within: 10m, group_by: [payload.order], ORDER: [{name: paid, trigger: shop.paid}]}
`
	for name, c := range map[string]struct{ order, template, problem, warning string }{
		"of the last part":        {"then", `payload.amount`, "", ""},
		"optional there":          {"then", `payload.card`, "payload.card may be missing by the trigger's out_schema", ""},
		"of any part":             {"and", `payload.order`, "", ""},
		"of one, if any is last":  {"and", `payload.amount`, "payload.amount may be missing", ""},
		"of each":                 {"then", `events.map(e, e.payload.order)`, "", ""},
		"of one, for each":        {"then", `events.map(e, e.payload.total)`, "", "e.payload.total may be missing by the trigger's out_schema"},
		"of one, for each of it":  {"then", `events.filter(e, e.part == 'first').map(e, e.payload.total)`, "", ""},
		"of the other, for these": {"then", `events.filter(e, e.part == 'first').map(e, e.payload.card)`, "", `e.payload has no field named "card"`},
		"the first of a part":     {"then", `events.filter(e, e.part == 'first')[0].payload.total`, "", ""},
		"of more than the part":   {"then", `events.filter(e, e.part == 'first' && e.payload.total > 1)[0].payload.total`, "", "may have no element 0"},
		"of a part by ? :":        {"then", `events.map(e, e.part == 'paid' ? e.payload.amount : e.payload.order)`, "", ""},
		"as many as parts":        {"then", `events[1].payload.order`, "", ""},
		"more than parts":         {"then", `events[2].payload.order`, "events may have no element 2", ""},
		"a division":              {"then", `10 / (group.count - 1)`, "", ""},
		"what a part matches":     {"and", `10 / events.filter(e, e.part == 'first')[0].payload.total`, "", ""},
		"a division by 0":         {"then", `10 / payload.amount`, "payload.amount may be 0", ""},
	} {
		var warnings pack.Problems
		text := strings.Replace(head, "ORDER", c.order, 1) + "action: {ref: a.b, params: {x: \"{{ " + c.template + " }}\"}}\n"
		_, err := pack.LoadFS(folderOf(t, text), pack.Options{Warn: func(p pack.Problem) { warnings = append(warnings, p) }})
		if c.problem == "" {
			require.NoError(t, err, name)
		} else {
			require.ErrorContains(t, err, "rules/both.yaml:5: action.params.x: column ", name)
			require.ErrorContains(t, err, c.problem, name)
		}
		if c.warning == "" {
			require.Empty(t, warnings, name)
		} else {
			require.ErrorContains(t, warnings, c.warning, name)
		}
	}
}
