package cron

import (
	"fmt"
	"math"
	"strings"
	"time"
	_ "time/tzdata" // for hosts without a database of time zones
)

// Gap says what becomes of a fixed time that the clocks skip.
type Gap string

// What may become of a time that is skipped.
const (
	GapRunAfter Gap = "run_after" // due once, right after the gap; the empty Gap means the same
	GapSkip     Gap = "skip"      // not due that day
)

// Repeat says when a fixed time is due that the clocks show twice.
type Repeat string

// When a time that is repeated may be due.
const (
	RepeatFirst  Repeat = "first" // the first time; the empty Repeat means the same
	RepeatSecond Repeat = "second"
	RepeatBoth   Repeat = "both"
)

// Zone is a time zone, and what holds when its clocks change.
type Zone struct {
	Location *time.Location // nil: UTC
	Gap      Gap
	Repeat   Repeat
}

// LoadLocation returns the location of an IANA name, such as Europe/Berlin or UTC. It refuses what hosts have beside
// those: localtime, which each host has its own of, and right/Europe/Berlin, whose leap seconds package time ignores. IANA
// names begin with a capital letter.
func LoadLocation(name string) (*time.Location, error) {
	location, err := time.LoadLocation(name)
	if err != nil || name == "" || name[0] < 'A' || name[0] > 'Z' || strings.EqualFold(name, "local") {
		return nil, fmt.Errorf("unknown time zone %q: write an IANA name such as Europe/Berlin, America/New_York or UTC", name)
	}
	return location, nil
}

// span is a time in which the clocks of a zone do not change: from start until before end, both in Unix seconds. Wall
// time is Unix time plus offset.
type span struct{ start, end, offset int64 }

// The ends of a span that has none.
const (
	never   = math.MinInt64 / 4
	forever = math.MaxInt64 / 4
)

// maxOffset is more, in seconds, than any zone has ever been ahead or behind.
const maxOffset = 26 * 60 * 60

func (z Zone) span(unix int64) span {
	if z.Location == nil || z.Location == time.UTC {
		return span{start: never, end: forever}
	}
	t := time.Unix(unix, 0).In(z.Location)
	_, offset := t.Zone()
	s := span{start: never, end: forever, offset: int64(offset)}
	start, end := t.ZoneBounds()
	if !start.IsZero() {
		s.start = start.Unix()
	}
	if !end.IsZero() {
		s.end = end.Unix()
	}
	if s.end <= unix {
		// Go's time ends such a span a day early when it goes on into the year after a leap year (1.26: it counts the
		// year as 365 days). The clocks do not change on that day.
		s.end = unix - modulo(unix, daySeconds) + daySeconds
	}
	return s
}

// shows says whether the clocks show the wall time in this span.
func (s span) shows(wall int64) bool { return s.start+s.offset <= wall && wall < s.end+s.offset }

// wallEnd is the wall time at which the span ends.
func (s span) wallEnd() int64 { return s.end + s.offset }

// earlier returns the nearest span before the given one that shows the wall time too.
func (z Zone) earlier(s span, wall int64) (span, bool) {
	for s.start > wall-maxOffset {
		if s = z.span(s.start - 1); s.shows(wall) {
			return s, true
		}
	}
	return span{}, false
}

// later returns the nearest span after the given one that shows the wall time too.
func (z Zone) later(s span, wall int64) (span, bool) {
	for s.end < wall+maxOffset {
		if s = z.span(s.end); s.shows(wall) {
			return s, true
		}
	}
	return span{}, false
}

// At returns the instant at which the clocks of the zone show the date and time of wall, whose own zone does not count.
// A time that they skip is the end of the gap, or none with GapSkip; one that they repeat is the first, or the second
// with RepeatSecond.
func (z Zone) At(wall time.Time) (time.Time, bool) {
	_, offset := wall.Zone()
	shown := wall.Unix() + int64(offset)
	s := z.span(shown - maxOffset)
	for s.wallEnd() <= shown {
		s = z.span(s.end)
	}
	after, again := z.later(s, shown)
	switch {
	case again && (z.Repeat == RepeatSecond || !s.shows(shown)):
		s = after
	case !s.shows(shown): // the clocks skipped it when the span began
		return time.Unix(s.start, 0).UTC(), z.Gap != GapSkip
	}
	return time.Unix(shown-s.offset, 0).UTC(), true
}

// Gaps are the words for what may become of a time that is skipped.
func Gaps() []string { return []string{string(GapRunAfter), string(GapSkip)} }

// Repeats are the words for when a time that is repeated may be due.
func Repeats() []string {
	return []string{string(RepeatFirst), string(RepeatSecond), string(RepeatBoth)}
}

// Format writes an instant in RFC 3339, with the offset that the location then has; in UTC, if the offset has seconds,
// which RFC 3339 cannot say. Some zones had such until 1972.
func Format(at time.Time, location *time.Location) string {
	at = at.In(location)
	if _, offset := at.Zone(); offset%60 != 0 {
		at = at.UTC()
	}
	return at.Format(time.RFC3339)
}
