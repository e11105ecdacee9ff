package size

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestParse(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int64{
		"0": 0, "1048576": 1 << 20, "512MiB": 512 << 20, "10MB": 10e6, "1GiB": 1 << 30, "3 KiB": 3072, "2kB": 2000, "2KB": 2000,
		"7B": 7, "-1MiB": -1 << 20, "7TiB": 7 << 40, "9223372036854775807": math.MaxInt64,
	} {
		got, err := Parse(text)
		require.NoError(t, err, text)
		require.Equal(t, want, got, text)
	}
}

func TestParseProblems(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                     "is not a size",
		"many":                 "is not a size",
		"MiB":                  "is not a size",
		"1.5GiB":               "write a whole number",
		"+1MiB":                "is not a size",
		"0x10":                 "is not a size",
		"512M":                 `has the unknown unit "M": write 512MiB`,
		"512mib":               `has the unknown unit "mib": write 512MiB`,
		"9223372036854775808":  "is too large",
		"99999999999999999TiB": "is too large",
		"-9999999999999999TiB": "is too large",
	} {
		_, err := Parse(text)
		require.ErrorContains(t, err, want, text)
	}
}

func TestFormat(t *testing.T) {
	t.Parallel()
	for n, want := range map[int64]string{
		0: "0B", 1: "1B", 1024: "1KiB", 1025: "1025B", 512 << 20: "512MiB", 10e6: "10000000B", 1 << 40: "1TiB", -1 << 20: "-1MiB",
	} {
		require.Equal(t, want, Format(n))
	}
	for n, want := range map[int64]string{0: "0 B", 1023: "1023 B", 1536: "1.5 KiB", 14_889_779: "14.2 MiB"} {
		require.Equal(t, want, Approximate(n))
	}
}

// What Format writes, Parse reads; no text makes Parse panic.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{"", "512MiB", "10MB", "1 GiB", "-3", "9e9", "٣MiB"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		n, err := Parse(text)
		if err != nil {
			return
		}
		again, err := Parse(Format(n))
		require.NoError(t, err)
		require.Equal(t, n, again)
	})
}
