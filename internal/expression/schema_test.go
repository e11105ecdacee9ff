package expression_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/internal/expression"
)

const outSchema = `{"type": "object", "properties": {
	"branch": {"type": "string"}, "files": {"type": "integer"}, "ok": {"type": "boolean"}, "any": {}, "maybe": {"type": ["string", "null"]},
	"user": {"type": "object", "properties": {"name": {"type": "string"}, "extra": {"type": "object"}}},
	"open": {"type": "object", "additionalProperties": true, "properties": {"a": {"type": "string"}}},
	"commits": {"type": "array", "items": {"type": "object", "properties": {"author": {"type": "string"}}}},
	"tags": {"type": "array", "items": {"type": "string"}}}}`

// What is certain to fail is a problem, and what is probably a slip a warning; nothing else is said.
func TestCheck(t *testing.T) {
	t.Parallel()
	schema := expression.NewSchema(json.RawMessage(outSchema))
	for text, want := range map[string]struct{ problem, warning string }{
		`payload.branch`:                  {},
		`payload.brnach`:                  {warning: `line 1, column 8: payload has no field in the trigger's out_schema named "brnach": did you mean "branch"?`},
		`payload.?brnach.orValue("main")`: {warning: `did you mean "branch"?`},
		`payload["brnach"]`:               {warning: `did you mean "branch"?`},
		`has(payload.user.nme)`:           {warning: `payload.user has no field in the trigger's out_schema named "nme": did you mean "name"?`},
		`payload.zzzzzzzz`:                {warning: `it has any, branch, commits`},
		`payload.commits[0].autor`:        {warning: `payload.commits[0] has no field in the trigger's out_schema named "autor"`},
		`payload.open.b + payload.user.extra.x + payload.any.y`: {},
		`payload.branch + 1`:                                      {problem: `+ does not take (string, int)`},
		`payload.branch - payload.user.name`:                      {problem: `- does not take (string, string)`},
		`payload.files.startsWith("a")`:                           {problem: `startsWith does not take int.(string)`},
		`payload.files == "5"`:                                    {problem: `== does not take (int, string)`},
		`payload.tags.exists(x, x > 5)`:                           {problem: `> does not take (string, int)`},
		`payload.files * 2`:                                       {},
		`payload.files * 2.0`:                                     {},
		`payload.files > 2.5 && payload.ok`:                       {},
		`payload["branch"] + "x"`:                                 {},
		`size(payload) + size(payload.user)`:                      {},
		`"branch" in payload`:                                     {},
		`payload.maybe == null`:                                   {},
		`payload.map(k, payload[k]).size()`:                       {},
		`payload == {"branch": "main"}`:                           {},
		`has(payload.branch) ? payload.branch : ""`:               {},
		`payload.tags.map(payload, payload + "x").join(", ")`:     {},
		`payload.commits.filter(c, c.author == "ada").size() + 1`: {},
	} {
		program, err := expression.Compile(rule, text)
		require.NoError(t, err, text)
		problems, warnings := program.Check(schema)
		if want.problem == "" {
			require.Empty(t, problems, text)
		} else {
			require.ErrorContains(t, problems, want.problem, text)
		}
		if want.warning == "" {
			require.Empty(t, warnings, text)
		} else {
			require.ErrorContains(t, warnings, want.warning, text)
		}
	}
}

func TestCheckTemplate(t *testing.T) {
	t.Parallel()
	template, err := expression.CompileTemplate(rule, json.RawMessage(`{"a": ["on {{ payload.brnach }}"], "b": "x\n{{ payload.files - payload.branch }}"}`))
	require.NoError(t, err)
	problems, warnings := template.Check(expression.NewSchema(json.RawMessage(outSchema)), expression.Given{}, &expression.Effort{})
	require.ErrorContains(t, problems, `b: line 2, column 18: - does not take (int, string)`)
	require.ErrorContains(t, warnings, `a[0]: line 1, column 14: payload has no field in the trigger's out_schema named "brnach"`)
	problems, warnings = template.Check(expression.NewSchema(nil), expression.Given{}, &expression.Effort{})
	require.Empty(t, problems)
	require.EqualError(t, warnings, "a[0]: line 1, column 14: nothing says that an event has payload.brnach, payload.files, payload.branch, and without it there are no parameters: list it as required in the trigger's out_schema, add a condition on it, or write a default, such as payload.?brnach.orValue(...)")
}
