package condition

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestParseField(t *testing.T) {
	t.Parallel()
	payload, err := Decode([]byte(`{"host": {"name": "a"}, "list": [1, 2.50]}`))
	require.NoError(t, err)
	doc := Document{Payload: payload}
	for text, want := range map[string]string{
		"payload.host.name": `"a"`, "host": `{"name":"a"}`, "list[1]": "2.5", "nope": "null", "config.nope": "null",
	} {
		field, err := ParseField(text)
		require.NoError(t, err, text)
		require.Equal(t, text, field.String())
		require.Equal(t, want, field.Value(&doc).Canonical(), text)
	}
	for text, want := range map[string]string{
		"": "is empty", "a..b": "is not a path", "payload.*.id": "name one, such as payload.items[0].id",
	} {
		_, err := ParseField(text)
		require.ErrorContains(t, err, want)
	}
}

func TestCanonical(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{
		`1`: `1`, `1.0`: `1`, `10e-1`: `1`, `-0.0`: `0`, `-1.50`: `-1.5`, `1200`: `1200`, `12e2`: `1200`, `0.001`: `0.001`,
		`123.456`: `123.456`, `1e21`: `1e21`, `1e20`: `100000000000000000000`, `15e1000`: `1.5e1001`, `1e-30`: `1e-30`,
		`"a\u00e9\n<"`: `"aé\n<"`, `true`: `true`, `null`: `null`, `[]`: `[]`, `{}`: `{}`,
		`[1.0, [ ], {"b": 1, "a": 2.0, "b": 3}]`: `[1,[],{"a":2,"b":3}]`,
	} {
		v, err := Decode([]byte(raw))
		require.NoError(t, err)
		require.Equal(t, want, v.Canonical(), raw)
	}
}

// FuzzCanonical: what two values have in common is the same exactly if they are equal, and is itself such a value.
func FuzzCanonical(f *testing.F) {
	f.Add(`{"a": [1.0, "x"]}`, `{"a": [1, "x"]}`)
	f.Add(`1e3`, `1000`)
	f.Add(`-0.00012e-9`, `"\u0000"`)
	f.Fuzz(func(t *testing.T, first, second string) {
		a, errA := Decode([]byte(first))
		b, errB := Decode([]byte(second))
		if errA != nil || errB != nil {
			return
		}
		same := string(a.appendKey(nil)) == string(b.appendKey(nil))
		require.Equal(t, same, a.Canonical() == b.Canonical(), "%s %s", a.Canonical(), b.Canonical())
		again, err := Decode([]byte(a.Canonical()))
		require.NoError(t, err)
		require.Equal(t, string(a.appendKey(nil)), string(again.appendKey(nil)))
	})
}
