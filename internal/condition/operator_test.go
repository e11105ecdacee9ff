package condition_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/internal/condition"
)

// Reasons of verdicts.
const (
	missing = "field is missing"
	isNull  = "value is null"
)

type operatorTest struct {
	operator, value, actual string
	want                    bool
	reason                  string
}

// operatorTests has, for every positive operator: missing, null, wrong type, empty, match and
// no match. An empty actual stands for a missing field.
var operatorTests = []operatorTest{
	{"equals", `"a"`, ``, false, missing},
	{"equals", `"a"`, `null`, false, isNull},
	{"equals", `"a"`, `1`, false, "want a string, got a number"},
	{"equals", `1`, `"1"`, false, "want a number, got a string"},
	{"equals", `true`, `"true"`, false, "want a boolean, got a string"},
	{"equals", `true`, `1`, false, "want a boolean, got a number"},
	{"equals", `false`, `0`, false, "want a boolean, got a number"},
	{"equals", `""`, `""`, true, "value is equal"},
	{"equals", `""`, ``, false, missing},
	{"equals", `"a"`, `"a"`, true, "value is equal"},
	{"equals", `"a"`, `"A"`, false, "value is different"},
	{"equals", `"é\n\ud83d\ude00/"`, `"\u00e9\u000a😀\/"`, true, "value is equal"},
	{"equals", `"\u00e9"`, `"e\u0301"`, false, "value is different"}, // composed, decomposed
	{"equals", `null`, `null`, true, "value is equal"},
	{"equals", `null`, ``, false, missing},
	{"equals", `null`, `0`, false, "want null, got a number"},
	{"equals", `true`, `true`, true, "value is equal"},
	{"equals", `true`, `false`, false, "value is different"},
	{"equals", `[]`, `[]`, true, "value is equal"},
	{"equals", `[]`, `{}`, false, "want a list, got an object"},
	{"equals", `{}`, `{}`, true, "value is equal"},
	{"equals", `[1, "a", null]`, `[1.0,"a",null]`, true, "value is equal"},
	{"equals", `[1, 2]`, `[2, 1]`, false, "value is different"},
	{"equals", `[1, 2]`, `[1]`, false, "value is different"},
	{"equals", `[1]`, `[1, 2]`, false, "value is different"},
	{"equals", `{"a": 1, "b": {"c": [true]}}`, `{"b": {"c": [true]}, "a": 1e0}`, true, "value is equal"},
	{"equals", `{"a": 1}`, `{"a": 1, "b": 2}`, false, "value is different"},
	{"equals", `{"a": 1, "b": 2}`, `{"a": 1}`, false, "value is different"},
	{"equals", `{"a": null}`, `{}`, false, "value is different"},
	{"equals", `{"a": 1}`, `{"a": 2, "a": 1}`, true, "value is equal"},
	{"equals", `{"a": 1}`, `{"a": 1, "\u0061": 2}`, false, "value is different"},

	{"contains", `"a"`, ``, false, missing},
	{"contains", `"a"`, `null`, false, isNull},
	{"contains", `"a"`, `1`, false, "want a string or a list, got a number"},
	{"contains", `"a"`, `{"a": 1}`, false, "want a string or a list, got an object"},
	{"contains", `1`, `"1"`, false, "want a list, got a string"},
	{"contains", `"a"`, `""`, false, "value does not contain it"},
	{"contains", `""`, `""`, true, "value contains it"},
	{"contains", `"a"`, `[]`, false, "value does not contain it"},
	{"contains", `"b"`, `"abc"`, true, "value contains it"},
	{"contains", `"d"`, `"abc"`, false, "value does not contain it"},
	{"contains", `"b"`, `["a", "b"]`, true, "value contains it"},
	{"contains", `"b"`, `["abc"]`, false, "value does not contain it"},
	{"contains", `10`, `[1, 1e1]`, true, "value contains it"},
	{"contains", `null`, `[1, null]`, true, "value contains it"},
	{"contains", `{"a": [1]}`, `[{"a": [1.0]}]`, true, "value contains it"},
	{"contains", `[1]`, `[1]`, false, "value does not contain it"},

	{"starts_with", `"a"`, ``, false, missing},
	{"starts_with", `"a"`, `null`, false, isNull},
	{"starts_with", `"a"`, `["a"]`, false, "want a string, got a list"},
	{"starts_with", `"a"`, `""`, false, "value does not start with it"},
	{"starts_with", `""`, `""`, true, "value starts with it"},
	{"starts_with", `"ab"`, `"abc"`, true, "value starts with it"},
	{"starts_with", `"é"`, `"\u00e9t\u00e9"`, true, "value starts with it"},
	{"starts_with", `"bc"`, `"abc"`, false, "value does not start with it"},

	{"ends_with", `"a"`, ``, false, missing},
	{"ends_with", `"a"`, `null`, false, isNull},
	{"ends_with", `"a"`, `{}`, false, "want a string, got an object"},
	{"ends_with", `"a"`, `""`, false, "value does not end with it"},
	{"ends_with", `"bc"`, `"abc"`, true, "value ends with it"},
	{"ends_with", `"ab"`, `"abc"`, false, "value does not end with it"},

	{"greater_than", `1`, ``, false, missing},
	{"greater_than", `-1`, `null`, false, isNull},
	{"greater_than", `1`, `"2"`, false, "want a number, got a string"},
	{"greater_than", `1`, `true`, false, "want a number, got a boolean"},
	{"greater_than", `1`, `2`, true, "value is greater"},
	{"greater_than", `1`, `1.0`, false, "value is not greater"},
	{"greater_than", `1`, `0.999`, false, "value is not greater"},
	{"greater_than", `9007199254740992`, `9007199254740993`, true, "value is greater"},
	{"greater_than", `-2`, `-1`, true, "value is greater"},
	{"greater_than", `1e999999`, `1e1000000`, true, "value is greater"},

	{"less_than", `1`, ``, false, missing},
	{"less_than", `1`, `null`, false, isNull},
	{"less_than", `1`, `[0]`, false, "want a number, got a list"},
	{"less_than", `1`, `0`, true, "value is less"},
	{"less_than", `1`, `1e0`, false, "value is not less"},
	{"less_than", `0`, `-1e-1000000`, true, "value is less"},
	{"less_than", `0`, `-0.0`, false, "value is not less"},

	{"in", `["a"]`, ``, false, missing},
	{"in", `["a"]`, `null`, false, isNull},
	{"in", `["a", null]`, `null`, false, isNull},
	{"in", `["1"]`, `1`, false, "want a string, got a number"},
	{"in", `["a", 1]`, `true`, false, "want a number or a string, got a boolean"},
	{"in", `[]`, `"a"`, false, "value is not in the list"},
	{"in", `[null]`, `"a"`, false, "value is not in the list"},
	{"in", `["a", "b"]`, `"b"`, true, "value is in the list"},
	{"in", `["a", "b"]`, `"\u0062"`, true, "value is in the list"},
	{"in", `["a", "b"]`, `"c"`, false, "value is not in the list"},
	{"in", `[3, 10, -1, 2.50]`, `1e1`, true, "value is in the list"},
	{"in", `[3, 10, -1, 2.50]`, `2.5`, true, "value is in the list"},
	{"in", `[3, 10, -1, 2.50]`, `2.51`, false, "value is not in the list"},
	{"in", `[true, [1], {"a": 1}]`, `true`, true, "value is in the list"},
	{"in", `[true, [1], {"a": 1}]`, `false`, false, "value is not in the list"},
	{"in", `[true, [1], {"a": 1}]`, `[1]`, true, "value is in the list"},
	{"in", `[true, [1], {"a": 1}]`, `{"a": 1.0}`, true, "value is in the list"},

	{"matches", `"a"`, ``, false, missing},
	{"matches", `""`, `null`, false, isNull},
	{"matches", `"1"`, `1`, false, "want a string, got a number"},
	{"matches", `"a"`, `""`, false, "value does not match"},
	{"matches", `"^$"`, `""`, true, "value matches"},
	{"matches", `"b+"`, `"abbc"`, true, "value matches"},
	{"matches", `"^b+$"`, `"abbc"`, false, "value does not match"},
	{"matches", `"(?i)^MAIN$"`, `"main"`, true, "value matches"},
	{"matches", `"^v\\d+\\.\\d+$"`, `"v1.20"`, true, "value matches"},
}

func TestOperators(t *testing.T) {
	t.Parallel()
	for _, test := range slices.Concat(operatorTests, moreOperatorTests) {
		t.Run(fmt.Sprintf("%s %s %s", test.actual, test.operator, test.value), func(t *testing.T) {
			t.Parallel()
			doc := document(t, test.actual)
			check := func(operator string, want bool) {
				value := ""
				if test.value != "" {
					value = `, "value": ` + test.value
				}
				program := compile(t, condition.All, fmt.Sprintf(`[{"field": "x", "operator": %q%s}]`, operator, value))
				require.Equal(t, want, match(t, program, doc), operator)
				verdict := program.Explain(&doc).Verdicts[0]
				require.Equal(t, test.reason, verdict.Reason, operator)
				require.Equal(t, test.actual, string(verdict.Actual), operator)
			}
			check(test.operator, test.want)
			if twin, ok := negatives[test.operator]; ok {
				check(twin, !test.want)
			}
		})
	}
}

// TestOperatorTable fails when an operator is added without rows in these tables: one that matches and one that does not.
func TestOperatorTable(t *testing.T) {
	t.Parallel()
	tested := map[string]map[bool]bool{}
	for _, test := range slices.Concat(operatorTests, moreOperatorTests) {
		for _, name := range []string{test.operator, negatives[test.operator]} {
			if tested[name] == nil {
				tested[name] = map[bool]bool{}
			}
			tested[name][test.want] = true
		}
	}
	for _, name := range condition.Operators() {
		require.Len(t, tested[name], 2, name)
	}
}

func TestExactNumbers(t *testing.T) {
	t.Parallel()
	huge := strings.Repeat("9", 100_000)
	tests := []struct {
		a, b string
		want bool
	}{
		{`1`, `1.0`, true},
		{`1`, `1e0`, true},
		{`100`, `1E+2`, true},
		{`0.001`, `1e-3`, true},
		{`0.1`, `0.10`, true},
		{`-0`, `0.0e5`, true},
		{`0`, `0e99999999999999999999`, true},
		{`9007199254740993`, `9007199254740992`, false},
		{`9007199254740993`, `9007199254740993.0`, true},
		{`0.1`, `0.1000000000000000055511151231257827`, false},
		{`1`, `-1`, false},
		{`1e1000000`, `10e999999`, true},
		{`1e1000000`, `1e1000001`, false},
		{`1e-1000000`, `0`, false},
		{`1e1000`, `1e99999999999999999999`, false},
		{`1e-1000`, `1e-99999999999999999999`, false},
		{huge, huge + ".0", true},
		{huge, huge + "9", false},
		{`123.456`, `123456e-3`, true},
		{`120.5`, `12.05e1`, true},
		{`12.34`, `123.4`, false},
	}
	for _, test := range tests {
		program := compile(t, condition.All, fmt.Sprintf(`[{"field": "f", "operator": "equals", "value": %s}]`, test.a))
		doc := condition.Document{condition.Payload: decode(t, fmt.Sprintf(`{"f": %s}`, test.b))}
		require.Equal(t, test.want, match(t, program, doc), "%.40s = %.40s", test.a, test.b)
	}
}

func TestOrderOfHugeExponents(t *testing.T) {
	t.Parallel()
	ascending := []string{`-1e99999999999999999999`, `-1e1000`, `-1`, `-1e-99999999999999999999`,
		`0`, `1e-99999999999999999999`, `1e-1000`, `1`, `1e1000`, `1e99999999999999999999`}
	for i, b := range []string{`-1e1000`, `0`, `1e1000`} {
		position := []int{1, 4, 8}[i]
		program := compile(t, condition.All, fmt.Sprintf(`[{"field": "f", "operator": "greater_than", "value": %s}]`, b))
		for j, a := range ascending {
			doc := condition.Document{condition.Payload: decode(t, fmt.Sprintf(`{"f": %s}`, a))}
			require.Equal(t, j > position, match(t, program, doc), "%s > %s", a, b)
		}
	}
}
