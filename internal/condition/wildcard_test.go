package condition_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/internal/condition"
)

func TestWildcards(t *testing.T) {
	t.Parallel()
	const payload = `{
		"files": [{"name": "a.go", "size": 1}, {"name": "b.md", "size": 20}, {"size": null}, "x"],
		"grid": [[1, 2], [], [3]], "none": [], "text": "x", "object": {"a": 1}
	}`
	tests := []struct {
		field, operator, value string
		want                   bool
		actual, reason         string
	}{
		{"files.*.name", "ends_with", `".md"`, true, `"b.md"`, "value ends with it"},
		{"files[*].name", "ends_with", `".go"`, true, `"a.go"`, "value ends with it"},
		{"files.*.name", "ends_with", `".py"`, false, `["a.go","b.md"]`, "none of 2: value does not end with it"},
		{"files.*.size", "greater_than", `5`, true, `20`, "value is greater"},
		{"files.*.size", "greater_than", `50`, false, `[1,20,null]`, "none of 3: value is not greater"},
		{"files.*.size", "starts_with", `"a"`, false, `[1,20,null]`, "none of 3: want a string, got a number"},
		{"files.*.size", "equals", `null`, true, `null`, "value is equal"},
		{"files.*.name", "not_equals", `"a.go"`, false, `"a.go"`, "value is equal"},
		{"files.*.name", "not_equals", `"c"`, true, `["a.go","b.md"]`, "none of 2: value is different"},
		{"files.*.name", "not_in", `["b.md"]`, false, `"b.md"`, "value is in the list"},
		{"files.*.owner", "equals", `1`, false, ``, "field is missing"},
		{"files.*.owner", "not_equals", `1`, true, ``, "field is missing"},
		{"grid.*.*", "equals", `3`, true, `3`, "value is equal"},
		{"grid.*[1]", "equals", `2`, true, `2`, "value is equal"},
		{"grid.*.*", "equals", `4`, false, `[1,2,3]`, "none of 3: value is different"},
		{"none.*", "equals", `1`, false, ``, "field is missing: none is empty"},
		{"none.*.x", "not_equals", `1`, true, ``, "field is missing: none is empty"},
		{"text.*", "equals", `"x"`, false, ``, "field is missing: text is a string"},
		{"object.*", "equals", `1`, false, ``, "field is missing: object is an object"},
		{"text.length", "equals", `1`, false, ``, "field is missing: text is a string"},
		{"payload.text.length.x", "equals", `1`, false, ``, "field is missing: payload.text is a string"},
		{"object.b.c", "equals", `1`, false, ``, "field is missing"},
		{"files.2.size.unit", "equals", `1`, false, ``, "field is missing: files.2.size is null"},
	}
	doc := condition.Document{condition.Payload: decode(t, payload)}
	for _, test := range tests {
		t.Run(fmt.Sprintf("%s %s %s", test.field, test.operator, test.value), func(t *testing.T) {
			t.Parallel()
			program := compile(t, condition.All, fmt.Sprintf(`[{"field": %q, "operator": %q, "value": %s}]`,
				test.field, test.operator, test.value))
			require.Equal(t, test.want, match(t, program, doc))
			verdict := program.Explain(&doc).Verdicts[0]
			require.Equal(t, test.actual, string(verdict.Actual))
			require.Equal(t, test.reason, verdict.Reason)
		})
	}
}
