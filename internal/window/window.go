// Package window says at which times of the week something applies. A window is a span of the clock on some days, in a
// time zone, as the people who live there read it: what the clocks show decides, also on the day on which they change.
package window

import (
	"fmt"
	"strings"
	"time"

	// The same answer on every host, whether it has a database of time zones or not.
	_ "time/tzdata"
)

// Limits of one list of windows.
const (
	// MaxWindows is how many windows a list may have.
	MaxWindows = 50
	// minutesOfDay is the end of a day, in minutes from its beginning.
	minutesOfDay = 24 * 60
)

// Windows is a list of windows, of which one suffices. The zero value holds at all times. It is immutable and safe for
// concurrent use.
type Windows struct {
	list []window
}

// window is a span of the clock on some days of the week.
type window struct {
	days     [7]bool // by time.Weekday: the days on which it begins
	from, to int     // minutes from the beginning of the day; to is exclusive, and on the next day when not beyond from
	zone     *time.Location
	text     string // for people
}

// Contains reports whether the time is in one of the windows.
func (w Windows) Contains(t time.Time) bool {
	for i := range w.list {
		if w.list[i].contains(t) {
			return true
		}
	}
	return len(w.list) == 0
}

// contains goes by what the clock in the zone shows. So an hour that the clocks show twice is in or out both times, and
// one that they skip is missed by nobody.
func (w *window) contains(t time.Time) bool {
	local := t.In(w.zone)
	minute, day := local.Hour()*60+local.Minute(), local.Weekday()
	if w.from < w.to {
		return w.days[day] && w.from <= minute && minute < w.to
	}
	yesterday := (day + 6) % 7
	return w.days[day] && w.from <= minute || w.days[yesterday] && minute < w.to
}

// Explain says how a time that is in none of the windows misses them; it is empty for a time that is in one.
func (w Windows) Explain(t time.Time) string {
	if w.Contains(t) {
		return ""
	}
	spans := make([]string, len(w.list))
	for i := range w.list {
		spans[i] = w.list[i].text
	}
	local := t.In(w.list[0].zone)
	return fmt.Sprintf("%s in %s is not in %s", strings.ToLower(local.Format("Mon 15:04")), w.list[0].zone, strings.Join(spans, " or "))
}
