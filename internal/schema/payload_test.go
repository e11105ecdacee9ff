package schema_test

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/internal/schema"
)

func TestCheckPayload(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ payload, want string }{
		"object":                {` {"a": [1, -2.5e+3, true, false, null, "\u00e9\ud83d\ude00é😀"]} `, ""},
		"scalar":                {`"text"`, ""},
		"empty object":          {`{}`, ""},
		"empty array":           {`[ ]`, ""},
		"most digits":           {strings.Repeat("9", schema.MaxDigits), ""},
		"largest exponent":      {`1e-1000`, ""},
		"deepest":               {nest(schema.MaxDepth), ""},
		"empty":                 {``, `not JSON: it ends at byte 0, want a JSON value`},
		"only space":            {`  `, `not JSON: it ends at byte 2, want a JSON value`},
		"word":                  {`hello`, `not JSON: byte 0 is 'h', want a JSON value`},
		"cut literal":           {`[tru]`, `not JSON: byte 4 is ']', want true`},
		"two values":            {`{} {}`, `not JSON: byte 3 is '{', want the end: one JSON value makes a payload`},
		"comma at the end":      {`[1,]`, `not JSON: byte 3 is ']', want a JSON value`},
		"no colon":              {`{"a" 1}`, `not JSON: byte 5 is '1', want ':' after the key`},
		"bare key":              {`{a: 1}`, `not JSON: byte 1 is 'a', want a key in "quotes"`},
		"comma after a pair":    {`{"a": 1,}`, `not JSON: byte 8 is '}', want a key in "quotes"`},
		"no comma":              {`[1 2]`, `not JSON: byte 3 is '2', want ',' or ']'`},
		"no brace":              {`{"a": 1`, `not JSON: it ends at byte 7, want ',' or '}'`},
		"no quote":              {`{"a": "b`, `not JSON: the string that starts at byte 6 does not end`},
		"line break in a text":  {"\"a\nb\"", `not JSON: byte 2: control character 0x0a in a string: write it as an escape`},
		"bad escape":            {`"\x"`, `not JSON: byte 2 is 'x', want an escape such as \n or \u00e9`},
		"bad hexadecimal":       {`"\u00g0"`, `not JSON: byte 5 is 'g', want a hexadecimal digit, four of which follow \u`},
		"NUL":                   {`{"a": "x\u0000"}`, `byte 8: \u0000 cannot be stored: leave it out`},
		"NUL in a key":          {`{"\u0000": 1}`, `byte 2: \u0000 cannot be stored: leave it out`},
		"escaped, not NUL":      {`"\\u0000"`, ""},
		"high surrogate":        {`"\ud83d"`, `byte 1: \ud83d is half of a surrogate pair and no character by itself`},
		"high surrogate, text":  {`"\ud83dabc"`, `byte 1: \ud83d is half of a surrogate pair and no character by itself`},
		"two high surrogates":   {`"\ud83d\ud83d"`, `byte 1: \ud83d is half of a surrogate pair and no character by itself`},
		"low surrogate":         {`"\ude00\ud83d"`, `byte 1: \ude00 is half of a surrogate pair and no character by itself`},
		"Latin-1":               {"\"caf\xe9\"", `byte 4: 0xe9 is not UTF-8`},
		"Latin-1 outside":       {"\xe9", `not JSON: byte 0 is 0xe9, want a JSON value`},
		"byte order mark":       {"\ufeff{}", `not JSON: byte 0 is '\ufeff', want a JSON value`},
		"leading zero":          {`012`, `not JSON: byte 1 is '1', want the end: one JSON value makes a payload`},
		"only minus":            {`-`, `not JSON: it ends at byte 1, want a digit`},
		"no fraction":           {`1.`, `not JSON: it ends at byte 2, want a digit after '.'`},
		"no exponent":           {`1e+`, `not JSON: it ends at byte 3, want a digit of the exponent`},
		"NaN":                   {`NaN`, `not JSON: byte 0 is 'N', want a JSON value`},
		"too many digits":       {`[0.` + strings.Repeat("1", 1000) + `]`, `byte 1: a number of 1001 digits: at most 1000 are exact`},
		"too large an exponent": {`{"n": 1e1001}`, `byte 6: a number with an exponent beyond ±1000`},
		"absurd exponent":       {`1e-99999999999999999999999`, `byte 0: a number with an exponent beyond ±1000`},
		"too deep":              {nest(schema.MaxDepth + 1), `byte 500: objects and arrays nest deeper than 500`},
		"too long":              {`"` + strings.Repeat("a", schema.MaxPayload) + `"`, `it has 1048578 bytes: a payload has at most 1048576`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := schema.CheckPayload([]byte(test.payload))
			if test.want == "" {
				require.NoError(t, err)
				return
			}
			require.EqualError(t, err, test.want)
		})
	}
}

// FuzzCheckPayload holds the scanner to encoding/json: what it accepts is JSON, and what it calls no JSON is none.
func FuzzCheckPayload(f *testing.F) {
	for _, seed := range []string{
		`{"a": [1, -2.5e+3, true, false, null, "\u00e9\ud83d\ude00é"]}`, `"\ud83d"`, `"\u0000"`, "\"\xff\"", `1e1001`,
		`[[[[]]]]`, `{"a":{"b":{}}}`, ` 0 `, `-0.0E-0`, `01`, `tru`, `{"a":1,}`, `"\/\b"`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		err := schema.CheckPayload(raw)
		switch {
		case err == nil:
			require.True(t, json.Valid(raw), "accepted, though it is not JSON")
			require.True(t, utf8.Valid(raw), "accepted, though it is not UTF-8")
		case strings.HasPrefix(err.Error(), "not JSON"):
			require.False(t, json.Valid(raw), err)
		}
	})
}

func BenchmarkCheckPayload(b *testing.B) {
	payload := []byte(`{"items":[` + strings.Repeat(commit+",", 200) + commit + `]}`)
	b.SetBytes(int64(len(payload)))
	b.ReportAllocs()
	for b.Loop() {
		if err := schema.CheckPayload(payload); err != nil {
			b.Fatal(err)
		}
	}
}

func nest(depth int) string { return strings.Repeat("[", depth) + strings.Repeat("]", depth) }
