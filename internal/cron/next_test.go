package cron_test

import (
	"archive/zip"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"runtime"
	"slices"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/internal/cron"
)

// policies are all that a Zone can say.
var policies = []cron.Zone{
	{}, {Gap: cron.GapSkip}, {Repeat: cron.RepeatSecond}, {Repeat: cron.RepeatBoth},
	{Gap: cron.GapRunAfter, Repeat: cron.RepeatFirst}, {Gap: cron.GapSkip, Repeat: cron.RepeatBoth},
}

// instants returns what Next says from one instant, not included, to another, not included.
func instants(t *testing.T, text string, z cron.Zone, from, to int64) []int64 {
	t.Helper()
	spec, err := cron.Parse(text)
	require.NoError(t, err, text)
	var due []int64
	at := time.Unix(from, 0)
	for {
		next, ok := spec.Next(at, z)
		if !ok || next.Unix() >= to {
			return due
		}
		require.True(t, next.After(at), "%s in %s: %s is not after %s", text, z.Location, next, at)
		due = append(due, next.Unix())
		at = next
	}
}

// changes returns the instants from 1970 to 2100 at which the clocks of a location change, but for those that are undone
// within a step. It looks at each step, and then between two that differ, for it must not trust the bounds of zones that
// package time tells.
func changes(location *time.Location, step int64) []change {
	offset := func(unix int64) int {
		_, offset := time.Unix(unix, 0).In(location).Zone()
		return offset
	}
	var all []change
	for at := int64(0); at < 4_133_980_800; at += step {
		before, after := offset(at), offset(at+step)
		if before == after {
			continue
		}
		n := sort.Search(int(step), func(n int) bool { return offset(at+int64(n)) != before })
		all = append(all, change{at: at + int64(n), by: after - before})
	}
	return all
}

// change is a change of the clocks, by some seconds.
type change struct {
	at int64
	by int
}

// compare looks at the days around an instant with the oracle and with Next.
func compare(t *testing.T, r *rand.Rand, location *time.Location, around int64, jobs int) {
	t.Helper()
	const day = 24 * 60 * 60
	step, fine := int64(60), false
	if _, offset := time.Unix(around+3*day, 0).In(location).Zone(); offset%60 != 0 {
		step = 1
	}
	if _, offset := time.Unix(around-3*day, 0).In(location).Zone(); offset%60 != 0 {
		step = 1
	}
	fine = step == 1
	from := around - 3*day
	from -= from % 60
	to := from + 6*day
	seen := look(from, to, step, location)
	for range jobs {
		j := randomJob(r, fine)
		if _, err := cron.Parse(j.text); err != nil {
			require.ErrorContains(t, err, "never due", j.text)
			continue
		}
		z := policies[r.IntN(len(policies))]
		z.Location = location
		// Changes in the outer days would have their other side out of sight.
		inside := func(unix int64) bool { return unix < from+day || unix >= to-day }
		want := slices.DeleteFunc(seen.due(j, z), inside)
		got := slices.DeleteFunc(instants(t, j.text, z, from, to), inside)
		require.Equal(t, clocks(want, location), clocks(got, location), "%q %+v", j.text, z)
	}
}

func clocks(unix []int64, location *time.Location) []string {
	texts := make([]string, len(unix))
	for i, u := range unix {
		texts[i] = time.Unix(u, 0).In(location).Format(time.RFC3339)
	}
	return texts
}

// odd are zones that do what others do not: skip or repeat a day, half an hour or midnight, change twice in a short
// time, or by seconds.
var odd = []string{
	"Australia/Lord_Howe", "Pacific/Apia", "Pacific/Fakaofo", "Pacific/Kiritimati", "Pacific/Kwajalein",
	"Antarctica/Troll", "Antarctica/Casey", "Africa/Casablanca", "Africa/El_Aaiun", "Asia/Gaza", "Asia/Hebron",
	"America/Sao_Paulo", "Asia/Beirut", "America/Havana", "Africa/Cairo", "Africa/Monrovia", "Europe/Dublin",
	"America/New_York", "Europe/Berlin", "Asia/Kathmandu", "Asia/Pyongyang", "America/Caracas", "Asia/Tehran",
	"America/St_Johns", "America/Nuuk", "America/Scoresbysund", "Atlantic/Azores", "Asia/Amman", "Africa/Khartoum",
}

// TestOddZones looks at every change of their clocks that is not by an hour or comes soon after another, and at some of
// the rest.
func TestOddZones(t *testing.T) {
	t.Parallel()
	const day = 24 * 60 * 60
	for _, name := range odd {
		location, err := cron.LoadLocation(name)
		require.NoError(t, err)
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(1, uint64(len(name))))
			last, usual := int64(0), 0
			for _, c := range changes(location, day) {
				if (c.by == 3600 || c.by == -3600) && c.at-last > 45*day {
					usual++
				}
				last = c.at
				if usual%usualStep == 0 {
					compare(t, r, location, c.at, 4)
				}
			}
		})
	}
}

// usualStep says how many of the changes by an hour there are to one that is looked at.
const usualStep = 16

// TestEveryZone looks at some changes of the clocks in each zone that there is.
func TestEveryZone(t *testing.T) {
	t.Parallel()
	names := zones(t)
	require.Greater(t, len(names), 400)
	r := rand.New(rand.NewPCG(2, 3))
	for _, name := range names {
		location, err := cron.LoadLocation(name)
		require.NoError(t, err)
		all := changes(location, 30*24*60*60)
		r.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		for _, c := range all[:min(len(all), 1)] {
			compare(t, r, location, c.at, 3)
		}
	}
}

// zones returns the names of all zones that Go knows.
func zones(t *testing.T) (names []string) {
	t.Helper()
	archive, err := zip.OpenReader(filepath.Join(runtime.GOROOT(), "lib", "time", "zoneinfo.zip"))
	require.NoError(t, err)
	defer archive.Close()
	for _, f := range archive.File {
		if !strings.HasSuffix(f.Name, "/") {
			names = append(names, f.Name)
		}
	}
	return names
}

// TestNamedCases are what people ask about, by hand.
func TestNamedCases(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, text, zone, from string
		gap                    cron.Gap
		repeat                 cron.Repeat
		want                   []string
	}{
		{
			name: "gap: once, right after", text: "30 2 * * *", zone: "Europe/Berlin", from: "2026-03-28T03:00:00+01:00",
			want: []string{"2026-03-29T03:00:00+02:00", "2026-03-30T02:30:00+02:00"},
		},
		{
			name: "gap: many times become one", text: "*/10 2 * * *", zone: "Europe/Berlin", from: "2026-03-28T03:00:00+01:00",
			want: []string{"2026-03-29T03:00:00+02:00", "2026-03-30T02:00:00+02:00", "2026-03-30T02:10:00+02:00"},
		},
		{
			name: "gap: and the time after it is not due twice", text: "0 2,3 * * *", zone: "Europe/Berlin", from: "2026-03-28T22:00:00+01:00",
			want: []string{"2026-03-29T03:00:00+02:00", "2026-03-30T02:00:00+02:00"},
		},
		{
			name: "gap: skip", text: "30 2 * * *", zone: "Europe/Berlin", from: "2026-03-28T03:00:00+01:00", gap: cron.GapSkip,
			want: []string{"2026-03-30T02:30:00+02:00"},
		},
		{
			name: "gap: every real hour", text: "30 * * * *", zone: "Europe/Berlin", from: "2026-03-29T01:00:00+01:00",
			want: []string{"2026-03-29T01:30:00+01:00", "2026-03-29T03:30:00+02:00", "2026-03-29T04:30:00+02:00"},
		},
		{
			name: "repeat: the first", text: "30 2 * * *", zone: "Europe/Berlin", from: "2026-10-25T00:00:00+02:00",
			want: []string{"2026-10-25T02:30:00+02:00", "2026-10-26T02:30:00+01:00"},
		},
		{
			name: "repeat: the second", text: "30 2 * * *", zone: "Europe/Berlin", from: "2026-10-25T00:00:00+02:00", repeat: cron.RepeatSecond,
			want: []string{"2026-10-25T02:30:00+01:00", "2026-10-26T02:30:00+01:00"},
		},
		{
			name: "repeat: both", text: "30 2 * * *", zone: "Europe/Berlin", from: "2026-10-25T00:00:00+02:00", repeat: cron.RepeatBoth,
			want: []string{"2026-10-25T02:30:00+02:00", "2026-10-25T02:30:00+01:00", "2026-10-26T02:30:00+01:00"},
		},
		{
			name: "repeat: every real hour", text: "0 */1 * * *", zone: "America/New_York", from: "2026-11-01T00:30:00-04:00",
			want: []string{"2026-11-01T01:00:00-04:00", "2026-11-01T01:00:00-05:00", "2026-11-01T02:00:00-05:00"},
		},
		{
			name: "midnight does not exist", text: "@daily", zone: "America/Sao_Paulo", from: "2018-11-03T12:00:00-03:00",
			want: []string{"2018-11-04T01:00:00-02:00", "2018-11-05T00:00:00-02:00"},
		},
		{
			name: "half an hour", text: "15 2 * * *", zone: "Australia/Lord_Howe", from: "2026-10-03T12:00:00+10:30",
			want: []string{"2026-10-04T02:30:00+11:00", "2026-10-05T02:15:00+11:00"},
		},
		{
			name: "a day does not exist", text: "0 9 30 12 *", zone: "Pacific/Apia", from: "2011-12-01T00:00:00-10:00",
			want: []string{"2011-12-31T00:00:00+14:00", "2012-12-30T09:00:00+14:00"},
		},
		{
			name: "offset of seconds", text: "0 0 7 1 *", zone: "Africa/Monrovia", from: "1972-01-01T00:00:00Z",
			want: []string{"1972-01-07T00:44:30Z", "1973-01-07T00:00:00Z"},
		},
		{
			name: "either day", text: "0 0 13 * FRI", zone: "UTC", from: "2026-11-01T00:00:00Z",
			want: []string{"2026-11-06T00:00:00Z", "2026-11-13T00:00:00Z", "2026-11-20T00:00:00Z"},
		},
		{
			name: "both days, as one is *", text: "0 0 */2 * FRI", zone: "UTC", from: "2026-11-01T00:00:00Z",
			want: []string{"2026-11-13T00:00:00Z", "2026-11-27T00:00:00Z", "2026-12-11T00:00:00Z"},
		},
		{
			name: "leap day on a Saturday", text: "0 0 29 2 */6", zone: "UTC", from: "2021-01-01T00:00:00Z",
			want: []string{"2032-02-29T00:00:00Z", "2048-02-29T00:00:00Z", "2060-02-29T00:00:00Z"},
		},
		{
			name: "a century without a leap day", text: "0 0 29 2 *", zone: "Asia/Tokyo", from: "2096-03-01T00:00:00+09:00",
			want: []string{"2104-02-29T00:00:00+09:00"},
		},
		{
			name: "seconds", text: "15,45 59 23 L DEC ?", zone: "UTC", from: "2026-12-31T23:59:15Z",
			want: []string{"2026-12-31T23:59:45Z", "2027-12-31T23:59:15Z"},
		},
		{
			name: "@every is a multiple since 1970", text: "@every 1h30m", zone: "Asia/Kolkata", from: "2026-01-01T00:00:01Z",
			want: []string{"2026-01-01T07:00:00+05:30", "2026-01-01T08:30:00+05:30"},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			location, err := cron.LoadLocation(test.zone)
			require.NoError(t, err)
			spec, err := cron.Parse(test.text)
			require.NoError(t, err)
			at, err := time.Parse(time.RFC3339, test.from)
			require.NoError(t, err)
			var got []string
			for range test.want {
				var ok bool
				at, ok = spec.Next(at, cron.Zone{Location: location, Gap: test.gap, Repeat: test.repeat})
				require.True(t, ok)
				got = append(got, at.In(location).Format(time.RFC3339))
			}
			require.Equal(t, test.want, got)
		})
	}
}

func TestNextIsStrictlyAfter(t *testing.T) {
	t.Parallel()
	spec, err := cron.Parse("* * * * * *")
	require.NoError(t, err)
	at := time.Date(2026, 1, 1, 0, 0, 0, 1, time.UTC)
	next, ok := spec.Next(at, cron.Zone{})
	require.True(t, ok)
	require.Equal(t, "2026-01-01T00:00:01Z", next.Format(time.RFC3339Nano))
	next, ok = spec.Next(at.Add(-1), cron.Zone{})
	require.True(t, ok)
	require.Equal(t, "2026-01-01T00:00:01Z", next.Format(time.RFC3339Nano))
	_, ok = spec.Next(time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC), cron.Zone{})
	require.False(t, ok, "there is no year 10000")
}

// TestUntil compares the ends of times that match with a look at each minute.
func TestUntil(t *testing.T) {
	t.Parallel()
	location, err := cron.LoadLocation("Europe/Berlin")
	require.NoError(t, err)
	zone := cron.Zone{Location: location}
	r := rand.New(rand.NewPCG(4, 5))
	for range 200 {
		j := randomJob(r, false)
		spec, err := cron.Parse(j.text)
		if err != nil {
			continue
		}
		from := r.Int64N(4_000_000_000) / 60 * 60
		for unix := from; unix < from+3*24*60*60; {
			end, matches := spec.Until(time.Unix(unix+r.Int64N(60), 0), zone)
			require.Equal(t, j.shown(wallClock(unix, location)), matches, "%q at %d", j.text, unix)
			if !matches {
				unix += 60
				continue
			}
			require.Greater(t, end.Unix(), unix)
			for ; unix < min(end.Unix(), from+3*24*60*60); unix += 60 {
				require.True(t, j.shown(wallClock(unix, location)), "%q at %d", j.text, unix)
			}
		}
	}
}

func TestAt(t *testing.T) {
	t.Parallel()
	location, err := cron.LoadLocation("America/New_York")
	require.NoError(t, err)
	tests := []struct {
		wall, want string
		zone       cron.Zone
	}{
		{wall: "2026-07-01T12:00:00Z", want: "2026-07-01T16:00:00Z"},
		{wall: "2026-03-08T02:30:00Z", want: "2026-03-08T07:00:00Z"},
		{wall: "2026-03-08T02:30:00Z", zone: cron.Zone{Gap: cron.GapSkip}},
		{wall: "2026-11-01T01:30:00Z", want: "2026-11-01T05:30:00Z"},
		{wall: "2026-11-01T01:30:00Z", zone: cron.Zone{Repeat: cron.RepeatSecond}, want: "2026-11-01T06:30:00Z"},
	}
	for _, test := range tests {
		t.Run(fmt.Sprintf("%s %+v", test.wall, test.zone), func(t *testing.T) {
			t.Parallel()
			wall, err := time.Parse(time.RFC3339, test.wall)
			require.NoError(t, err)
			zone := test.zone
			zone.Location = location
			at, ok := zone.At(wall)
			require.Equal(t, test.want != "", ok)
			if ok {
				require.Equal(t, test.want, at.Format(time.RFC3339))
			}
		})
	}
}
