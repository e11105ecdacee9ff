package throttle_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/internal/condition"
	"github.com/attune-automation/sensors/internal/throttle"
)

func parse(t testing.TB, text string) *throttle.Throttle {
	t.Helper()
	parsed, err := throttle.Parse(json.RawMessage(text))
	require.NoError(t, err)
	return parsed
}

func TestParse(t *testing.T) {
	t.Parallel()
	require.Nil(t, parse(t, ``))
	require.Nil(t, parse(t, `null`))
	for text, want := range map[string]struct {
		kind  throttle.Kind
		span  time.Duration
		count int
		text  string
	}{
		`{"once_within": "15m", "group_by": ["payload.host"]}`: {throttle.OnceWithin, 15 * time.Minute, 0, "once_within 15m"},
		`{"once_after": "1h30m"}`:                              {throttle.OnceAfter, 90 * time.Minute, 0, "once_after 1h30m"},
		`{"at_least": 5, "within": "7d"}`:                      {throttle.AtLeast, 7 * 24 * time.Hour, 5, "at_least 5 within 7d"},
		`{"once_within": "1s", "group_by": null}`:              {throttle.OnceWithin, time.Second, 0, "once_within 1s"},
	} {
		got := parse(t, text)
		require.Equal(t, want.kind, got.Kind, text)
		require.Equal(t, want.span, got.Span, text)
		require.Equal(t, want.count, got.Count, text)
		require.Equal(t, want.text, got.String(), text)
	}
}

func TestParseNamesEveryProblem(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("a", 201)
	for text, want := range map[string]string{
		`[]`:                                `: want keys and values: write {once_within: 15m}`,
		`{}`:                                `: once_within, once_after and at_least are all missing`,
		`{"once_within": "15m", "onec": 1}`: `.onec: unknown key: a throttle has`,
		`{"once_witin": "15m"}`:             `.once_witin: unknown key: did you mean "once_within"?`,
		`{"once_within": "15m", "once_after":"1m"}`:                               `.once_after: once_within is there too: keep one of them`,
		`{"once_within": 15}`:                                                     `.once_within: got 15: write a duration such as 90s`,
		`{"once_within": "15"}`:                                                   `.once_within: "15" is not a duration`,
		`{"once_within": "10ms"}`:                                                 `.once_within: 10ms is out of bounds: write a duration from 1s to 30d`,
		`{"once_within": "31d"}`:                                                  `.once_within: 31d is out of bounds`,
		`{"once_within": "1500.5ms"}`:                                             `.once_within: 1500.5ms is finer than a millisecond`,
		`{"once_after": "1m", "within": "1m"}`:                                    `.within: is for at_least: leave it out`,
		`{"at_least": 3}`:                                                         `: within is missing`,
		`{"at_least": 1, "within": "1m"}`:                                         `.at_least: got 1: write a whole number from 2 to 1000`,
		`{"at_least": "3", "within": "1m"}`:                                       `.at_least: got "3": write a whole number`,
		`{"once_after": "1m", "group_by": "host"}`:                                `.group_by: got "host": write a list of fields`,
		`{"once_after": "1m", "group_by": ["a..b"]}`:                              `.group_by[0]: "a..b" is not a path`,
		`{"once_after": "1m", "group_by": ["a", "b[*]"]}`:                         `.group_by[1]: * leads to many values`,
		`{"once_after": "1m", "group_by": ["a", "a"]}`:                            `.group_by[1]: a is in the list already`,
		`{"once_after": "1m", "group_by": ["` + long + `"]}`:                      `.group_by[0]: has 201 bytes: at most 200 are allowed`,
		`{"once_after": "1m", "group_by": [1,2,3,4,5,6,7,8]}`:                     `.group_by: got [1,2,3,4,5,6,7,8]: write a list of fields`,
		`{"once_after": "1m", "group_by": ["a","b","c","d","e","f","g","h","i"]}`: `.group_by: 9 fields: at most 8 are allowed`,
	} {
		_, err := throttle.Parse(json.RawMessage(text))
		require.ErrorContains(t, err, want, text)
	}
}

func document(t testing.TB, payload string) *condition.Document {
	t.Helper()
	value, err := condition.Decode([]byte(payload))
	require.NoError(t, err)
	return &condition.Document{condition.Payload: value}
}

func TestKey(t *testing.T) {
	t.Parallel()
	by := parse(t, `{"once_after": "1m", "group_by": ["payload.host", "level"]}`).By
	require.Equal(t, `{"level":2,"payload.host":"a"}`, by.Key(document(t, `{"host": "a", "level": 2.0}`)))
	require.Equal(t, `{"level":null,"payload.host":{"a":1,"b":[]}}`, by.Key(document(t, `{"host": {"b": [], "a": 1e0}}`)))
	require.Equal(t, `{}`, parse(t, `{"once_after": "1m"}`).By.Key(document(t, `{"host": "a"}`)))
	require.True(t, by.Uses(condition.Payload))
	require.False(t, by.Uses(condition.Event))

	other := parse(t, `{"once_after": "1m", "group_by": ["server", "payload.severity"]}`).By
	require.Equal(t, `{"level":2,"payload.host":"a"}`, other.KeyAs(by, document(t, `{"server": "a", "severity": 2}`)))
}

// A long value is told apart by its hash: a key stays short enough for an index and for people.
func TestKeyOfLongValues(t *testing.T) {
	t.Parallel()
	by := parse(t, `{"once_after": "1m", "group_by": ["a","b","c","d","e","f","g","h"]}`).By
	text := strings.Repeat("ä", 100_000)
	long := func(end string) string {
		return by.Key(document(t, fmt.Sprintf(`{"a": %q, "b": %[1]q, "c": [%[1]q], "d": {"x": %[1]q}, "e": %[1]q, "f": %[1]q, "g": %[1]q, "h": %[1]q}`, text+end)))
	}
	require.NotEqual(t, long("1"), long("2"))
	require.Equal(t, long("1"), long("1"))
	require.Less(t, len(long("1")), 4096)
	require.True(t, json.Valid([]byte(long("1"))))
}

// FuzzParse: what is accepted says itself in a text that is accepted, too, and has keys that are JSON.
func FuzzParse(f *testing.F) {
	f.Add(`{"once_within": "15m", "group_by": ["payload.host"]}`)
	f.Add(`{"at_least": 5, "within": "1h30m"}`)
	f.Fuzz(func(t *testing.T, text string) {
		got, err := throttle.Parse(json.RawMessage(text))
		if err != nil || got == nil {
			return
		}
		require.GreaterOrEqual(t, got.Span, throttle.MinSpan)
		require.NotEmpty(t, got.String())
		key := got.By.Key(document(t, `{"host": "a"}`))
		require.True(t, json.Valid([]byte(key)), key)
	})
}
