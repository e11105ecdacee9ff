package window_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/internal/window"
)

func TestContains(t *testing.T) {
	t.Parallel()
	const office = `[{"days": "mon-fri", "from": "09:00", "to": "17:00", "timezone": "Europe/Berlin"}]`
	const night = `[{"days": "fri", "from": "22:00", "to": "06:00", "timezone": "Europe/Berlin"}]`
	const small = `[{"from": "02:00", "to": "03:00", "timezone": "Europe/Berlin"}]`
	for name, c := range map[string]struct {
		windows string
		in      []string
		out     []string
	}{
		"none":      {`[]`, []string{"2026-01-01T00:00:00Z"}, nil},
		"all day":   {`[{"days": "thu"}]`, []string{"2026-01-01T00:00:00Z", "2026-01-01T23:59:59Z"}, []string{"2026-01-02T00:00:00Z"}},
		"in winter": {office, []string{"2026-01-05T08:00:00Z", "2026-01-09T15:59:59Z"}, []string{"2026-01-05T07:59:59Z", "2026-01-05T16:00:00Z", "2026-01-10T10:00:00Z"}},
		"in summer": {office, []string{"2026-07-06T07:00:00Z", "2026-07-06T14:59:59Z"}, []string{"2026-07-06T06:59:59Z", "2026-07-06T15:00:00Z"}},
		// Friday, 22:00 to Saturday, 06:00: the day is that of the beginning.
		"over midnight": {night, []string{"2026-01-09T21:00:00Z", "2026-01-10T04:59:59Z"}, []string{"2026-01-09T20:59:59Z", "2026-01-10T05:00:00Z", "2026-01-09T03:00:00Z", "2026-01-10T21:30:00Z"}},
		// On 29 March 2026 the clocks of Berlin go from 02:00 to 03:00 at 01:00Z, on 25 October from 03:00 to 02:00.
		"hour that is skipped": {small, nil, []string{"2026-03-29T00:59:59Z", "2026-03-29T01:00:00Z", "2026-03-29T01:59:59Z"}},
		"hour that comes twice": {small, []string{"2026-10-25T00:00:00Z", "2026-10-25T00:59:59Z", "2026-10-25T01:00:00Z", "2026-10-25T01:59:59Z"},
			[]string{"2026-10-24T23:59:59Z", "2026-10-25T02:00:00Z"}},
		"night of a change": {`[{"days": "sat", "from": "22:00", "to": "06:00", "timezone": "Europe/Berlin"}]`,
			[]string{"2026-03-28T21:00:00Z", "2026-03-29T03:59:59Z"}, []string{"2026-03-29T04:00:00Z"}},
		"over the week's end": {`[{"days": "fri-mon"}]`, []string{"2026-01-09T12:00:00Z", "2026-01-11T12:00:00Z", "2026-01-12T12:00:00Z"},
			[]string{"2026-01-13T12:00:00Z", "2026-01-08T12:00:00Z"}},
		"several days and names": {`[{"days": ["Monday", "wed"], "to": "12:00"}]`, []string{"2026-01-05T11:59:00Z", "2026-01-07T00:00:00Z"},
			[]string{"2026-01-06T11:00:00Z", "2026-01-05T12:00:00Z"}},
		"one of two": {`[{"days": "mon", "from": "08:00", "to": "9:00"}, {"days": "tue", "from": "23:00", "to": "00:00"}]`,
			[]string{"2026-01-05T08:30:00Z", "2026-01-06T23:59:00Z"}, []string{"2026-01-07T00:00:00Z", "2026-01-06T08:30:00Z"}},
		"half an hour off": {`[{"from": "09:00", "to": "10:00", "timezone": "Asia/Kolkata"}]`, []string{"2026-01-05T03:30:00Z"},
			[]string{"2026-01-05T03:29:59Z", "2026-01-05T04:30:00Z"}},
	} {
		windows, err := window.Parse(json.RawMessage(c.windows))
		require.NoError(t, err, name)
		for _, text := range append(c.in, c.out...) {
			at, err := time.Parse(time.RFC3339, text)
			require.NoError(t, err)
			want := len(c.in) > 0 && strings.Contains(strings.Join(c.in, " "), text)
			require.Equal(t, want, windows.Contains(at), "%s: %s", name, text)
			require.Equal(t, want, windows.Explain(at) == "", "%s: %s", name, text)
		}
	}
}

func TestExplain(t *testing.T) {
	t.Parallel()
	windows, err := window.Parse(json.RawMessage(`[{"days": "mon-fri", "from": "09:00", "to": "17:00", "timezone": "Europe/Berlin"}, {"days": "sat"}]`))
	require.NoError(t, err)
	require.Equal(t, "sun 13:30 in Europe/Berlin is not in mon-fri 09:00-17:00 Europe/Berlin or sat 00:00-24:00 UTC",
		windows.Explain(time.Date(2026, 1, 11, 12, 30, 0, 0, time.UTC)))
}

func TestProblems(t *testing.T) {
	t.Parallel()
	for input, want := range map[string]string{
		`{}`:                               `: want a list of windows: write [{days: mon-fri, from: "09:00", to: "17:00", timezone: Europe/Berlin}]`,
		`null`:                             `: want a list of windows: write [{days: mon-fri, from: "09:00", to: "17:00", timezone: Europe/Berlin}]`,
		`["mon"]`:                          `[0]: want a window: write {days: mon-fri, from: "09:00", to: "17:00", timezone: Europe/Berlin}`,
		`[{}]`:                             `[0]: is empty: write days, from, to or timezone, or remove it`,
		`[{"day": "mon"}]`:                 `[0].day: unknown key: a window has days, from, to, timezone`,
		`[{"days": "mon-frei"}]`:           `[0].days: "mon-frei" is no day of the week: write days such as mon-fri, or sat,sun`,
		`[{"days": ""}]`:                   `[0].days: "" is no day of the week: write days such as mon-fri, or sat,sun`,
		`[{"from": 900}]`:                  `[0].from: want a text, got "900": write a time of day such as "09:00", in quotes`,
		`[{"from": "9"}]`:                  `[0].from: "9" is no time of day: write a time of day such as "09:00", in quotes`,
		`[{"to": "24:01"}]`:                `[0].to: "24:01" is no time of day: write a time of day such as "09:00", in quotes`,
		`[{"from": "24:00"}]`:              `[0].to: a window from 24:00 to 24:00 is empty: write from 00:00 to 24:00 for a whole day`,
		`[{"from": "9:00", "to": "9:00"}]`: `[0].to: a window from 9:00 to 9:00 is empty: write from 00:00 to 24:00 for a whole day`,
		`[{"timezone": "Berlin"}]`:         `[0].timezone: unknown time zone "Berlin": write a name of the IANA database, such as Europe/Berlin or UTC`,
		`[{"timezone": "Local"}]`:          `[0].timezone: unknown time zone "Local": write a name of the IANA database, such as Europe/Berlin or UTC`,
		`[{"timezone": "localtime"}]`:      `[0].timezone: unknown time zone "localtime": write a name of the IANA database, such as Europe/Berlin or UTC`,
		`[{"timezone": ""}]`:               `[0].timezone: unknown time zone "": write a name of the IANA database, such as Europe/Berlin or UTC`,
		"[" + strings.Repeat(`{"days": "mon"},`, 50) + `{"days": "mon"}]`: `: 51 windows: at most 50 are allowed`,
	} {
		_, err := window.Parse(json.RawMessage(input))
		require.EqualError(t, err, want, input)
	}
}

// Whatever is accepted answers for any time, and says the same in words.
func FuzzParse(f *testing.F) {
	f.Add(`[{"days": "mon-fri", "from": "09:00", "to": "17:00", "timezone": "Europe/Berlin"}]`, int64(1_767_000_000))
	f.Add(`[{"days": ["sat", "sun-mon"], "from": "22:00", "to": "06:00"}]`, int64(0))
	f.Add(`[{"timezone": "../etc/passwd"}]`, int64(-1))
	f.Fuzz(func(t *testing.T, text string, seconds int64) {
		windows, err := window.Parse(json.RawMessage(text))
		if err != nil {
			require.NotEmpty(t, err.Error())
			return
		}
		at := time.Unix(seconds%(1<<40), 0)
		require.Equal(t, windows.Contains(at), windows.Explain(at) == "")
	})
}
