package condition

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestVersionOrder has the examples of section 11 of the specification, and its corner cases.
func TestVersionOrder(t *testing.T) {
	t.Parallel()
	ascending := []string{
		"0.0.0-0", "0.0.0", "1.0.0-0", "1.0.0-1", "1.0.0-99999999999999999999", "1.0.0--", "1.0.0-alpha", "1.0.0-alpha.1",
		"1.0.0-alpha.1.0", "1.0.0-alpha.beta", "1.0.0-beta", "1.0.0-beta.2", "1.0.0-beta.11", "1.0.0-rc.1", "1.0.0",
		"1.0.1", "1.2.0", "1.10.0", "2.0.0", "2.1.0", "2.1.1", "99999999999999999999.0.0",
	}
	for i, a := range ascending {
		for j, b := range ascending {
			x, ok := parseVersion(a)
			require.True(t, ok, a)
			y, ok := parseVersion("v" + b + "+build.01")
			require.True(t, ok, b)
			order := compareVersions(x, y)
			require.Equal(t, [3]bool{i < j, i == j, i > j}, [3]bool{order < 0, order == 0, order > 0}, "%s <=> %s", a, b)
		}
	}
	for _, bad := range []string{
		"", "v", "1", "1.2", "1.2.3.4", "01.2.3", "1.02.3", "1.2.03", "1.2.3-", "1.2.3-01", "1.2.3-a..b", "1.2.3+", "1.2.3+a+b",
		"1.2.x", "1.2.3-é", " 1.2.3", "vv1.2.3", "-1.2.3", "1.2.3-a.01", "V1.2.3", "1..3",
	} {
		_, ok := parseVersion(bad)
		require.False(t, ok, bad)
	}
}

func TestParseDuration(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]time.Duration{
		"0s": 0, "15m": 15 * time.Minute, "1h30m": 90 * time.Minute, "7d": 168 * time.Hour, "2w": 336 * time.Hour,
		"1.5h": 90 * time.Minute, "250ms": 250 * time.Millisecond, "1d12h": 36 * time.Hour,
	} {
		d, err := parseDuration(text)
		require.NoError(t, err, text)
		require.Equal(t, want, d, text)
	}
	for _, bad := range []string{"", "1", "m", "1x", "-1s", "1 m", "1m ", "1.2.3s", "1e3s", "99999999999999999999w", "99y", ".s"} {
		_, err := parseDuration(bad)
		require.Error(t, err, bad)
	}
}

func TestInstants(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`"2026-01-31T08:00:00.123456789Z"`: "2026-01-31T08:00:00.123456789Z",
		`"2026-01-31t08:00:00z"`:           "2026-01-31T08:00:00Z",
		`"2026-01-31 08:00:00.5"`:          "2026-01-31T08:00:00.5Z",
		`"2026-01-31T08:00:00.000+0200"`:   "2026-01-31T06:00:00Z",
		`"2026-01-31T08:00-01:00"`:         "2026-01-31T09:00:00Z",
		`"2026-01-31"`:                     "2026-01-31T00:00:00Z",
		`0`:                                "1970-01-01T00:00:00Z",
		`-0.000000001`:                     "1969-12-31T23:59:59.999999999Z",
		`1769846400.123`:                   "2026-01-31T08:00:00.123Z",
		`17698464e2`:                       "2026-01-31T08:00:00Z",
		`1e-3`:                             "1970-01-01T00:00:00.001Z",
		`1e-99999999999`:                   "1970-01-01T00:00:00Z",
		`1769846400.00000000099`:           "2026-01-31T08:00:00Z",
	} {
		v, err := Decode([]byte(text))
		require.NoError(t, err)
		got, ok := v.instant()
		require.True(t, ok, text)
		require.Equal(t, want, got.UTC().Format(time.RFC3339Nano), text)
	}
	for _, bad := range []string{`""`, `"now"`, `"2026-13-01"`, `"2026-02-30"`, `"08:00"`, `"31.01.2026"`, `1e12`, `1e999999999999`, `true`, `null`} {
		v, err := Decode([]byte(bad))
		require.NoError(t, err)
		_, ok := v.instant()
		require.False(t, ok, bad)
	}
}
