package rule_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/internal/expression"
	"github.com/attune-automation/sensors/internal/rule"
	"github.com/attune-automation/sensors/internal/schema"
	"github.com/attune-automation/sensors/internal/sensor"
)

// What is saved without a warning has a result on every event that its schema allows and that the rule matches.
func TestWhatIsSavedDoesNotFail(t *testing.T) {
	t.Parallel()
	const rules = 1000
	silent := 0
	for i := range rules {
		if tryArbitrary(t, rand.New(rand.NewPCG(uint64(i), 5))) {
			silent++
		}
	}
	require.Greater(t, silent, rules/10, "of what is tried, not too much should be warned of")
}

func FuzzWhatIsSaved(f *testing.F) {
	f.Add(uint64(1), uint64(2))
	f.Fuzz(func(t *testing.T, seed, more uint64) { tryArbitrary(t, rand.New(rand.NewPCG(seed, more))) })
}

// tryArbitrary writes a rule for a schema and, if nothing is said of it, evaluates it on payloads. It returns whether it did.
func tryArbitrary(t *testing.T, r *rand.Rand) bool {
	t.Helper()
	payloads, text := arbitraryPayload(r)
	p := &phraser{Rand: r, ways: payloads.ways}
	of, condition := p.rule(t)
	compiled, err := rule.Compile(of)
	if err != nil {
		return false
	}
	if wrong, odd := compiled.Check(expression.NewSchema(text)); wrong != nil || odd != nil && len(odd.Params) > 0 {
		return false
	}
	checked, err := schema.Compile("schema", text)
	require.NoError(t, err, "%s", text)
	var matched []json.RawMessage
	for range 12 {
		payload, err := json.Marshal(payloads.value(r))
		require.NoError(t, err)
		require.NoError(t, checked.Check("payload", payload), "%s", text)
		doc := document(t, string(payload))
		explanation, err := compiled.Explain(t.Context(), doc)
		require.NoError(t, err)
		if explanation.Matched {
			matched = append(matched, payload)
			reason := render(t, compiled, doc, matched)
			require.Empty(t, reason, "%s, conditions %s, cel %s, throttle %s, schema %s, payload %s", of.ActionParams, of.Conditions, of.CEL, of.Throttle, text, payload)
		}
		if condition != nil {
			explanation, err := condition.Explain(t.Context(), doc)
			require.NoError(t, err)
			require.False(t, explanation.CEL.Failed, "%s: %s, schema %s, payload %s", condition.Rule.CEL, explanation.CEL.Reason, text, payload)
		}
	}
	return true
}

// render returns why the parameters cannot be rendered for an event and those that matched before it; empty: they can. A
// throttled rule renders nothing before there are as many as it takes.
func render(t *testing.T, compiled *rule.Compiled, doc *rule.Document, matched []json.RawMessage) (reason string) {
	t.Helper()
	var err error
	if throttle := compiled.Throttle(); throttle != nil {
		least, most := throttle.Matches()
		if len(matched) < least {
			return ""
		}
		if most > 0 {
			matched = matched[len(matched)-most:]
		}
		events := make([]sensor.GroupEvent, len(matched))
		for i, payload := range matched {
			events[i] = sensor.GroupEvent{ID: int64(i), TriggerRef: "shop.t", Payload: payload}
		}
		group, err := json.Marshal(sensor.NewGroup(7, "{}", len(events), time.Time{}, events))
		require.NoError(t, err)
		_, reason, err = compiled.GroupParams(t.Context(), doc, group)
		require.NoError(t, err)
		return reason
	}
	_, reason, err = compiled.Params(t.Context(), doc)
	require.NoError(t, err)
	return reason
}

// rule writes a rule. If its parameters are something that is true or false, it also returns one that has that as its condition.
func (p *phraser) rule(t *testing.T) (of *sensor.Rule, condition *rule.Compiled) {
	t.Helper()
	of = &sensor.Rule{Ref: "shop.r", Conditions: json.RawMessage(`[]`)}
	if p.IntN(4) == 0 {
		of.Throttle = json.RawMessage(pick(p.Rand, `{"once_within": "5m"}`, `{"once_after": "5m"}`, `{"at_least": 2, "within": "5m"}`, `{"at_least": 3, "within": "5m"}`))
		p.groups = true
	}
	var written, whole string
	switch p.IntN(5) {
	case 0:
		written = p.text(0)
		whole = "is {{ " + written + " }}"
	case 1:
		written = p.boolean(0)
		whole = "{{ !(" + written + ") }}"
		if condition, _ = rule.Compile(&sensor.Rule{Ref: "shop.r", Conditions: of.Conditions, CEL: written}); condition != nil {
			of.Throttle = nil
		}
	default:
		written = p.any(0)
		whole = "{{ " + written + " }}"
	}
	p.groups = false // which only parameters know
	if condition == nil && p.IntN(3) == 0 {
		of.CEL = p.boolean(0)
	}
	if condition == nil && p.IntN(3) == 0 {
		of.Conditions = p.conditions(written)
	}
	var err error
	of.ActionParams, err = json.Marshal(map[string]string{"x": whole})
	require.NoError(t, err)
	return of, condition
}

// conditions are a clause or two, mostly on what an expression uses.
func (p *phraser) conditions(expression string) json.RawMessage {
	positive := func() string {
		field := p.path("sinlob0")
		for range 10 {
			if w := pick(p.Rand, p.ways...); strings.Contains(expression, w.path) {
				field = "payload" + w.path
			}
		}
		switch p.IntN(9) {
		case 0:
			return fmt.Sprintf(`{"field": %q, "operator": %q}`, field, pick(p.Rand, "exists", "not_exists", "is_null"))
		case 1:
			return fmt.Sprintf(`{"field": %q, "operator": %q, "value": %d}`, field, pick(p.Rand, "greater_than", "greater_or_equal", "less_than", "less_or_equal"), p.IntN(3)-1)
		case 2:
			return fmt.Sprintf(`{"field": %q, "operator": %q, "value": %d}`, field,
				pick(p.Rand, "length_greater_or_equal", "length_greater_than", "length_less_than", "length_less_or_equal", "length_equals"), p.IntN(3))
		case 3:
			return fmt.Sprintf(`{"field": %q, "operator": "is_empty"}`, field)
		case 4:
			return fmt.Sprintf(`{"field": %q, "operator": "one_of_types", "value": [%s]}`, field, pick(p.Rand, `"string", "list"`, `"null"`, `"integer", "null"`, `"number"`))
		case 5:
			return fmt.Sprintf(`{"field": %q, "operator": %q, "value": %s}`, field, pick(p.Rand, "equals", "not_equals"), pick(p.Rand, "0", "0.0", "null", `""`, "2"))
		case 6:
			return fmt.Sprintf(`{"field": "%s[*]", "operator": "exists"}`, field)
		case 7:
			return fmt.Sprintf(`{"field": %q, "operator": "between", "value": [%d, 3]}`, field, p.IntN(3)-1)
		}
		return fmt.Sprintf(`{"field": %q, "operator": %q, "value": [%s]}`, field, pick(p.Rand, "in", "not_in"), pick(p.Rand, `"a", 1, 2`, `0`, `0, null`, `2.5, "0"`))
	}
	clause := func() string {
		if p.IntN(3) == 0 {
			return `{"not": ` + positive() + `}`
		}
		return positive()
	}
	if p.IntN(2) == 0 {
		return json.RawMessage("[" + clause() + "]")
	}
	return json.RawMessage(fmt.Sprintf(`[{%q: [%s, %s]}]`, pick(p.Rand, "all", "any"), clause(), clause()))
}
