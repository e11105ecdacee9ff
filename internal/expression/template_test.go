package expression_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/internal/expression"
	"github.com/attune-automation/sensors/internal/secret"
)

func TestRender(t *testing.T) {
	t.Parallel()
	for params, want := range map[string]string{
		`{"branch": "{{ payload.branch }}"}`:                           `{"branch":"main"}`,
		`{"n": "{{ payload.files }}", "m": "{{payload.files}} files"}`: `{"m":"7 files","n":7}`,
		`{"n": " {{ payload.files }}"}`:                                `{"n":" 7"}`,
		`["{{ payload.items }}", {"a": ["{{ payload.none }}"]}]`:       `[[1,2.50,{"a":"x","b":1}],{"a":[null]}]`,
		`"{{ payload.user }} and {{ payload.ratio }}, {{payload.ok}}"`: `"{\"name\":\"Ada\",\"tags\":[\"a\",\"b\"]} and 2.50, true"`,
		`"{{ {'a': {'b': payload.files}} }}"`:                          `{"a":{"b":7}}`,
		`"{{ '}}' + \"}}\" }}"`:                                        `"}}}}"`,
		`"{{ r'\\' + '\\'' }}"`:                                        `"\\'"`,
		`"{{ '''it's }}''' }}"`:                                        `"it's }}"`,
		`"{{ \"{{\" }} literal }}"`:                                    `"{{ literal }}"`,
		`"{{ payload.branch // }}\n}}"`:                                `"main"`,
		`"{{ payload.` + "`a b`" + ` }}"`:                              `"spaced"`,
		`{"keep": 1.50, "big": 12345678901234567890, "t": "{{ 1 }}"}`:  `{"big":12345678901234567890,"keep":1.50,"t":1}`,
		`"{{ timestamp(payload.when) }} for {{ duration('90s') }}"`:    `"2026-01-31T07:00:00Z for 90s"`,
		`{"token": "${secret:DEPLOY}", "n": "{{ 1 }}"}`:                `{"n":1,"token":"${secret:DEPLOY}"}`,
		`"Bearer ${secret:DEPLOY} for {{ payload.branch }}"`:           `"Bearer ${secret:DEPLOY} for main"`,
		`"{{ payload.?nope.orValue('none') }}!"`:                       `"none!"`,
	} {
		template, err := expression.CompileTemplate(rule, json.RawMessage(params))
		require.NoError(t, err, params)
		for range 2 {
			got, err := template.Render(t.Context(), input(t, payload))
			require.NoError(t, err, params)
			require.Equal(t, want, string(got), params)
		}
	}
}

func TestNoTemplate(t *testing.T) {
	t.Parallel()
	for _, params := range []string{`{}`, `{"a": [1, "}} { {", {"b": null}]}`} {
		template, err := expression.CompileTemplate(rule, json.RawMessage(params))
		require.NoError(t, err)
		require.Nil(t, template)
	}
}

// Whatever an event brings, who resolves the parameters gets it back as it was: no event has a secret put into them.
func TestDataIsNoReference(t *testing.T) {
	t.Parallel()
	values := []string{
		"${secret:DB}", "$${secret:DB}", "$$${secret:DB}", "${ SECRET:DB", "${HOME}", "$${HOME}", "$", "{secret:DB}", "${",
		"secret:DB}", "a${secret:A}b${secret:B}",
	}
	source, err := secret.New(secret.Config{Environ: []string{"ATTUNE_SECRET_DB=a secret value"}})
	require.NoError(t, err)
	for params, text := range map[string]func(a, b string) string{
		`"{{ payload.a }}"`:                     func(a, _ string) string { return a },
		`"{{ payload.a }}{{ payload.b }}"`:      func(a, b string) string { return a + b },
		`" {{ payload.a }}: {{ payload.b }} }"`: func(a, b string) string { return " " + a + ": " + b + " }" },
	} {
		template, err := expression.CompileTemplate(rule, json.RawMessage(params))
		require.NoError(t, err)
		for _, a := range values {
			for _, b := range values {
				event, err := json.Marshal(map[string]string{"a": a, "b": b})
				require.NoError(t, err)
				rendered, err := template.Render(t.Context(), input(t, string(event)))
				require.NoError(t, err)
				resolved, _, err := source.Resolve(rendered)
				require.NoError(t, err)
				want, err := json.Marshal(text(a, b))
				require.NoError(t, err)
				require.JSONEq(t, string(want), string(resolved), "%s of %s", rendered, event)
			}
		}
	}
}

func TestTemplateProblems(t *testing.T) {
	t.Parallel()
	for params, want := range map[string]string{
		`{"a": [{"b": "x\n{{ payloda }}"}]}`:            `a[0].b: line 2, column 4: unknown name "payloda"`,
		`{"a": "{{ payload.branch"}`:                    `a: line 1, column 3: {{ has no closing }}`,
		`{"a": "{{ }}"}`:                                `a: line 1, column 3: is empty`,
		`{"a": "${{ payload.branch }}"}`:                `a: line 1, column 4: a template is {{ }} without $: remove it`,
		`{"a": "${secret:{{ payload.branch }}_TOKEN}"}`: `the name of a secret cannot be a template`,
		`{"{{ payload.branch }}": 1}`:                   `a key cannot be a template`,
		`{"a": "é {{ 1 + }}"}`:                          `a: line 1, column 10: syntax error`,
		`{"a": "{{ event.nope }} {{ x }}"}`:             "unknown name \"x\"",
	} {
		_, err := expression.CompileTemplate(rule, json.RawMessage(params))
		var problems expression.PathProblems
		require.ErrorAs(t, err, &problems, params)
		require.ErrorContains(t, err, want, params)
	}
}

func TestRenderFailures(t *testing.T) {
	t.Parallel()
	for params, want := range map[string]string{
		`{"a": {"b": ["{{ payload.nope }}"]}}`: `a.b[0]: payload.nope: nope is missing`,
		`{"a": "x {{ payload.none }}"}`:        `a: payload.none is null, which has no text`,
		`{"a": "{{ '\\u0000' }}"}`:             `the parameters cannot be stored`,
		`{"a": "{{ payload.?user.?nope }}"}`:   `a: payload.?user.?nope is missing: give it a default by .orValue(...)`,
		`{"a": "{{ [payload.?nope] }}"}`:       `a: an optional value is missing`,
	} {
		template, err := expression.CompileTemplate(rule, json.RawMessage(params))
		require.NoError(t, err, params)
		_, err = template.Render(t.Context(), input(t, payload))
		var failure *expression.Failure
		require.ErrorAs(t, err, &failure, params)
		require.ErrorContains(t, err, want, params)
	}
}

// In a rule that groups its matches, group and events are what an enforcement stands for.
func TestRenderGroup(t *testing.T) {
	t.Parallel()
	grouped := rule
	grouped.Groups = true
	template, err := expression.CompileTemplate(grouped, json.RawMessage(
		`{"n": "{{ group.count }}", "host": "{{ group.by['payload.host'] }}", "all": "{{ events.map(e, e.payload.n) }}", "b": "{{ payload.branch }}"}`))
	require.NoError(t, err)
	in, err := input(t, payload).WithGroup(json.RawMessage(
		`{"count": 2, "by": {"payload.host": "a"}, "events": [{"payload": {"n": 1.50}}, {"payload": {"n": "x"}}]}`))
	require.NoError(t, err)
	got, err := template.Render(t.Context(), in)
	require.NoError(t, err)
	require.JSONEq(t, `{"n": 2, "host": "a", "all": [1.50, "x"], "b": "main"}`, string(got))

	_, err = expression.CompileTemplate(rule, json.RawMessage(`"{{ events }}"`))
	require.ErrorContains(t, err, "events is known only in the action's parameters of a rule with throttle or correlate")
	_, err = expression.CompileTemplate(rule, json.RawMessage(`"{{ payload.items.map(group, group) }}"`))
	require.NoError(t, err, "a name of a loop is what it is")
	_, err = input(t, payload).WithGroup(json.RawMessage(`[]`))
	require.ErrorContains(t, err, "no JSON object")
}
