package expression_test

import (
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/internal/expression"
	"github.com/attune-automation/sensors/internal/schema"
	"github.com/attune-automation/sensors/internal/secret"
)

// Any text is refused with reasons, or compiles; then it has a result or a reason for none, the same each time and soon.
func FuzzCompile(f *testing.F) {
	for _, text := range []string{
		`payload.branch == "main" && size(payload.items) > 3`, `payload.?x.orValue([1, 2.5, {"a": b"x"}])`, `"a".matches("(")`,
		`payload.items.map(x, string(x)).join(",")`, `timestamp(payload.when) + duration("1h")`, `json.parse(payload.json)`, "payload.`a b`",
		`lists.range(10).transformMap(i, v, {i: v})`, `'%s'.format([payload])`, `((((`, `1 / 0`, `r"""x"""`, `payload.huge`,
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		start := time.Now()
		program, err := expression.CompileCondition(rule, text)
		if err != nil {
			_, ok := errors.AsType[expression.Problems](err)
			require.True(t, ok, err)
			require.NotEmpty(t, err.Error())
			return
		}
		program.CheckCondition(expression.NewSchema(json.RawMessage(outSchema)), expression.Given{}, &expression.Effort{})
		first, firstErr := program.JSON(t.Context(), input(t, payload))
		second, secondErr := program.JSON(t.Context(), input(t, payload))
		require.Equal(t, first, second)
		require.Equal(t, firstErr, secondErr)
		if firstErr == nil {
			require.True(t, json.Valid(first), "%s", first)
		} else {
			_, ok := errors.AsType[*expression.Failure](firstErr)
			require.True(t, ok, firstErr)
		}
		matched, err := program.Match(t.Context(), input(t, payload))
		verdict, explainErr := program.Explain(t.Context(), input(t, payload))
		require.NoError(t, explainErr)
		require.Equal(t, matched && err == nil, verdict.Matched)
		require.Less(t, time.Since(start), time.Minute)
	})
}

// Any JSON with templates is refused, or what it renders can be stored and refers to no secret that it did not name.
func FuzzTemplate(f *testing.F) {
	for _, text := range []string{
		`"{{ payload.a }}"`, `{"a": ["x {{ payload.a }}{{payload.b}} y", 1.50, "{{ {'a': {'b': 1}} }}"]}`, `"$}{{ payload.a }}{secret:DB}"`,
		`"${secret:DB} {{ '}}' }}"`, `"{{ r'\\' }}"`, `"{{ payload.a // }}\n }}"`, `"{{"`, `"}}"`, `"{{ '''"' }} {{ \"'\" }}"`,
	} {
		f.Add(text, "${secret:DB}", "{secret:DB}")
	}
	f.Fuzz(func(t *testing.T, params, a, b string) {
		if schema.CheckPayload([]byte(params)) != nil {
			return
		}
		named, err := secret.References([]byte(params))
		if err != nil {
			return
		}
		template, err := expression.CompileTemplate(rule, json.RawMessage(params))
		if err != nil || template == nil {
			return
		}
		template.Check(expression.NewSchema(json.RawMessage(outSchema)), expression.Given{}, &expression.Effort{})
		event, err := json.Marshal(map[string]string{"a": a, "b": b})
		require.NoError(t, err)
		rendered, err := template.Render(t.Context(), input(t, string(event)))
		if err != nil {
			_, ok := errors.AsType[*expression.Failure](err)
			require.True(t, ok, err)
			return
		}
		require.NoError(t, schema.CheckPayload(rendered))
		references, err := secret.References(rendered)
		require.NoError(t, err, "%s", rendered)
		require.LessOrEqual(t, len(references), len(named), "%s", rendered)
	})
}
