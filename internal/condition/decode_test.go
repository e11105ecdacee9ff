package condition

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// plain converts a value to what encoding/json decodes.
func plain(v Value) any {
	switch v.kind() {
	case kindBoolean:
		return v.raw() == "true"
	case kindNumber:
		return json.Number(v.raw())
	case kindString:
		return v.str()
	case kindList:
		list := []any{}
		for e, ok := v.first(); ok; e, ok = e.after(v) {
			list = append(list, plain(e))
		}
		return list
	case kindObject:
		object := map[string]any{}
		for key, ok := v.first(); ok; {
			object[key.str()] = plain(key.value())
			key, ok = key.value().after(v)
		}
		return object
	default:
		return nil
	}
}

func standard(text string) (any, error) {
	var v any
	d := json.NewDecoder(bytes.NewReader([]byte(text)))
	d.UseNumber()
	err := d.Decode(&v)
	return v, err
}

func TestDecode(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		`null`, `true`, `false`, `0`, `-0.5e+10`, `""`, `[]`, `{}`, " [ 1 , 2 ] \n\t\r",
		`{"a": {"b": []}, "c": [{}, [[]], null]}`, `"\"\\\/\b\f\n\r\t\u0041\u00e9\ud83d\uDE00\u0000"`,
		`{"a\nb": 1, "a": 2, "a": [3]}`, `"` + strings.Repeat("é", 1000) + `"`,
	} {
		want, err := standard(text)
		require.NoError(t, err)
		v, err := Decode([]byte(text))
		require.NoError(t, err, text)
		require.Equal(t, want, plain(v), text)
		require.Equal(t, strings.TrimSpace(text), v.raw())
	}
}

func TestDecodeErrors(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		``:                                "byte 0: want a value, got the end of the text",
		`{"a": nul}`:                      "byte 6: want null, got 'n'",
		`[1 2]`:                           "byte 3: want ',' or ']', got '2'",
		`{"a" 1}`:                         "byte 5: want ':', got '1'",
		`{a: 1}`:                          "byte 1: want a key in double quotes, got 'a'",
		`{"a": 1,}`:                       "byte 8: want a key in double quotes, got '}'",
		`[1,]`:                            "byte 3: want a value, got ']'",
		`1 é`:                             "byte 2: want the end, got 'é'",
		`01`:                              "byte 1: want the end, got '1'",
		`-`:                               "byte 1: want a digit",
		`1.`:                              "byte 2: want a digit",
		`1e+`:                             "byte 3: want a digit",
		`"a`:                              "byte 2: want the string's closing quote",
		"\"\n\"":                          "byte 1: want control characters in a string written as escapes",
		`"\x"`:                            `byte 2: want one of "\/bfnrtu after a backslash, got 'x'`,
		`"\u12G4"`:                        "want four hexadecimal digits",
		`"\ud800"`:                        "want a surrogate only as half of a pair",
		`"\udc00\ud800"`:                  "want a surrogate only as half of a pair",
		"\"\xff\"":                        "the text is not UTF-8",
		`'a'`:                             "byte 0: want a value, got '\\''",
		strings.Repeat("[", MaxNesting+1): "byte 10000: nested deeper than 10000",
	} {
		_, err := Decode([]byte(text))
		require.ErrorContains(t, err, want, "%.40s", text)
	}
	_, err := Decode([]byte(strings.Repeat("[", MaxNesting) + strings.Repeat("]", MaxNesting)))
	require.NoError(t, err)
}
