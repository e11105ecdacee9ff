package sensorlog

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

// Whatever a sensor prints is one line, harmless to a terminal, and read back as it was written.
func FuzzLine(f *testing.F) {
	for _, seed := range []string{"", "text", "\x1b[31m", "a\nb", "\xff", "\u2028", "  padded  ", "\\x1b", "🔑"} {
		f.Add(seed)
	}
	at := time.Date(2026, 1, 31, 9, 30, 0, 123_000_000, time.UTC)
	f.Fuzz(func(t *testing.T, text string) {
		for _, source := range []string{SourceInfo, SourceWarning, SourceStdout} {
			raw := appendLine(nil, at, source, text)
			require.True(t, utf8.Valid(raw))
			require.Equal(t, 1, strings.Count(string(raw), "\n"))
			require.NotRegexp(t, `[\x00-\x08\x0b-\x1f\x7f]|\p{Cf}|\x{2028}`, string(raw))
			line, ok := parseLine(raw[:len(raw)-1])
			require.True(t, ok)
			require.Equal(t, source, line.Source)
			require.Equal(t, string(raw), line.String()+"\n")
			require.Equal(t, string(raw), string(appendLine(nil, line.Time, line.Source, line.Text)), "an escape is not escaped again")
		}
	})
}

func FuzzParseLine(f *testing.F) {
	f.Add("2026-01-31T09:30:00.123Z info    text")
	f.Add("2026-01-31T09:30:00.123Z warning ")
	f.Fuzz(func(t *testing.T, raw string) {
		if line, ok := parseLine([]byte(raw)); ok {
			require.NotEmpty(t, line.Source)
			require.NotContains(t, line.Source, " ")
		}
	})
}
