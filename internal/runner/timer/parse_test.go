package timer_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/attune-automation/sensors/internal/runner/timer"
	"github.com/attune-automation/sensors/internal/sensor"
)

// config turns YAML into the JSON that a pack makes of it.
func config(t testing.TB, text string) json.RawMessage {
	t.Helper()
	var value any
	require.NoError(t, yaml.Unmarshal([]byte(text), &value))
	raw, err := json.Marshal(value)
	require.NoError(t, err)
	return raw
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	tests := []struct{ config, path, says string }{
		{`{}`, "", "says not when it is due: write one of cron, every and at"},
		{`{corn: "@daily"}`, "corn", "unknown key"},
		{`{cron: "@daily", every: 5m}`, "every", "cron is there too: a schedule has one of them"},
		{`{cron: "61 * * * *"}`, "cron", `"61 * * * *": minute: 61 is out of bounds`},
		{`{cron: "0 0 30 2 *"}`, "cron", "never due"},
		{`{cron: "@daily", timezone: Europe/Berln}`, "timezone", `unknown time zone "Europe/Berln"`},
		{`{cron: "@daily", timezone: Local}`, "timezone", `unknown time zone "Local"`},
		{`{cron: "@daily", timezone: localtime}`, "timezone", `unknown time zone "localtime"`},
		{`{cron: "@daily", timezone: right/Europe/Berlin}`, "timezone", `unknown time zone "right/Europe/Berlin"`},
		{`{every: 30}`, "every", "30 has no unit: write an interval such as 30s or 15m"},
		{`{every: 10 minutes}`, "every", `got "10 minutes": write numbers with the units`},
		{`{interval: 0s}`, "interval", `"0s" is too short: write at least 1s`},
		{`{every: 1h, anchor: noon}`, "anchor", `got "noon": write whole seconds, such as 2026-12-01T09:00:00Z`},
		{`{cron: "@daily", anchor: "2026-12-01"}`, "anchor", "it belongs to every: leave it out"},
		{`{at: "2026-12-01"}`, "at", `got "2026-12-01": write whole seconds`},
		{`{at: "2026-12-01T09:00:00.5Z"}`, "at", "write whole seconds"},
		{`{at: "2026-03-29T02:30", timezone: Europe/Berlin, dst_gap: skip}`, "at", "the clocks of Europe/Berlin skip 2026-03-29T02:30"},
		{`{cron: "@daily", start: "2026-12-01", end: "2026-11-01"}`, "end", "2026-11-01 is before start, 2026-12-01"},
		{`{at: "2026-12-01T09:00:00Z", end: "2026-11-01"}`, "at", "never due: nothing is left of it by start, end"},
		{`{cron: "0 12 * * *", exclude: [{cron: "* 12 * * *"}]}`, "cron", "never due"},
		{`{cron: "@daily", exclude: ["25.12.2026"]}`, "exclude.0", `got "25.12.2026": write a date such as 2026-12-25`},
		{`{cron: "@daily", exclude: [{from: "2026-12-24", to: "2026-12-20"}]}`, "exclude.0.to", "2026-12-20 is before 2026-12-24"},
		{`{cron: "@daily", exclude: [{from: "2026-12-24"}]}`, "exclude.0", "write a date such as 2026-12-25, {from"},
		{`{cron: "@daily", exclude: [{cron: "@every 1h"}]}`, "exclude.0.cron", `"@every 1h" is no time that clocks show`},
		{`{cron: "@daily", exclude: [{cron: "x"}]}`, "exclude.0.cron", `"x": 1 fields`},
		{`{cron: "@daily", catch_up: some}`, "catch_up", ""},
		{`{cron: "@daily", catch_up_window: 400d}`, "catch_up_window", `"400d" is too long`},
		{`{cron: "@daily", jitter: 2d}`, "jitter", `"2d" is too long: write at most 24h`},
		{`{cron: "@daily", dst_gap: maybe}`, "dst_gap", ""},
		{`{schedules: []}`, "schedules", ""},
		{`{schedules: [{cron: "@daily"}], every: 5m}`, "every", "schedules is there too: move this into the list"},
		{`{schedules: [{cron: "@daily"}, {every: x}]}`, "schedules.1.every", `got "x"`},
		{`{schedules: [{cron: "@daily"}, {}]}`, "schedules.1", "says not when it is due"},
		{`{schedules: [{cron: "@daily", name: a}, {every: 1h, name: a}]}`, "schedules.1.name", `"a" is the name of another one`},
		{`{schedules: [{cron: "@daily", timezone: Mars}, {every: 1h}], timezone: Moon}`, "schedules.0.timezone", `"Mars"`},
		{`{schedules: [{cron: "@daily"}, {every: 1h}], timezone: Moon}`, "timezone", `"Moon"`},
	}
	for _, test := range tests {
		t.Run(test.config, func(t *testing.T) {
			t.Parallel()
			_, err := timer.Parse(config(t, test.config))
			problems, ok := errors.AsType[sensor.ConfigProblems](err)
			require.True(t, ok, "%v", err)
			require.Equal(t, test.path, strings.Join(problems[0].Path, "."), "%v", err)
			require.Contains(t, problems[0].Message, test.says)
		})
	}
}

// What is wrong in one place does not hide what is wrong in another, and the reader is told how to write it.
func TestAllProblemsAtOnce(t *testing.T) {
	t.Parallel()
	_, err := timer.Parse(config(t, `{schedules: [{cron: 5}, {every: x}, {at: true, timezone: Mars}], jitter: 9d, catch_up: some, start: 2026}`))
	problems, ok := errors.AsType[sensor.ConfigProblems](err)
	require.True(t, ok, "%v", err)
	places := map[string]string{}
	for _, p := range problems {
		places[strings.Join(p.Path, ".")] = p.Message
	}
	require.Equal(t, "got number, want string: write text, in quotes if it looks like a number, a date, true or false", places["schedules.0.cron"])
	require.Contains(t, places["schedules.1.every"], `got "x"`)
	require.Contains(t, places["schedules.2.at"], "got boolean, want string: write text")
	require.Contains(t, places["schedules.2.timezone"], `unknown time zone "Mars"`)
	require.Contains(t, places["jitter"], `"9d" is too long`)
	require.Contains(t, places["catch_up"], "must be one of")
	require.Contains(t, places["start"], "got number, want string")
	require.Len(t, problems, 7, "%v", err)
}

// TestPast finds what of a config is over.
func TestPast(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)
	for text, want := range map[string]string{
		`{at: 2026-11-26T11:59:00Z}`:                                                    "config.at: 2026-11-26T11:59:00Z is over: it will not be due any more; a tick of the last catch_up_window may still fire",
		`{at: 2026-11-26T12:01:00Z}`:                                                    "",
		`{cron: "@daily", end: "2026-11-25"}`:                                           "config.end: 2026-11-25 is over",
		`{cron: "@daily", end: "2026-11-25", catch_up_window: 2d}`:                      "may still fire",
		`{cron: "@daily", end: "2027-11-25"}`:                                           "",
		`{cron: "@daily", start: "2030-01-01"}`:                                         "",
		`{schedules: [{every: 1h}, {at: "2025-11-26T09:00"}]}`:                          "config.schedules.1.at: 2025-11-26T09:00 is over",
		`{schedules: [{every: 1h}, {every: 2h}], end: "2026-01-01"}`:                    "config.end: 2026-01-01 is over",
		`{schedules: [{every: 1h, end: "2026-01-01"}, {every: 2h}]}`:                    "config.schedules.0.end: 2026-01-01 is over",
		`{schedules: [{every: 1h, end: "2026-01-01"}, {every: 2h}, {every: nonsense}]}`: "",
	} {
		found := timer.Past(config(t, text), now)
		if want == "" {
			require.Empty(t, found, text)
			continue
		}
		require.Len(t, found, 1, text)
		require.ErrorContains(t, found, want, text)
		require.Equal(t, strings.Contains(want, "may still fire"), strings.Contains(found.Error(), "may still fire"), text)
	}
}

// TestTicks pins which instants configs mean.
func TestTicks(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, config string
		want         []string // after 2026-11-26T00:00:00Z
	}{
		{"cron", `{cron: "0 9 * * MON-FRI", timezone: Europe/Berlin}`, []string{"2026-11-26T08:00:00Z", "2026-11-27T08:00:00Z", "2026-11-30T08:00:00Z"}},
		{"interval of the epoch", `{every: 1d}`, []string{"2026-11-27T00:00:00Z"}},
		{"interval with an anchor", `{interval: 8h, anchor: "2026-01-01T07:30", timezone: Asia/Tokyo}`, []string{"2026-11-26T06:30:00Z", "2026-11-26T14:30:00Z"}},
		{"at", `{at: 2026-12-01T09:00:00+01:00}`, []string{"2026-12-01T08:00:00Z", ""}},
		{"at by the clocks of a zone", `{at: "2026-12-01 09:00", timezone: America/New_York}`, []string{"2026-12-01T14:00:00Z"}},
		{"start and end are ticks, too", `{every: 1h, start: "2026-12-01T12:00:00Z", end: "2026-12-01T13:00:00Z"}`, []string{"2026-12-01T12:00:00Z", "2026-12-01T13:00:00Z", ""}},
		{"start and end as dates", `{cron: "0 0,23 * * *", start: "2026-12-01", end: "2026-12-01", timezone: Europe/Berlin}`, []string{"2026-11-30T23:00:00Z", "2026-12-01T22:00:00Z", ""}},
		{"without a date", `{cron: "0 12 * * *", exclude: ["2026-11-26", "2026-11-28"]}`, []string{"2026-11-27T12:00:00Z", "2026-11-29T12:00:00Z"}},
		{"without dates", `{cron: "* * * * * *", exclude: [{from: "2026-11-01", to: "2027-01-01"}], timezone: Asia/Tokyo}`, []string{"2027-01-01T15:00:00Z", "2027-01-01T15:00:01Z"}},
		{"without what another cron matches", `{every: 30s, exclude: [{cron: "* 0-8,18-23 * * *"}, {cron: "* * * * SAT,SUN"}, {cron: "0-58 9 * * *"}]}`, []string{"2026-11-26T09:59:00Z", "2026-11-26T09:59:30Z", "2026-11-26T10:00:00Z"}},
		{"without summers", `{every: 1s, exclude: [{cron: "* * * 1-11 *"}]}`, []string{"2026-12-01T00:00:00Z"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			parsed, err := timer.Parse(config(t, test.config))
			require.NoError(t, err)
			require.Len(t, parsed.Schedules, 1)
			at := time.Date(2026, 11, 26, 0, 0, 0, 0, time.UTC)
			for _, want := range test.want {
				next, ok := parsed.Schedules[0].Next(at)
				require.Equal(t, want != "", ok)
				if ok {
					require.Equal(t, want, next.Format(time.RFC3339))
				}
				at = next
			}
		})
	}
}

// FuzzParse makes sure that no config panics or hangs, and that what is parsed can be planned.
func FuzzParse(f *testing.F) {
	for _, text := range []string{
		`{cron: "0 9 * * MON-FRI", timezone: Europe/Berlin, jitter: 5m}`, `{every: 1h, exclude: ["2026-12-25", {cron: "* 3 * * *"}]}`,
		`{schedules: [{at: 2026-12-01T09:00:00Z}, {every: 15m, anchor: "2026-01-01"}], catch_up: all, catch_up_window: 2d}`,
	} {
		f.Add([]byte(config(f, text)))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		parsed, err := timer.Parse(raw)
		if err != nil {
			return
		}
		for _, s := range parsed.Schedules {
			at := time.Date(2026, 11, 26, 0, 0, 0, 0, time.UTC)
			if next, ok := s.Next(at); ok {
				require.True(t, next.After(at))
			}
		}
	})
}
