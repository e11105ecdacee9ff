package condition_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/internal/condition"
)

func TestIgnoreCase(t *testing.T) {
	t.Parallel()
	tests := []struct {
		operator, value, actual string
		want                    bool
	}{
		{"equals", `"Main"`, `"MAIN"`, true},
		{"equals", `"Main"`, `"mains"`, false},
		{"equals", `"ΣΊΣΥΦΟΣ"`, `"σίσυφος"`, true}, // two small letters of one capital
		{"equals", `"k"`, `"\u212a"`, true},        // the Kelvin sign
		{"equals", `"straße"`, `"STRASSE"`, false}, // one character is never two
		{"contains", `"OO"`, `"foo"`, true},
		{"contains", `"FOO"`, `["bar", "Foo"]`, true},
		{"contains", `"FOO"`, `["foos"]`, false},
		{"contains_any", `["X", "OO", 1]`, `"foo"`, true},
		{"contains_all", `["F", "oO"]`, `"fOo"`, true},
		{"contains_all", `["foo", "FOO", "bar"]`, `["Bar", "fOO"]`, true},
		{"starts_with", `"Ref"`, `"rEFs"`, true},
		{"ends_with", `"É"`, `"caf\u00e9"`, true},
		{"in", `["A", 1]`, `"a"`, true},
		{"in", `["A", 1]`, `1`, true},
		{"in", `["A", 1]`, `"b"`, false},
		{"wildcard", `"MA*"`, `"main"`, true},
		{"wildcard", `"[A-C]x"`, `"bX"`, true},
		{"matches", `"^MAIN|x"`, `"main"`, true},
		{"matches", `"^MAIN|x"`, `"aX"`, true},
	}
	for _, test := range tests {
		clause := func(operator, more string) string {
			return fmt.Sprintf(`[{"field": "x", "operator": %q, "value": %s%s}]`, operator, test.value, more)
		}
		doc := document(t, test.actual)
		program := compile(t, condition.All, clause(test.operator, `, "ignore_case": true`))
		require.Equal(t, test.want, match(t, program, doc), "%v", test)
		require.True(t, program.Explain(&doc).Verdicts[0].IgnoreCase)
		if negative := negatives[test.operator]; negative != "" {
			require.Equal(t, !test.want, match(t, compile(t, condition.All, clause(negative, `, "ignore_case": true`)), doc), "%v", test)
		}
		compile(t, condition.All, clause(test.operator, `, "ignore_case": false`))
	}
}

func TestValueFrom(t *testing.T) {
	t.Parallel()
	tests := []struct {
		operator, field, other string
		want                   bool
		reason                 string
	}{
		{"equals", `"a"`, `"a"`, true, "value is equal"},
		{"equals", `1`, `1.0`, true, "value is equal"},
		{"equals", `{"a": [1, null]}`, `{"a": [1e0, null]}`, true, "value is equal"},
		{"equals", `null`, `null`, true, "value is equal"},
		{"equals", ``, ``, false, missing},
		{"equals", `1`, ``, false, "y is missing"},
		{"equals", ``, `1`, false, missing},
		{"equals", `1`, `"1"`, false, "want a string, got a number"},
		{"contains", `"abc"`, `"b"`, true, "value contains it"},
		{"contains", `[1, 2]`, `2`, true, "value contains it"},
		{"contains_all", `[1, 2, 3]`, `[3, 1]`, true, "value contains all of the list"},
		{"contains_any", `[1]`, `[]`, false, "y: is an empty list: write what to look for"},
		{"contains_any", `[1]`, `7`, false, "y: want a list, got a number: 7; to look for a single value use contains"},
		{"starts_with", `"abc"`, `"ab"`, true, "value starts with it"},
		{"starts_with", `"abc"`, `7`, false, "y: want a string, got a number: 7"},
		{"in", `"a"`, `["a", "b"]`, true, "value is in the list"},
		{"in", `"a"`, `"a"`, false, `y: want a list, got the string "a"; to compare with a single value use equals`},
		{"greater_than", `2`, `1.5`, true, "value is greater"},
		{"greater_than", `2`, `null`, false, "y: want a number, got null"},
		{"length_less_than", `[1]`, `1.5`, true, "length is less"},
		{"before", `"2026-01-01"`, `"2026-01-02"`, true, "time is before"},
		{"before", `"2026-01-01"`, `"now"`, false, `y: "now" is not a time: write a time such as 2026-01-31T08:00:00Z, now, now-15m or now+1h`},
		{"ip_in", `"10.1.2.3"`, `"10.0.0.0/8"`, true, "address is in the network"},
		{"semver_less_than", `"1.0.0-rc.1"`, `"1.0.0"`, true, "version is less"},
		{"iequals", `"A"`, `"a"`, true, "value is equal"},
	}
	for _, test := range tests {
		t.Run(fmt.Sprintf("%s %s %s", test.field, test.operator, test.other), func(t *testing.T) {
			t.Parallel()
			var members []string
			for key, value := range map[string]string{"x": test.field, "y": test.other} {
				if value != "" {
					members = append(members, fmt.Sprintf("%q: %s", key, value))
				}
			}
			doc := condition.Document{condition.Payload: decode(t, "{"+strings.Join(members, ", ")+"}")}
			clause := `[{"field": "x", "operator": %q, "value_from": "y"}]`
			program := compile(t, condition.All, fmt.Sprintf(clause, test.operator))
			require.Equal(t, test.want, match(t, program, doc))
			verdict := program.Explain(&doc).Verdicts[0]
			require.Equal(t, test.reason, verdict.Reason)
			require.Equal(t, "y", verdict.ValueFrom)
			require.Equal(t, test.other, string(verdict.Expected))
			if negative := negatives[test.operator]; negative != "" {
				require.Equal(t, !test.want, match(t, compile(t, condition.All, fmt.Sprintf(clause, negative)), doc))
			}
		})
	}
}

func TestWithinOfAnotherField(t *testing.T) {
	t.Parallel()
	program := compile(t, condition.All, `[{"field": "due", "operator": "within", "value": "1h", "value_from": "config.start"}]`)
	require.True(t, program.Uses(condition.Config))
	for start, want := range map[string]bool{
		`"2026-01-31T08:30:00Z"`: true, `"2026-01-31T10:00:01Z"`: false, `1769846400`: true, `"soon"`: false, `null`: false,
	} {
		doc := condition.Document{
			condition.Payload: decode(t, `{"due": "2026-01-31T09:00:00Z"}`), condition.Config: decode(t, `{"start": `+start+`}`),
		}
		require.Equal(t, want, match(t, program, doc), start)
	}
}

// TestNow proves that now is the event's time, so that an evaluation can be repeated.
func TestNow(t *testing.T) {
	t.Parallel()
	program := compile(t, condition.All, `[{"field": "at", "operator": "within", "value": "15m"}]`)
	require.True(t, program.Uses(condition.Event), "the event has to be decoded")
	doc := condition.Document{condition.Payload: decode(t, `{"at": "2020-01-01T00:00:00Z"}`)}
	require.False(t, match(t, program, doc))
	require.Equal(t, "event.created, which now stands for, is missing", program.Explain(&doc).Verdicts[0].Reason)
	doc[condition.Event] = decode(t, `{"created": "2020-01-01T00:15:00.000000Z"}`)
	require.True(t, match(t, program, doc))
	doc[condition.Event] = decode(t, `{"created": "2020-01-01T00:15:00.000001Z"}`)
	require.False(t, match(t, program, doc))

	nested := compile(t, condition.All, `[{"field": "l", "operator": "any", "value": {"field": "item", "operator": "before", "value": "now"}}]`)
	require.True(t, nested.Uses(condition.Event))
	require.False(t, compile(t, condition.All, `[{"field": "at", "operator": "after", "value": "2020-01-01"}]`).Uses(condition.Event))
}

func TestQuantifiers(t *testing.T) {
	t.Parallel()
	const payload = `{"limit": 10, "names": ["ann", "eve"], "orders": [
		{"id": 1, "who": "ann", "lines": [{"n": 3, "sku": "x"}, {"n": 12, "sku": "y"}]},
		{"id": 2, "who": "bob", "lines": [{"n": 4, "sku": "z"}]}
	]}`
	tests := []struct {
		clause  string
		want    bool
		element string
		reason  string
	}{
		{`{"field": "orders", "operator": "any", "value": {"field": "item.who", "operator": "equals", "value": "bob"}}`,
			true, `{"index": 1, "verdicts": [{"field": "item.who", "operator": "equals", "expected": "bob", "actual": "bob", "matched": true, "reason": "value is equal"}]}`,
			"element 1 satisfies it"},
		{`{"field": "orders", "operator": "any", "value": [
			{"field": "item.who", "operator": "equals", "value": "bob"}, {"field": "item.id", "operator": "equals", "value": 3}]}`,
			false, `{"index": 1, "verdicts": [
				{"field": "item.who", "operator": "equals", "expected": "bob", "actual": "bob", "matched": true, "reason": "value is equal"},
				{"field": "item.id", "operator": "equals", "expected": 3, "actual": 2, "matched": false, "reason": "value is different"}]}`,
			"none of 2 satisfies it: element 1 comes closest"},
		{`{"field": "orders", "operator": "all", "value": {"field": "item.who", "operator": "in", "value_from": "payload.names"}}`,
			false, `{"index": 1, "verdicts": [{"field": "item.who", "operator": "in", "value_from": "payload.names",
				"expected": ["ann", "eve"], "actual": "bob", "matched": false, "reason": "value is not in the list"}]}`,
			"element 1 does not satisfy it"},
		{`{"field": "orders", "operator": "all", "value": {"field": "item.id", "operator": "less_than", "value": 3}}`,
			true, ``, "all of 2 satisfy it"},
		{`{"field": "orders", "operator": "none", "value": {"field": "item.id", "operator": "greater_than", "value": 2}}`,
			true, `{"index": 0, "verdicts": [{"field": "item.id", "operator": "greater_than", "expected": 2, "actual": 1, "matched": false, "reason": "value is not greater"}]}`,
			"none of 2 satisfies it: element 0 comes closest"},
		{`{"field": "orders.*.lines", "operator": "all", "value": {"field": "item.n", "operator": "less_than", "value_from": "limit"}}`,
			true, ``, "all of 1 satisfy it"},
	}
	doc := condition.Document{condition.Payload: decode(t, payload)}
	for _, test := range tests {
		program := compile(t, condition.All, "["+test.clause+"]")
		require.Equal(t, test.want, match(t, program, doc), test.clause)
		verdict := program.Explain(&doc).Verdicts[0]
		require.Equal(t, test.reason, verdict.Reason, test.clause)
		if test.element == "" {
			require.Nil(t, verdict.Element)
			continue
		}
		element, err := json.Marshal(verdict.Element)
		require.NoError(t, err)
		require.JSONEq(t, test.element, string(element), test.clause)
	}
}

// TestNestedQuantifiers compares what is deep inside with what is outside, and with its own neighbours.
func TestNestedQuantifiers(t *testing.T) {
	t.Parallel()
	outside := compile(t, condition.All, `[{"field": "orders", "operator": "any", "value":
		{"field": "item.lines", "operator": "all", "value": {"not": {"field": "item.n", "operator": "greater_than", "value_from": "payload.limit"}}}}]`)
	neighbour := compile(t, condition.Any, `[{"field": "orders", "operator": "any", "value": {"any": [
		{"field": "item.lines", "operator": "any", "value": {"field": "item.n", "operator": "equals", "value_from": "item.want"}}]}}]`)
	payload := func(limit, n, want int) condition.Document {
		return condition.Document{condition.Payload: decode(t, fmt.Sprintf(
			`{"limit": %d, "item": {"want": 9}, "orders": [{"lines": [{"n": 99}]}, {"lines": [{"n": %d, "want": %d}]}]}`, limit, n, want))}
	}
	require.True(t, match(t, outside, payload(5, 5, 0)))
	require.False(t, match(t, outside, payload(5, 6, 0)))
	require.True(t, match(t, neighbour, payload(0, 7, 7)))
	require.False(t, match(t, neighbour, payload(0, 7, 8)))
	require.True(t, match(t, compile(t, condition.All, `[{"field": "item.want", "operator": "equals", "value": 9}]`), payload(0, 0, 0)),
		"outside of any, all and none item is a key of the payload like any other")
}

// TestQuantifierCost proves that the time is bounded by the sizes of the rule and the event added up, not multiplied.
func TestQuantifierCost(t *testing.T) {
	t.Parallel()
	const n = 20_000
	list := "[" + strings.TrimSuffix(strings.Repeat(`{"k": [1, {"x": 2}]},`, n), ",") + "]"
	doc := condition.Document{condition.Payload: decode(t, `{"a": `+list+`, "b": `+list+`}`)}
	start := time.Now()
	program := compile(t, condition.All, `[
		{"field": "a", "operator": "all", "value": {"field": "item", "operator": "in", "value_from": "payload.b"}},
		{"field": "a", "operator": "none", "value": {"field": "item.k", "operator": "in", "value_from": "payload.b"}},
		{"field": "a.*.k.*", "operator": "not_in", "value_from": "payload.b"}]`)
	require.False(t, match(t, program, doc), "the lists have more values than in takes")
	require.Contains(t, program.Explain(&doc).Verdicts[0].Element.Verdicts[0].Reason, "a list of 20000: at most 10000 are allowed")
	require.Less(t, time.Since(start), 20*time.Second) // 0.1 s when idle

	budget := compile(t, condition.All, `[{"field": "a", "operator": "any", "value": {"field": "item.k", "operator": "matches", "value": "((a{0,21}){0,21})b$"}}]`)
	require.False(t, match(t, budget, doc))
	require.Contains(t, budget.Explain(&doc).Verdicts[0].Reason, "too long for this regular expression", "all of the list counts")
}

func TestClauseProblems(t *testing.T) {
	t.Parallel()
	const place = "conditions[0]."
	tests := []struct{ clause, path, message string }{
		{`"operator": "equals"`, "value", "is missing: write the value to compare with; null is one"},
		{`"operator": "exists", "value": 5`, "value", "exists takes no value: remove it"},
		{`"operator": "exists", "value_from": "y"`, "value_from", "exists does not compare with another field: write a value"},
		{`"operator": "equals", "value": 1, "value_from": "y"`, "value", "stands beside value_from: remove one of them"},
		{`"operator": "equals", "value_from": "y.*"`, "value_from", `"y.*" leads to several values: name a single one; to choose from a list, use in with the list itself`},
		{`"operator": "equals", "value_from": 7`, "value_from", "want a string, got a number: 7; name a field, such as payload.other"},
		{`"operator": "equals", "value_from": "a b"`, "value_from", `"a b" is not a path: want a dot or a bracket between segments (at byte 1)`},
		{`"operator": "matches", "value_from": "y"`, "value_from", "matches does not compare with another field: write a value"},
		{`"operator": "within", "value_from": "y"`, "value", "is missing: write the value to compare with; null is one"},
		{`"operator": "greater_than", "value": 1, "ignore_case": true`, "ignore_case", "greater_than has no text to compare, or has its own rule for case: remove it"},
		{`"operator": "equals", "value": "a", "ignore_case": "yes"`, "ignore_case", `want a boolean, got the string "yes"`},
		{`"operator": "equals", "value": 1, "ignore_case": true`, "value", "want a string, got a number: 1; ignore_case compares texts"},
		{`"operator": "in", "value": [1], "ignore_case": true`, "value", "has no text that ignore_case could be about: remove ignore_case"},
		{`"operator": "contains_any", "value": []`, "value", "is an empty list: write what to look for"},
		{`"operator": "between", "value": [1]`, "value", "a list of 1: write the least and the greatest number, such as [1, 10]"},
		{`"operator": "between", "value": [2, 1]`, "value", "[2, 1] has no number in it: write the smaller one first"},
		{`"operator": "between", "value": [1, "2"]`, "value", `want a number, got the string "2" in the list; write the least and the greatest number, such as [1, 10]`},
		{`"operator": "length_equals", "value": 1.5`, "value", "want a whole number from 0 on, got 1.5: no length is anything else"},
		{`"operator": "length_less_than", "value": -1`, "value", "want a whole number from 0 on, got -1: no length is anything else"},
		{`"operator": "one_of_types", "value": ["strin"]`, "value", `unknown type "strin": did you mean "string"? the types are array, boolean, integer, list, null, number, object, string`},
		{`"operator": "one_of_types", "value": "string"`, "value", `want a list, got the string "string"; write a list of types, such as ["string", "null"]`},
		{`"operator": "before", "value": "soon"`, "value", `"soon" is not a time: write a time such as 2026-01-31T08:00:00Z, now, now-15m or now+1h`},
		{`"operator": "before", "value": "now 15m"`, "value", `"now 15m" is not a time: write a time such as 2026-01-31T08:00:00Z, now, now-15m or now+1h`},
		{`"operator": "before", "value": "now-"`, "value", `"now-" is not a time: write a time such as 2026-01-31T08:00:00Z, now, now-15m or now+1h`},
		{`"operator": "within", "value": 15`, "value", "want a string, got a number: 15; write one such as 90s, 15m, 1h30m, 7d or 2w"},
		{`"operator": "within", "value": "15"`, "value", `"15" is not a duration: write one such as 90s, 15m, 1h30m, 7d or 2w`},
		{`"operator": "within", "value": "9999999999w"`, "value", `"9999999999w" is longer than 100 years`},
		{`"operator": "ip_in", "value": "10.0.0.1/8"`, "value", `"10.0.0.1/8" is an address within a network: write 10.0.0.0/8 for the network, or 10.0.0.1 for the address alone`},
		{`"operator": "ip_in", "value": ["10.0.0.0/33"]`, "value", `"10.0.0.0/33" is not a network: write one such as 10.0.0.0/8 or fe80::/10`},
		{`"operator": "ip_in", "value": [1]`, "value", "want a string, got a number: 1; write a network, such as 10.0.0.0/8 or fe80::/10, or a list of them"},
		{`"operator": "ip_in", "value": []`, "value", "is an empty list: write networks, such as 10.0.0.0/8"},
		{`"operator": "semver_equals", "value": "1.2"`, "value", `"1.2" is not a version: write a semantic version, such as 1.4.0 or 2.0.0-rc.1`},
		{`"operator": "wildcard", "value": 1`, "value", "want a string, got a number: 1; write a pattern with *, ? and [abc]"},
		{`"operator": "any"`, "value", "is missing: write the condition, or the list of conditions, for an element, with fields such as item.name"},
		{`"operator": "any", "value": []`, "value", `is empty: write a condition for an element, such as {"field": "item.name", "operator": "equals", "value": "x"}`},
		{`"operator": "any", "value": 1`, "value", `want an object, got a number: 1; write a condition for an element, such as {"field": "item.name", "operator": "equals", "value": "x"}`},
		{`"operator": "any", "value": [{"field": "payload.y", "operator": "is_null"}]`, "value[0].field",
			`"payload.y" is not of the element: begin with item here, and put what concerns the rest of the event beside the clause`},
		{`"operator": "any", "value": {"field": "item.y", "operator": "startwith", "value": 1}`, "value.operator", `item.y: unknown operator "startwith": did you mean "startswith"?`},
	}
	for _, test := range tests {
		t.Run(test.clause, func(t *testing.T) {
			t.Parallel()
			_, operator, _ := strings.Cut(test.clause, `"operator": "`)
			operator, _, _ = strings.Cut(operator, `"`)
			label := "x " + operator + ": "
			if strings.HasPrefix(test.path, "value[0]") || strings.HasSuffix(test.path, ".operator") {
				label = "" // that of the condition on the element
			}
			found := problems(t, condition.All, `[{"field": "x", `+test.clause+`}]`)
			require.Len(t, found, 1)
			require.Equal(t, condition.Problem{Path: place + test.path, Message: label + test.message}, found[0])
		})
	}
	compile(t, condition.All, `[{"field": "x", "operator": "exists", "value": true}]`)
}
