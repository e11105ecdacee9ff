package rule_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/internal/expression"
	"github.com/attune-automation/sensors/internal/rule"
	"github.com/attune-automation/sensors/internal/sensor"
)

// orders is a schema that says which fields there always are.
const orders = `{"type": "object", "required": ["id", "user", "note", "free", "lines"], "properties": {
	"id": {"type": "string"}, "total": {"type": "number"}, "note": {"type": ["string", "null"]}, "count": {"type": ["integer", "null"]},
	"user": {"type": "object", "required": ["name"], "properties": {"name": {"type": "string"}, "mail": {"type": "string"}}},
	"ship": {"type": "object", "required": ["city"], "properties": {"city": {"type": "string"}, "zip": {"type": "string"}}},
	"free": {"type": "object"}, "loose": {"type": "object", "properties": {"a": {"type": "string"}}},
	"either": {"oneOf": [{"type": "object"}, {"type": "null"}]},
	"lines": {"type": "array", "items": {"type": "object", "required": ["sku"], "properties": {"sku": {"type": "string"}, "qty": {"type": "integer"}}}}}}`

// What is certain to fail on some payload that the schema allows and the rule matches is a problem, what may fail a warning,
// and of what is provided for nothing is said.
func TestCheckOfWhatMayBeMissing(t *testing.T) {
	t.Parallel()
	const missing = " may be missing by the trigger's out_schema"
	for name, c := range map[string]struct{ conditions, mode, cel, template, problem, warning string }{
		"required":               {template: `payload.id + payload.user.name`},
		"optional":               {template: `payload.total`, problem: "payload.total" + missing + ": write payload.?total.orValue(...), or add a condition on it"},
		"optional as an index":   {template: `payload["total"]`, problem: `payload["total"]` + missing},
		"below an optional":      {template: `payload.ship.city`, problem: "payload.ship" + missing},
		"optional below":         {template: `payload.user.mail`, problem: "payload.user.mail" + missing + ": write payload.user.?mail.orValue(...)"},
		"with a default":         {template: `payload.?total.orValue(0)`},
		"with a deep default":    {template: `payload.?ship.zip.orValue("")`},
		"default needs it":       {template: `payload.?total.orValue(payload.ship.city.size())`, warning: "payload.ship" + missing},
		"asked for":              {template: `has(payload.total) ? payload.total : 0`},
		"asked for, the other":   {template: `!has(payload.total) ? payload.total : 0`, warning: "payload.total" + missing},
		"asked for by and":       {template: `has(payload.total) && payload.total > 1`},
		"and before":             {template: `payload.total > 1 && has(payload.total)`},
		"asked for by or":        {template: `!has(payload.total) || payload.total > 1`},
		"asked by in":            {template: `"total" in payload ? payload.total : 0`},
		"asks below an optional": {template: `has(payload.ship.zip)`, problem: "payload.ship" + missing},
		"one branch":             {template: `payload.id == "" ? payload.total : 0`, warning: "payload.total" + missing},
		"both branches":          {template: `payload.id == "" ? payload.total : double(payload.total) * 2.0`, problem: "payload.total" + missing},
		"each element":           {template: `payload.lines.map(l, l.sku)`},
		"optional in elements":   {template: `payload.lines.map(l, l.qty)`, warning: "l.qty" + missing},
		"element has it":         {template: `payload.lines.filter(l, has(l.qty)).size()`},
		"nobody says":            {template: `payload.free.x`, warning: "nothing says that an event has payload.free.x, and"},
		"no list of required":    {template: `payload.loose.a`, conditions: `[{"field": "loose", "operator": "exists"}]`, warning: "payload.loose.a" + ""},
		"said in other ways":     {template: `payload.either.x`, cel: `has(payload.either)`, problem: "payload.either may be null", warning: "nothing says that an event has payload.either.x"},

		"condition on it":         {template: `payload.total`, conditions: `[{"field": "total", "operator": "greater_than", "value": 1}]`},
		"condition below it":      {template: `payload.ship.city`, conditions: `[{"field": "payload.ship.zip", "operator": "exists"}]`},
		"negative condition":      {template: `payload.total`, conditions: `[{"field": "total", "operator": "not_equals", "value": 1}]`, problem: "payload.total" + missing},
		"negated":                 {template: `payload.total`, conditions: `[{"not": {"field": "total", "operator": "not_exists"}}]`},
		"compared with it":        {template: `payload.total`, conditions: `[{"field": "count", "operator": "greater_than", "value_from": "total"}]`},
		"one of any":              {template: `payload.total`, mode: "any", conditions: `[{"field": "total", "operator": "exists"}, {"field": "id", "operator": "exists"}]`, problem: "payload.total" + missing},
		"all of any":              {template: `payload.total`, mode: "any", conditions: `[{"field": "total", "operator": "equals", "value": 1}, {"all": [{"field": "total", "operator": "exists"}]}]`},
		"not any":                 {template: `payload.total`, conditions: `[{"not": {"any": [{"field": "total", "operator": "not_equals", "value": 1}, {"field": "id", "operator": "equals", "value": "x"}]}}]`},
		"condition on another":    {template: `payload.total`, conditions: `[{"field": "totals", "operator": "exists"}]`, problem: "payload.total" + missing},
		"expression asks":         {template: `payload.total`, cel: `has(payload.total)`},
		"expression needs it":     {template: `payload.total`, cel: `payload.total > 1.0 && payload.id != ""`, warning: "and then the expression does not hold"},
		"expression needs either": {template: `payload.total`, cel: `has(payload.total) || has(payload.count)`, problem: "payload.total" + missing},

		"null as it is":        {template: `payload.note`},
		"null in a sum":        {template: `payload.count + 1`, conditions: `[{"field": "count", "operator": "exists"}]`, problem: "payload.count may be null by the trigger's out_schema"},
		"null in one branch":   {template: `payload.id == "" ? payload.note + "!" : ""`, warning: "payload.note may be null"},
		"compared with null":   {template: `payload.note == null ? "" : payload.note + "!"`},
		"not null by a clause": {template: `payload.note + "!"`, conditions: `[{"field": "note", "operator": "starts_with", "value": "a"}]`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if c.conditions == "" {
				c.conditions = `[]`
			}
			params, err := json.Marshal(map[string]string{"x": "{{ " + c.template + " }}"})
			require.NoError(t, err)
			compiled, err := rule.Compile(&sensor.Rule{Ref: "shop.r", Condition: c.mode, Conditions: json.RawMessage(c.conditions), CEL: c.cel, ActionParams: params})
			require.NoError(t, err)
			wrong, odd := compiled.Check(expression.NewSchema(json.RawMessage(orders)))
			requireSays(t, wrong, c.problem)
			requireSays(t, odd, c.warning)
		})
	}
}

func requireSays(t *testing.T, found *rule.Invalid, text string) {
	t.Helper()
	if text == "" {
		require.Nil(t, found)
		return
	}
	require.NotNil(t, found)
	require.ErrorContains(t, found, text)
}

// Null has no text, which it needs as a part of one.
func TestCheckOfNullInAText(t *testing.T) {
	t.Parallel()
	compiled, err := rule.Compile(&sensor.Rule{Conditions: json.RawMessage(`[]`), ActionParams: json.RawMessage(
		`{"text": "it says {{ payload.note }}", "other": "{{ payload.id }}: {{ payload.note == null ? 'nothing' : payload.note }}"}`)})
	require.NoError(t, err)
	wrong, odd := compiled.Check(expression.NewSchema(json.RawMessage(orders)))
	require.Nil(t, odd)
	require.EqualError(t, wrong, "action.params.text: line 1, column 19: payload.note may be null by the trigger's out_schema, which does not do here: "+
		"write what it should be then, such as payload.note == null ? ... : payload.note, or add a condition on it")
}
