package condition_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/internal/condition"
)

func problems(t *testing.T, mode condition.Mode, conditions string) condition.Problems {
	t.Helper()
	program, err := condition.Compile(mode, json.RawMessage(conditions))
	require.Nil(t, program)
	var found condition.Problems
	require.ErrorAs(t, err, &found)
	return found
}

func TestProblems(t *testing.T) {
	t.Parallel()
	const shape = "a clause has field, operator and value; a group has one of all, any and not"
	const common = "common ones are equals, in, contains, starts_with, matches, greater_than, exists and any"
	tests := []struct {
		conditions, path, message string
	}{
		{``, "conditions", "invalid JSON at byte 0: want a value, got the end of the text"},
		{`[}`, "conditions", "invalid JSON at byte 1: want a value, got '}'"},
		{`null`, "conditions", "want a list, got null; put the conditions in [ ], of which an empty one matches every event"},
		{`{"all": []}`, "conditions", `want a list, got an object: {"all": []}; put the conditions in [ ], of which an empty one matches every event`},
		{`["a"]`, "conditions[0]", `want an object, got the string "a"; ` + shape},
		{`[{}]`, "conditions[0]", "is empty: " + shape},
		{`[{"and": []}]`, "conditions[0].and", "unknown key: " + shape},
		{`[{"operater": "equals"}]`, "conditions[0].operater", `unknown key: did you mean "operator"? ` + shape},
		{`[{"a.b": 1}]`, `conditions[0]."a.b"`, "unknown key: " + shape},
		{`[{"operator": "equals", "value": 1}]`, "conditions[0].field", "is missing: name one, such as payload.branch"},
		{`[{"field": 7, "operator": "equals", "value": 1}]`, "conditions[0].field", "want a string, got a number: 7; name one, such as payload.branch"},
		{`[{"field": "a", "value": 1}]`, "conditions[0].operator", "a: is missing: name one; " + common},
		{`[{"field": "a", "operator": "equals"}]`, "conditions[0].value", "a equals: is missing: write the value to compare with; null is one"},
		{`[{"field": "a", "field": "b", "operator": "equals", "value": 1}]`, "conditions[0].field", "is there more than once: remove all but one"},
		{`[{"field": "a", "operator": "equals", "value": {"x": [{"y": 1, "y": 2}]}}]`, "conditions[0].value.x[0].y", "a: is there more than once: remove all but one"},
		{`[{"field": "a", "operator": "Equal", "value": 1}]`, "conditions[0].operator", `a: unknown operator "Equal": did you mean "equals"?`},
		{`[{"field": "a", "operator": "==", "value": 1}]`, "conditions[0].operator", `a: unknown operator "==": did you mean "equals"?`},
		{`[{"field": "a", "operator": "zzz", "value": 1}]`, "conditions[0].operator", `a: unknown operator "zzz": ` + common + "; docs/rules.md has them all"},
		{`[{"field": "a", "operator": "in", "value": "x"}]`, "conditions[0].value", `a in: want a list, got the string "x"; to compare with a single value use equals`},
		{`[{"field": "a", "operator": "greater_than", "value": "5"}]`, "conditions[0].value", `a greater_than: want a number, got the string "5"; write a number without quotes`},
		{`[{"field": "a", "operator": "less_than", "value": null}]`, "conditions[0].value", "a less_than: want a number, got null"},
		{`[{"field": "a", "operator": "starts_with", "value": 5}]`, "conditions[0].value", "a starts_with: want a string, got a number: 5"},
		{`[{"field": "a", "operator": "matches", "value": ["x"]}]`, "conditions[0].value", `a matches: want a string, got a list: ["x"]; matches takes a regular expression`},
		{`[{"field": "a", "operator": "matches", "value": "a(b"}]`, "conditions[0].value", "a matches: \"a(b\" is not a regular expression in RE2 syntax: error parsing regexp: missing closing ): `a(b`"},
		{`[{"field": "a", "operator": "equals", "value": [1e9999999999999]}]`, "conditions[0].value[0]", `a: the number 1e9999999999999 is too large or too small: its exponent may be ±1000000000000 at most`},
		{`[{"field": "a..b", "operator": "equals", "value": 1}]`, "conditions[0].field", `"a..b" is not a path: want a name; one with blanks, dots or brackets is written in double quotes (at byte 2)`},
		{`[{"all": {"field": "a", "operator": "equals", "value": 1}}]`, "conditions[0].all", `want a list, got an object: {"field": "a", "operator": "equals", "value": 1}; put the conditions in [ ]`},
		{`[{"any": []}]`, "conditions[0].any", "is empty: add a condition or remove the group"},
		{`[{"not": []}]`, "conditions[0].not", `want one condition, got a list; write {"not": {"any": [...]}} or {"not": {"all": [...]}}`},
		{`[{"not": {"all": [{"not": 1}]}}]`, "conditions[0].not.all[0].not", "want an object, got a number: 1; " + shape},
	}
	for _, test := range tests {
		t.Run(test.conditions, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, condition.Problems{{Path: test.path, Message: test.message}},
				problems(t, condition.All, test.conditions))
		})
	}
}

func TestAllProblemsAtOnce(t *testing.T) {
	t.Parallel()
	found := problems(t, "some", `[
		{"field": "a b", "operator": "like", "value": {"x": 1, "x": 1}},
		{"field": "a", "operator": "matches", "value": "("},
		{"all": [{"operator": "equals", "vaule": 1}, {"any": [{"not": {"field": "x", "operator": "in", "value": 3}}]}], "any": []}
	]`)
	var paths []string
	for _, problem := range found {
		require.NotEmpty(t, problem.Message)
		paths = append(paths, problem.Path)
	}
	require.Equal(t, []string{
		"condition",
		"conditions[0].field", "conditions[0].value.x", "conditions[0].operator",
		"conditions[1].value",
		"conditions[2]",
		"conditions[2].all[0].vaule", "conditions[2].all[0].field", "conditions[2].all[0].value",
		"conditions[2].all[1].any[0].not.value",
		"conditions[2].any",
	}, paths)
	require.Len(t, strings.Split(found.Error(), "\n"), len(found))
}

func TestLimits(t *testing.T) {
	t.Parallel()
	const clause = `{"field": "a", "operator": "equals", "value": 1}`
	nest := func(depth int) string {
		return "[" + strings.Repeat(`{"any": [`, depth) + clause + strings.Repeat(`]}`, depth) + "]"
	}
	list := func(length int) string {
		return "[" + strings.TrimSuffix(strings.Repeat(clause+",", length), ",") + "]"
	}
	in := func(length int) string {
		return fmt.Sprintf(`[{"field": "a", "operator": "in", "value": [%s1]}]`, strings.Repeat("1,", length-1))
	}
	value := func(depth int) string {
		return fmt.Sprintf(`[{"field": "a", "operator": "equals", "value": %s%s}]`, strings.Repeat("[", depth), strings.Repeat("]", depth))
	}
	matches := func(count int) string {
		const ten = `{"field": "a", "operator": "matches", "value": "abcdefgh"},`
		return "[" + strings.TrimSuffix(strings.Repeat(ten, count), ",") + "]"
	}
	for _, fits := range []string{
		nest(condition.MaxDepth), list(condition.MaxConditions), in(condition.MaxList),
		value(condition.MaxDepth), matches(condition.MaxInstructions / 10),
	} {
		compile(t, condition.All, fits)
	}
	tests := []struct {
		conditions, path, message string
	}{
		{nest(condition.MaxDepth + 1), "conditions[0]" + strings.Repeat(".any[0]", condition.MaxDepth) + ".any", "nested deeper than 32"},
		{list(condition.MaxConditions + 1), "conditions", "more than 1000 conditions in one rule: use in for a list of values, or several rules"},
		{"[" + strings.TrimSuffix(strings.Repeat(`{"not": {"any": [`+clause+`]}},`, condition.MaxConditions/2), ",") + "]",
			"conditions", "more than 1000 conditions in one rule: use in for a list of values, or several rules"},
		{in(condition.MaxList + 1), "conditions[0].value", "a in: a list of 10001: at most 10000 are allowed"},
		{value(condition.MaxDepth + 1), "conditions[0].value" + strings.Repeat("[0]", condition.MaxDepth), "a: nested deeper than 32"},
		{matches(condition.MaxInstructions/10 + 1), "conditions", "the regular expressions compile to 1010 instructions together: at most 1000 are allowed; use fewer or smaller repetitions, or several rules"},
		{strings.Repeat(" ", condition.MaxSize+1), "conditions", "1048577 bytes long: at most 1048576 are allowed"},
	}
	for _, test := range tests {
		require.Equal(t, condition.Problems{{Path: test.path, Message: test.message}},
			problems(t, condition.All, test.conditions))
	}

	many := problems(t, condition.All, "["+strings.Repeat("1,", condition.MaxConditions-1)+"1]")
	require.Len(t, many, condition.MaxProblems+1)
	require.Equal(t, "more problems follow: they are listed once these are solved", many[condition.MaxProblems].Message)

	long := problems(t, condition.All, fmt.Sprintf(`[{"field": %q, "operator": %q, "value": 1}]`,
		strings.Repeat("f", 1_001), strings.Repeat("o", 1_000)))
	require.Equal(t, "is longer than 1000 bytes", long[0].Message)
	require.Less(t, len(long[1].Message), 400)
}
