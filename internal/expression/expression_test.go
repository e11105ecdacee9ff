package expression_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/internal/condition"
	"github.com/attune-automation/sensors/internal/expression"
)

// rule is what the expressions of these tests are in.
var rule = expression.Rule{Ref: "shop.release", Label: "Release"}

const payload = `{"branch": "main", "files": 7, "ratio": 2.50, "big": 12345678901234567890, "huge": 1e400, "none": null, "ok": true,
	"user": {"name": "Ada", "tags": ["a", "b"]}, "items": [1, 2.50, {"b": 1, "a": "x"}], "a b": "spaced", "json": "{\"n\": 1}",
	"when": "2026-01-31T08:00:00+01:00"}`

// input is an event with this payload.
func input(t testing.TB, payload string) *expression.Input {
	t.Helper()
	var doc condition.Document
	for root, text := range map[condition.Root]string{
		condition.Payload: payload,
		condition.Event:   `{"id": 42, "trigger_ref": "shop.push", "created": "2026-01-31T08:00:00Z"}`,
		condition.Trigger: `{"ref": "shop.push", "label": "Push"}`,
		condition.Sensor:  `{"ref": "shop.git", "label": "Git", "config": {"url": "https://example.org", "token": "${secret:TOKEN}"}}`,
	} {
		v, err := condition.Decode([]byte(text))
		require.NoError(t, err)
		doc[root] = v
	}
	return expression.NewInput(&doc)
}

func TestJSON(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`payload.branch`:                      `"main"`,
		`payload.files`:                       `7`,
		`payload.files + 1`:                   `8`,
		`payload.files / 2`:                   `3`,
		`double(payload.files) / 2.0`:         `3.5`,
		`payload.ratio`:                       `2.50`,
		`payload.ratio * 2.0`:                 `5`,
		`payload.big`:                         `12345678901234567890`,
		`payload.huge`:                        `1e400`,
		`payload.items`:                       `[1,2.50,{"a":"x","b":1}]`,
		`payload.items[2].a`:                  `"x"`,
		`payload.items[1]`:                    `2.50`,
		`payload["a b"] + payload.` + "`a b`": `"spacedspaced"`,
		`[payload.items[1], payload.big, payload.user]`:    `[2.5,12345678901234567000,{"name":"Ada","tags":["a","b"]}]`,
		`{"b": payload.none, "a": [true]}`:                 `{"a":[true],"b":null}`,
		`{1: "x"}`:                                         `{"1":"x"}`,
		`payload.?nope.orValue("dev")`:                     `"dev"`,
		`payload.?branch.orValue("dev")`:                   `"main"`,
		`payload.?branch`:                                  `"main"`,
		`has(payload.nope) ? payload.nope : 0`:             `0`,
		`payload.user.tags.join("+").upperAscii()`:         `"A+B"`,
		`json.encode(payload.items)`:                       `"[1,2.50,{\"a\":\"x\",\"b\":1}]"`,
		`json.parse(payload.json).n`:                       `1`,
		`base64.encode(b"hi")`:                             `"aGk="`,
		`b"hi"`:                                            `"aGk="`,
		`timestamp(payload.when)`:                          `"2026-01-31T07:00:00Z"`,
		`duration("90m")`:                                  `"5400s"`,
		`timestamp(payload.when) + duration("24h")`:        `"2026-02-01T07:00:00Z"`,
		`event.id`:                                         `42`,
		`trigger.ref + " " + sensor.ref + " " + rule.ref`:  `"shop.push shop.git shop.release"`,
		`sensor.config.token`:                              `"${secret:TOKEN}"`,
		`payload.user.tags.map(x, {x: size(x)})`:           `[{"a":1},{"b":1}]`,
		`math.greatest(payload.files, 9)`:                  `9`,
		`regex.replace("a-b", "-", "_")`:                   `"a_b"`,
		`"%s: %d".format([payload.branch, payload.files])`: `"main: 7"`,
		`payload.ok ? "<&>" : ""`:                          `"<&>"`,
		`optional.none().orValue(1) + payload.files`:       `8`,
		`timestamp(payload.when).getHours("+05:30")`:       `12`,
		`[optional.of(payload.files)].size()`:              `1`,
	} {
		program, err := expression.Compile(rule, text)
		require.NoError(t, err, text)
		got, err := program.JSON(t.Context(), input(t, payload))
		require.NoError(t, err, text)
		require.Equal(t, want, string(got), text)
	}
}

// Failures name the part of the expression that failed, and are the same each time.
func TestFailures(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`payload.nope`:                   `payload.nope: nope is missing`,
		`payload.user.nope + "x"`:        `payload.user.nope: nope is missing`,
		`payload.?nope`:                  `payload.?nope is missing: give it a default by .orValue(...)`,
		`payload.files + payload.branch`: `payload.files + payload.branch: does not take values of these types`,
		`payload.items[9]`:               `payload.items[9]: index out of bounds: 9`,
		`config.trigger.ref`:             `is missing on this event`,
		`payload.huge > 1`:               `the number 1e400 is too large`,
		`1.0 / 0.0`:                      `JSON cannot express`,
		`type(payload)`:                  `JSON cannot express`,
		`payload.files / size("")`:       `division by zero`,
		`timestamp(payload.branch)`:      `timestamp(payload.branch)`,
		`payload.files.startsWith("a")`:  `does not take values of these types`,
		`payload.user.tags.all(a, lists.range(10000).map(x, x * x).size() > 1)`: `costs more than`,
	} {
		program, err := expression.Compile(rule, text)
		require.NoError(t, err, text)
		_, err = program.JSON(t.Context(), input(t, payload))
		var failure *expression.Failure
		require.ErrorAs(t, err, &failure, text)
		require.ErrorContains(t, err, want, text)
	}
}

// What an event brings never makes an expression long to evaluate, nor its result large.
func TestLargePayloads(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("a", 1<<19)
	elements := `["` + strings.Repeat(`","`, 1<<16) + `"]`
	event := `{"long": "` + long + `", "list": ` + elements + `}`
	for _, text := range []string{
		`payload.long.replace("", payload.long)`,
		`payload.long.replace("a", payload.long)`,
		`payload.list.join(payload.long)`,
		`payload.list.map(x, payload.long).join()`,
		`payload.list.distinct()`,
		`payload.list.hasAll(payload.list)`,
		`payload.long.matches("(a|b|ab)*c")`,
		`payload.long.matches(payload.long)`,
		`regex.replace(payload.long, "", payload.long)`,
		`payload.list.map(x, json.encode(payload))`,
		`"%s%s%s".format([payload.long, payload.long, payload.long])`,
		`payload.list.map(x, payload.list.filter(y, y == x))`,
		`payload.long + payload.long + payload.long + payload.long`,
		`payload.list.map(x, payload.long)`,
	} {
		program, err := expression.Compile(rule, text)
		require.NoError(t, err, text)
		start := time.Now()
		_, err = program.JSON(t.Context(), input(t, event))
		var failure *expression.Failure
		require.ErrorAs(t, err, &failure, text)
		require.Less(t, time.Since(start), 20*time.Second, text) // unguarded, the first takes a day
		require.Less(t, len(err.Error()), 1000)
	}
}

func TestConditions(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		`payload.branch == "main" && payload.files > 3`:      true,
		`payload.branch == "main" && payload.files > 7.5`:    false,
		`payload.ratio == 2.5 && payload.files == 7.0`:       true,
		`payload.files == "7"`:                               false,
		`payload.user.tags.exists(x, x == "b")`:              true,
		`"b" in payload.user.tags && !("c" in payload.user)`: true,
		`payload.branch.matches("^m.*n$")`:                   true,
		`payload.ok`:                                         true,
		`has(payload.nope) && payload.nope > 1`:              false,
		`payload.nope == 1 || payload.ok`:                    true,
		`timestamp(event.created).getFullYear() == 2026`:     true,
	} {
		program, err := expression.CompileCondition(rule, text)
		require.NoError(t, err, text)
		got, err := program.Match(t.Context(), input(t, payload))
		require.NoError(t, err, text)
		require.Equal(t, want, got, text)
	}
	program, err := expression.CompileCondition(rule, `payload.branch`)
	require.NoError(t, err)
	_, err = program.Match(t.Context(), input(t, payload))
	require.EqualError(t, err, "is a text: a condition is true or false")
}

func TestProblems(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`  `:                                           `line 1, column 1: is empty`,
		`payload.branch ==`:                            `line 1, column 18: syntax error: mismatched input the end`,
		"payload.ok &&\n  payloda.x":                   `line 2, column 3: unknown name "payloda": did you mean "payload"?`,
		`payload.branch.upperAsci()`:                   `unknown name "upperAsci": did you mean "upperAscii"?`,
		`payload.ok ? "a" : null`:                      `? : does not take (dyn, string, null), which are of different types: write dyn(...) around one of them, if it may yield either`,
		`payload.branch = "main"`:                      `line 1, column 16: syntax error: = compares nothing: write ==`,
		`has(payload["a-b"])`:                          `has() takes a field behind a dot, such as has(payload.x): of another key ask "a-b" in payload`,
		`xyzzy_plugh`:                                  `an expression begins at payload, config, event, trigger, sensor, rule, or calls a function`,
		`1 + "a"`:                                      `+ does not take (int, string)`,
		`event.craeted > ""`:                           `line 1, column 6: event has no field "craeted": did you mean "created"?`,
		`config.trigger.rf == ""`:                      `config.trigger has no field "rf": did you mean "ref"?`,
		`"abc"`:                                        `is a text: a condition is true or false`,
		`"a".matches("(")`:                             `missing closing )`,
		`"a".matches("(x{1000}){9}")`:                  `column`,
		`payload.n > 1 / 0`:                            `line 1, column 15: 1 / 0 fails on every event: division by zero`,
		`payload.n % 0 == 1`:                           `payload.n % 0 fails on every event: it divides by zero`,
		`regex.extract(payload.x, "(").hasValue()`:     `fails on every event: error parsing regexp: missing closing )`,
		`payload.ok ? [1][5] > 1 : true`:               `[1][5] > 1 fails on every event: index out of bounds: 5`,
		`payload.list.exists(x, x == json.parse("{"))`: `json.parse("{") fails on every event`,
		`timestamp(payload.at).getHours("Nowhere/City") > 8`:               `fails on every event: unknown time zone Nowhere/City`,
		`size(base64.decode("%%")) > 1`:                                    `fails on every event: illegal base64`,
		`lists.range(1000).map(a, lists.range(1000).map(b, b)).size() > 1`: `costs at least`,
		strings.Repeat("(", 200) + "1" + strings.Repeat(")", 200):          `line 1`,
		strings.Repeat("1 + ", 3000) + "1 > 0":                             `expression code point size exceeds limit: size: 12005, limit 10000: write less, such as conditions for parts of it`,
	} {
		_, err := expression.CompileCondition(rule, text)
		var problems expression.Problems
		require.ErrorAs(t, err, &problems, text)
		require.ErrorContains(t, err, want, text)
	}
}

// A context that ends is no result: nobody knows then.
func TestInterrupted(t *testing.T) {
	t.Parallel()
	program, err := expression.CompileCondition(rule, `lists.range(10000).all(x, x >= 0)`)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = program.Match(ctx, input(t, payload))
	require.ErrorIs(t, err, context.Canceled)
}

func TestUses(t *testing.T) {
	t.Parallel()
	program, err := expression.Compile(rule, `payload.a + sensor.config.url`)
	require.NoError(t, err)
	require.True(t, program.Uses(condition.Payload))
	require.True(t, program.Uses(condition.Sensor))
	require.False(t, program.Uses(condition.Event))
}

// A failure says what kind it is without quoting the event, and in a text that can be stored, whatever the event brings.
func TestCauses(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]expression.Failure{
		`payload.nope == 1`: {Message: "payload.nope: nope is missing", Cause: expression.CauseMissing, Part: "payload.nope"},
		`payload[payload.branch + "\u0000"] == 1`: {
			Message: "payload[payload.branch + \"\\x00\"]: main\uFFFD is missing", Cause: expression.CauseMissing, Part: `payload[payload.branch + "\x00"]`},
		`payload.branch < 3`:       {Cause: expression.CauseTypes, Part: "payload.branch < 3"},
		`int(payload.branch) == 3`: {Cause: expression.CauseOther, Part: "int(payload.branch)"},
		`payload.branch`:           {Cause: expression.CauseTypes},
		`payload.user.tags[9] == "a" && lists.range(300).all(x, lists.range(300).all(y, x + y >= 0))`: {Cause: expression.CauseCost},
	} {
		program, err := expression.CompileCondition(rule, text)
		require.NoError(t, err, text)
		_, err = program.Match(t.Context(), input(t, payload))
		var failure *expression.Failure
		require.ErrorAs(t, err, &failure, text)
		if want.Message == "" {
			want.Message = failure.Message
		}
		require.Equal(t, want, *failure, text)
	}
}
