package condition

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestPathLookup(t *testing.T) {
	t.Parallel()
	payload, err := Decode([]byte(`{
		"a": {"b": [10, [20, 21], {"c": "deep"}], "0": "zero", "x.y": 1, "x y": 2, "*": 3, "[0]": 4, "q\"q": 5},
		"": {"": "empty"},
		"tags": [{"k": "one"}, {"k": "two"}, 3, {"z": 1}],
		"dup": 1, "dup": 2, "\u0064up2": 3,
		"payload": "inner", "größe": 6, "user-name": 7, "@type": 8
	}`))
	require.NoError(t, err)
	tests := map[string]string{
		"a.b[0]":            `10`,
		"a.b.0":             `10`,
		"payload.a.b[1].1":  `21`,
		"a.b[1][0]":         `20`,
		"a.b.2.c":           `"deep"`,
		"a.b[9]":            ``,
		"a.b.00":            ``,
		"a.0":               `"zero"`,
		"a[0]":              ``,
		"a.b.c":             ``,
		`a."x.y"`:           `1`,
		`a."x y"`:           `2`,
		`a."*"`:             `3`,
		`a."[0]"`:           `4`,
		`a."q\"q"`:          `5`,
		`"a"."b"[0]`:        `10`,
		`a."b".0`:           `10`,
		`a."b"."0"`:         ``,
		`""."\u0022"`:       ``,
		`"".""`:             `"empty"`,
		"dup":               `2`,
		"dup2":              `3`,
		"größe":             `6`,
		"user-name":         `7`,
		"@type":             `8`,
		`"payload"`:         `"inner"`,
		"payload.payload":   `"inner"`,
		"payload.missing.x": ``,
	}
	for text, want := range tests {
		p, err := parsePath(text, false)
		require.NoError(t, err, text)
		v := payload
		for i := range p.segments {
			v = p.segments[i].step(v)
		}
		require.Equal(t, want, v.raw(), text)
	}
}

func TestBadPaths(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                          "is empty: name a field, such as payload.branch",
		".a":                        "at byte 0",
		"a.":                        "at byte 2",
		"a..b":                      "at byte 2",
		"a b":                       "at byte 1",
		"a]":                        "at byte 1",
		"a[":                        "at byte 1",
		"a[-1]":                     "an index such as [0]",
		"a[01]":                     "an index such as [0]",
		"a[b]":                      `a key is written ."key"`,
		"a.[0]":                     "at byte 2",
		"a[0]b":                     "want a dot or a bracket",
		`"a"b`:                      "want a dot or a bracket",
		`"a`:                        "up to its closing quote",
		`a."\x"`:                    "want a JSON string",
		"a.b*":                      "* stands alone",
		"**":                        "* stands alone",
		`a"b"`:                      "want a dot or a bracket",
		"a[9999999999999999999999]": "an index such as [0]",
	} {
		_, err := parsePath(text, false)
		require.ErrorContains(t, err, want, text)
	}
}
