package condition

import (
	"encoding/json"
	"math/big"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

// FuzzDecode compares Decode with encoding/json.
func FuzzDecode(f *testing.F) {
	for _, seed := range []string{
		`{"a": [1, -2.5e3, "\u00e9\ud83d\ude00", null, true], "a": {}}`, `"\ud800"`, `[1,]`, `01`, "\"\x00\"", `{"a":1}x`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		v, err := Decode([]byte(text))
		if err != nil {
			stricter := !utf8.ValidString(text) || strings.Contains(err.Error(), "surrogate")
			require.True(t, stricter || !json.Valid([]byte(text)), "refused: %v", err)
			return
		}
		require.True(t, json.Valid([]byte(text)), "accepted")
		want, err := standard(text)
		require.NoError(t, err)
		require.Equal(t, want, plain(v))
	})
}

// FuzzPath holds that a path which parses has segments that tile its text.
func FuzzPath(f *testing.F) {
	for _, seed := range []string{`payload.a[0].*."b.c"`, `[*]`, `"\u0022"`, `config`, `a..b`, `a[`, `*.0`} {
		f.Add(seed)
	}
	doc, err := Decode([]byte(`{"a": [{"b.c": 1}, [2]], "0": {"b": []}}`))
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, text string) {
		p, err := parsePath(text, false)
		if err != nil {
			return
		}
		end := 0
		for _, s := range p.segments {
			require.Greater(t, s.end, end)
			end = s.end
		}
		if len(p.segments) > 0 {
			require.Len(t, text, end)
		} else {
			require.Equal(t, p.root.String(), text)
		}
		s := search{clause: &clause{field: text, path: p, operator: &operators[0]}}
		s.walk(doc, p.segments)
		require.NotPanics(t, func() { s.clause.explain(&Document{Payload: doc}) })
	})
}

const fuzzedPayload = `{"a": {"b": [1, "x", null, {"c": 2.50}]}, "s": "main", "n": 9007199254740993, "z": null, "t": true}`

// FuzzCompile holds that Compile never panics, explains what it refuses, and that what it
// accepts can evaluate any document.
func FuzzCompile(f *testing.F) {
	for _, seed := range []string{
		`[]`, `[{"field": "s", "operator": "equals", "value": "main"}]`,
		`[{"any": [{"field": "a.b.*", "operator": "in", "value": [1, "x"]}, {"not": {"field": "n", "operator": "less_than", "value": 1e5}}]}]`,
		`[{"field": "s", "operator": "matches", "value": "^m(a|b)*"}]`, `[{"all": {}, "x": 1}]`, `[{"field": 1}]`, `{`,
		`[{"field": "a.b", "operator": "any", "value": [{"field": "item.c", "operator": "equals", "value_from": "payload.n"}, {"not": {"field": "item", "operator": "any", "value": {"field": "item", "operator": "exists"}}}]}]`,
		`[{"field": "a.b", "operator": "search", "condition": "all2any", "value": {"item.c#1": {"type": "gt", "pattern": 2}, "item": {"type": "search", "condition": "any", "pattern": {"item": {"type": "nexists"}}}}}]`,
	} {
		f.Add(seed, fuzzedPayload)
	}
	f.Fuzz(func(t *testing.T, conditions, payload string) {
		program, err := Compile(Any, json.RawMessage(conditions))
		if err != nil {
			problems, ok := err.(Problems)
			require.True(t, ok && len(problems) > 0)
			for _, problem := range problems {
				require.True(t, strings.HasPrefix(problem.Path, "conditions") && problem.Message != "", "%v", problem)
			}
			return
		}
		value, _ := Decode([]byte(payload))
		doc := Document{Payload: value, Config: value, Event: value, Trigger: value, Sensor: value}
		explanation := program.Explain(&doc)
		require.Equal(t, program.Match(&doc), explanation.Matched)
		_, err = json.Marshal(explanation)
		require.NoError(t, err)
	})
}

// An operatorCase is one clause of every operator, on one payload.
type operatorCase struct {
	pick                  uint8
	field, value, payload string
}

// operatorCases are what FuzzOperators begins with.
func operatorCases() (cases []operatorCase) {
	for i, value := range []string{
		`"a"`, `1`, `[1, "a", null]`, `null`, `{"a": [true]}`, `"^a+$"`, `"now-15m"`, `"10.0.0.0/8"`, `"1.2.3-rc.1"`, `"a*[!b-c]?"`,
		`{"field": "item", "operator": "equals", "value": 1}`, `{"item.a": {"type": "eq", "pattern": 1}}`, `["10.1.2.3", "fe80::/10"]`,
		`["integer"]`, `[1, 2]`, `"2026-01-31"`, `"1h"`,
	} {
		pick := uint8(i)
		cases = append(cases,
			operatorCase{pick, "s.*", value, `{"s": ["a", 1, null, "10.1.2.3", "2026-01-31T08:00:00Z", "1.2.3"], "o": "A"}`},
			operatorCase{pick + 5, "s", value, `{"s": "aaa", "o": 1}`},
			operatorCase{0, "s", value, `{"s": "aaa", "o": 1}`},
			operatorCase{pick, "payload", value, value})
	}
	return append(cases,
		operatorCase{5, "s", ``, `{"s": [1, "a"]}`},
		operatorCase{4, "s", `{"item.a": {"type": "eq", "pattern": 1}}`, `{"s": [{"a": 1}, {"a": 2}]}`})
}

// outcomes evaluates the clause of every operator, and returns the matches of those that take it, by name.
func (c operatorCase) outcomes(t *testing.T, doc *Document) map[string]bool {
	quoted, err := json.Marshal(c.field)
	require.NoError(t, err)
	value := ""
	if c.value != "" {
		value = `, "value": ` + c.value
	}
	more := [...]string{value, value + `, "ignore_case": true`, `, "value_from": "o"`, value + `, "value_from": "o"`,
		`, "condition": "any2any"` + value}[c.pick%5]
	outcomes := map[string]bool{}
	for _, name := range append(Operators(), StackStormOperators()...) {
		clause := `{"field": ` + string(quoted) + `, "operator": "` + name + `"` + more + `}`
		wrapped := [...]string{`[` + clause + `]`, `[{"not": ` + clause + `}]`, `[{"any": [` + clause + `]}]`}[c.pick%3]
		program, err := Compile(All, json.RawMessage(wrapped))
		if err != nil {
			continue
		}
		outcomes[name] = program.Match(doc)
		explanation := program.Explain(doc)
		require.Equal(t, explanation.Matched, outcomes[name])
		_, err = json.Marshal(explanation)
		require.NoError(t, err)
	}
	return outcomes
}

// FuzzOperators evaluates one clause of every operator on one value: Match and Explain agree, a negative operator negates
// its twin, and StackStorm's names stand up to anything, too.
func FuzzOperators(f *testing.F) {
	for _, c := range operatorCases() {
		f.Add(c.pick, c.field, c.value, c.payload)
	}
	created, err := Decode([]byte(`{"created": "2026-01-31T08:00:00Z"}`))
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, pick uint8, field, value, payload string) {
		decoded, err := Decode([]byte(payload))
		if err != nil {
			return
		}
		outcomes := operatorCase{pick, field, value, payload}.outcomes(t, &Document{Payload: decoded, Event: created})
		for i := range operators {
			negative := "not_" + operators[i].name
			if operators[i].name == "any" {
				negative = "none"
			}
			if slices.Contains(Operators(), negative) {
				holds, ok := outcomes[operators[i].name]
				require.Equal(t, ok && !holds, outcomes[negative], negative)
			}
		}
	})
}

// TestEveryOperatorIsFuzzed proves that what FuzzOperators begins with reaches each of them.
func TestEveryOperatorIsFuzzed(t *testing.T) {
	t.Parallel()
	reached := map[string]bool{}
	for _, c := range operatorCases() {
		if decoded, err := Decode([]byte(c.payload)); err == nil {
			for name := range c.outcomes(t, &Document{Payload: decoded}) {
				reached[name] = true
			}
		}
	}
	for _, name := range append(Operators(), StackStormOperators()...) {
		require.True(t, reached[name], name)
	}
}

// FuzzKey holds that two values have the same key exactly if they are equal, and that a set finds what it has.
func FuzzKey(f *testing.F) {
	f.Add(`{"a": [1, 2], "b": null}`, `{"b": null, "a": [1.0, 2e0]}`)
	f.Add(`["a", "b"]`, `["ab", ""]`)
	f.Add(`[1, 23]`, `[12, 3]`)
	f.Fuzz(func(t *testing.T, a, b string) {
		x, err := Decode([]byte(a))
		if err != nil {
			return
		}
		y, err := Decode([]byte(b))
		if err != nil {
			return
		}
		want := newLiteral(x)
		require.Equal(t, want.equals(y), string(x.appendKey(nil)) == string(y.appendKey(nil)))
		require.Equal(t, string(want.appendKey(nil)), string(x.appendKey(nil)))
		require.Equal(t, want.equals(y), newSet([]literal{want}, false).has(y))
	})
}

// FuzzFold compares fold with what the standard library holds for equal but for case.
func FuzzFold(f *testing.F) {
	f.Add("Straße", "STRASSE")
	f.Add("ΣΊΣΥΦΟΣ", "σίσυφος")
	f.Fuzz(func(t *testing.T, a, b string) {
		if !utf8.ValidString(a) || !utf8.ValidString(b) {
			return
		}
		require.Equal(t, strings.EqualFold(a, b), fold(a) == fold(b))
		require.Equal(t, fold(a), fold(fold(a)))
		require.Equal(t, fold(a), fold(strings.ToValidUTF8(a, "")))
	})
}

// FuzzFormats reads anything as a time, a duration, a version and a pattern with wildcards.
func FuzzFormats(f *testing.F) {
	for _, seed := range []string{"2026-01-31T08:00:00.5+02:00", "1h30m", "1.2.3-rc.1+x", "a*[!b-d]?", "[]", "[!]", "[a", "-1e9"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		parseTime(text)
		if d, err := parseDuration(text); err == nil {
			require.GreaterOrEqual(t, d, time.Duration(0))
		}
		if v, ok := parseVersion(text); ok {
			require.Zero(t, compareVersions(v, v))
		}
		if v, err := Decode([]byte(text)); err == nil {
			v.instant()
		}
		if !utf8.ValidString(text) || len(text) > 100 {
			return
		}
		_, err := regexp.Compile(expressionOf(text))
		require.NoError(t, err)
	})
}

// FuzzNumber compares with math/big, for exponents that it can expand.
func FuzzNumber(f *testing.F) {
	for _, seed := range [][2]string{
		{"1", "1.0"}, {"-0", "0e5"}, {"9007199254740993", "9007199254740992"}, {"0.1", "1e-1"},
		{"120.50", "1205e-1"}, {"1e300", "10e299"}, {"-1.5", "-1.50001"}, {"1230.045", "12300.45e-1"},
	} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		x, ok := rational(a)
		if !ok {
			return
		}
		y, ok := rational(b)
		if !ok {
			return
		}
		m, n := parseNumber(a), parseNumber(b)
		require.Equal(t, x.Cmp(y), compareNumbers(m, n), "%s <=> %s", a, b)
		require.Equal(t, y.Cmp(x), compareNumbers(n, m), "%s <=> %s", b, a)
		require.Zero(t, compareNumbers(m, parseNumber(a)))
	})
}

func rational(text string) (*big.Rat, bool) {
	v, err := Decode([]byte(text))
	if err != nil || v.kind() != kindNumber || v.raw() != text {
		return nil, false
	}
	if n := parseNumber(text); n.exponent > 2000 || n.exponent < -2000 || len(text) > 2000 {
		return nil, false
	}
	return new(big.Rat).SetString(text)
}

// FuzzEquals compares deep equality with that of Go values whose numbers are rational.
func FuzzEquals(f *testing.F) {
	f.Add(`{"a": [1, 2], "b": null}`, `{"b": null, "a": [1.0, 2e0]}`)
	f.Add(`{"a": 1}`, `{"a": 2, "a": 1}`)
	f.Add(`[[], {}]`, `[{}, []]`)
	f.Fuzz(func(t *testing.T, a, b string) {
		x, err := Decode([]byte(a))
		if err != nil {
			return
		}
		y, err := Decode([]byte(b))
		if err != nil {
			return
		}
		left, ok := reference(plain(x))
		if !ok {
			return
		}
		right, ok := reference(plain(y))
		if !ok {
			return
		}
		want := newLiteral(x)
		require.Equal(t, left == right, want.equals(y))
	})
}

// reference writes a value in a form that is unique to it.
func reference(v any) (string, bool) {
	switch v := v.(type) {
	case json.Number:
		r, ok := rational(v.String())
		if !ok {
			return "", false
		}
		return r.RatString(), true
	case []any:
		texts := make([]string, len(v))
		for i, element := range v {
			var ok bool
			if texts[i], ok = reference(element); !ok {
				return "", false
			}
		}
		return "[" + strings.Join(texts, ",") + "]", true
	case map[string]any:
		canonical := map[string]string{}
		for key, value := range v {
			var ok bool
			if canonical[key], ok = reference(value); !ok {
				return "", false
			}
		}
		text, err := json.Marshal(canonical) // sorts the keys
		return string(text), err == nil
	default:
		text, err := json.Marshal(v)
		return string(text), err == nil
	}
}
