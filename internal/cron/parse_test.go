package cron_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/internal/cron"
)

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	tests := []struct{ text, says string }{
		{"", "write five fields"},
		{"* * * *", "4 fields: write five"},
		{"* * * * * * *", "7 fields: write five"},
		{"60 * * * *", "minute: 60 is out of bounds: write a number from 0 to 59"},
		{"-1 * * * *", `minute: got "": write a number from 0 to 59`},
		{"* 24 * * *", "hour: 24 is out of bounds"},
		{"* * 0 * *", "day of month: 0 is out of bounds"},
		{"* * * 13 *", "month: 13 is out of bounds: write a number from 1 to 12, or a name from JAN to DEC"},
		{"* * * * 8", "day of week: 8 is out of bounds"},
		{"* * * * MONDAY", `day of week: got "MONDAY": write a number from 0 to 7, or a name from SUN to SAT`},
		{"1,,2 * * * *", "minute: an empty item"},
		{"*/0 * * * *", `minute: step "0" of "*/0": write a whole number from 1 to 59`},
		{"*/90 * * * *", `minute: step "90" of "*/90"`},
		{"0 */24 * * *", `hour: step "24" of "*/24": write a whole number from 1 to 23`},
		{"1-2-3 * * * *", `minute: got "2-3"`},
		{"? * * * *", `minute: got "?"`},
		{"* * 32W * *", "day of month: 32 is out of bounds"},
		{"* * W * *", `day of month: got ""`},
		{"* * L-31 * *", `day of month: got "L-31": write L for the last day`},
		{"* * L3 * *", `day of month: got "L3"`},
		{"* * * * L", "day of week: L alone says no day: write FRIL or 5L"},
		{"* * * * 1#6", "day of week after #: 6 is out of bounds: write a number from 1 to 5"},
		{"* * * * #1", `day of week: got ""`},
		{"0 0 30 2 *", "never due"},
		{"0 0 31 4,6,9,11 *", "never due"},
		{"0 0 L-30 2,4 *", "never due"},
		{"0 0 30W FEB ?", "never due"},
		{"@reboot", "@reboot is no time"},
		{"@fortnightly", `unknown name "@fortnightly"`},
		{"@daily 5", `"5" after @daily`},
		{"@every", "@every: empty: write numbers with the units"},
		{"@every 0s", `@every: "0s" is too short: write at least 1s`},
		{"@every 500ms", `@every: got "500ms": write numbers with the units`},
		{"@every -5m", `@every: got "-5m"`},
		{"@every 99999999999999999999d", "@every: got"},
		{"@every 999999999999d999999999999d", "is too long: write at most 36600d"},
		{"TZ=Europe/Berlin 0 9 * * *", "TZ=Europe/Berlin: the time zone is no part of the expression: set timezone instead"},
		{"TZ=", "the time zone is no part"},
		{strings.Repeat("1,", 600) + "1 * * * *", "write at most 1000"},
	}
	for _, test := range tests {
		t.Run(test.text, func(t *testing.T) {
			t.Parallel()
			_, err := cron.Parse(test.text)
			require.ErrorContains(t, err, test.says)
		})
	}
}

// TestParseWraps pins what ranges mean that go on from the beginning.
func TestParseWraps(t *testing.T) {
	t.Parallel()
	tests := []struct{ text, same string }{
		{"0 22-2 * * *", "0 22,23,0,1,2 * * *"},
		{"0 22-4/2 * * *", "0 22/2,0-4/2 * * *"},
		{"0 0 * NOV-FEB *", "0 0 * 11,12,1,2 *"},
		{"0 0 30-2 * *", "0 0 30,31,1,2 * *"},
		{"0 0 * * FRI-MON", "0 0 * * 5,6,0,1"},
		{"0 0 * * SAT-SUN", "0 0 * * 0,6"},
		{"0 0 * * 7", "0 0 * * sun"},
		{"0 0 * * 7-2", "0 0 * * 0-2"},
		{"0 0 * * 5-7", "0 0 * * 0,5,6"},
		{"0 0 * * 0-7", "0 0 * * 0-6"},
		{"0 5/6 * * *", "0 5,11,17,23/6 * * *"},
		{"@weekly", "0 0 * * 0"},
		{"  0   9 * *\t1-5 ", "0 9 * * 1-5"},
	}
	for _, test := range tests {
		t.Run(test.text, func(t *testing.T) {
			t.Parallel()
			from := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).Unix()
			to := from + 3*366*24*60*60
			got := instants(t, test.text, cron.Zone{}, from, to)
			require.NotEmpty(t, got)
			require.Equal(t, instants(t, test.same, cron.Zone{}, from, to), got)
		})
	}
}

func TestLoadLocationRefuses(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"", "Local", "local", "Europe/Berln", "+02:00", "../etc/passwd", "CEST"} {
		_, err := cron.LoadLocation(name)
		require.ErrorContains(t, err, "write an IANA name such as Europe/Berlin", name)
	}
}

// FuzzParse makes sure that no text and no time panics or hangs, and that what is next is later.
func FuzzParse(f *testing.F) {
	for _, text := range []string{
		"0 9 * * MON-FRI", "*/15 0-23/2 L-3W JAN,DEC 5#3,FRIL", "@every 1h30m", "0 0 29 2 */5", "59 59 23 31 12 7",
		"TZ=", "* * LW * ?", "1/2,3-4/5 22-2 30-2 NOV-FEB FRI-MON", "@hourly",
	} {
		f.Add(text, int64(1_800_000_000), uint8(1), uint8(0))
	}
	names := append([]string{"UTC"}, odd...)
	f.Fuzz(func(t *testing.T, text string, unix int64, zone, policy uint8) {
		spec, err := cron.Parse(text)
		if err != nil {
			require.NotEmpty(t, err.Error())
			return
		}
		again, err := cron.Parse(spec.String())
		require.NoError(t, err)
		location, err := cron.LoadLocation(names[int(zone)%len(names)])
		require.NoError(t, err)
		z := policies[int(policy)%len(policies)]
		z.Location = location
		at := time.Unix(unix%400_000_000_000, 0)
		for range 5 {
			next, ok := spec.Next(at, z)
			same, _ := again.Next(at, z)
			require.Equal(t, next, same)
			if !ok {
				return
			}
			require.True(t, next.After(at), "%s is not after %s", next, at)
			spec.Until(next, z)
			at = next
		}
	})
}
