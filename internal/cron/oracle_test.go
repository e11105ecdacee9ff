package cron_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/attune-automation/sensors/internal/cron"
)

// job is an expression, and what it means in words that are not those of the package: a predicate on what a clock shows.
type job struct {
	text    string
	follows bool // hours are * or have a step
	shown   func(wall time.Time) bool
}

// wallClock returns what the clocks of a location show, as a time of UTC.
func wallClock(unix int64, location *time.Location) time.Time {
	t := time.Unix(unix, 0).In(location)
	return time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), 0, time.UTC)
}

// oracle finds what is due by looking at the clock at every step from one instant to another. The times between must be
// whole steps, and no change of the clocks may be within maxShift of either end.
type oracle struct {
	from, to, step int64 // Unix seconds
	walls          []time.Time
	shownAt        map[int64][]int64 // instants at which a wall time is shown
}

func look(from, to, step int64, location *time.Location) *oracle {
	o := &oracle{from: from, to: to, step: step, shownAt: map[int64][]int64{}}
	for unix := from; unix < to; unix += step {
		wall := wallClock(unix, location)
		o.walls = append(o.walls, wall)
		o.shownAt[wall.Unix()] = append(o.shownAt[wall.Unix()], unix)
	}
	return o
}

// due returns the instants at which a job is due from the first instant, not included, to the last.
func (o *oracle) due(j job, z cron.Zone) []int64 {
	var due []int64
	for i, wall := range o.walls {
		unix := o.from + int64(i)*o.step
		if i > 0 && !j.follows && z.Gap != cron.GapSkip && o.skipped(j, o.walls[i-1], wall) || j.shown(wall) && o.admits(j, z, wall.Unix(), unix) {
			due = append(due, unix)
		}
	}
	return due
}

// skipped says whether the clock went over a time of the job that it never shows.
func (o *oracle) skipped(j job, before, after time.Time) bool {
	for wall := before.Add(time.Duration(o.step) * time.Second); wall.Before(after); wall = wall.Add(time.Duration(o.step) * time.Second) {
		if len(o.shownAt[wall.Unix()]) == 0 && j.shown(wall) {
			return true
		}
	}
	return false
}

func (o *oracle) admits(j job, z cron.Zone, wall, unix int64) bool {
	all := o.shownAt[wall]
	switch {
	case j.follows || z.Repeat == cron.RepeatBoth:
		return true
	case z.Repeat == cron.RepeatSecond:
		return unix == all[len(all)-1]
	}
	return unix == all[0]
}

// randomJob makes up an expression together with its meaning. Its seconds are 0, or those that divide by the step.
func randomJob(r *rand.Rand, fine bool) job {
	second, minute := func(int) bool { return true }, func(int) bool { return true }
	texts := make([]string, 0, 6)
	add := func(text string) { texts = append(texts, text) }
	var text string
	j := job{}
	if fine {
		text, second, _ = randomField(r, 0, 59)
		add(text)
	}
	text, minute, _ = randomField(r, 0, 59)
	add(text)
	text, hour, loose := randomField(r, 0, 23)
	add(text)
	j.follows = loose
	date, dateStar := randomDate(r)
	text, month, _ := randomField(r, 1, 12)
	if r.IntN(3) > 0 {
		text, month = "*", func(int) bool { return true }
	}
	weekday, weekdayStar := randomWeekday(r)
	add(date.text)
	add(text)
	add(weekday.text)
	j.text = strings.Join(texts, " ")
	j.shown = func(wall time.Time) bool {
		if !second(wall.Second()) || !fine && wall.Second() != 0 || !minute(wall.Minute()) || !hour(wall.Hour()) || !month(int(wall.Month())) {
			return false
		}
		if dateStar || weekdayStar {
			return date.on(wall) && weekday.on(wall)
		}
		return date.on(wall) || weekday.on(wall)
	}
	return j
}

// randomField returns a field of values, a range that may wrap, a step, or *; loose if it is * or has a step.
func randomField(r *rand.Rand, low, high int) (text string, has func(int) bool, loose bool) {
	a, b, n := low+r.IntN(high-low+1), low+r.IntN(high-low+1), 1+r.IntN(min(high-low, 9))
	var values []int
	switch r.IntN(6) {
	case 0:
		return "*", func(int) bool { return true }, true
	case 1:
		text, loose = fmt.Sprintf("*/%d", n), true
		for v := low; v <= high; v += n {
			values = append(values, v)
		}
	case 2:
		text, loose = fmt.Sprintf("%d/%d", a, n), true
		for v := a; v <= high; v += n {
			values = append(values, v)
		}
	case 3:
		text = fmt.Sprintf("%d-%d", a, b)
		for v := a; ; v++ {
			if v > high {
				v = low
			}
			values = append(values, v)
			if v == b {
				break
			}
		}
		loose = len(values) == high-low+1
	default:
		text, values = fmt.Sprintf("%d,%d", a, b), []int{a, b}
	}
	return text, func(v int) bool { return slices.Contains(values, v) }, loose
}

// dayTest is a field of days and what it means.
type dayTest struct {
	text string
	on   func(wall time.Time) bool
}

func lastDay(wall time.Time) int {
	return time.Date(wall.Year(), wall.Month()+1, 0, 0, 0, 0, 0, time.UTC).Day()
}

// weekdayNear finds the weekday nearest to a day, by looking around it further and further, before it first.
func weekdayNear(wall time.Time, day int) int {
	last := lastDay(wall)
	for distance := range 4 {
		for _, d := range []int{day - distance, day + distance} {
			at := time.Date(wall.Year(), wall.Month(), d, 0, 0, 0, 0, time.UTC)
			if d >= 1 && d <= last && at.Weekday() != time.Saturday && at.Weekday() != time.Sunday {
				return d
			}
		}
	}
	panic("four days without a weekday")
}

func randomDate(r *rand.Rand) (dayTest, bool) {
	n := 1 + r.IntN(31)
	switch r.IntN(8) {
	case 0:
		return dayTest{"L", func(wall time.Time) bool { return wall.Day() == lastDay(wall) }}, false
	case 1:
		return dayTest{fmt.Sprintf("L-%d", n-1), func(wall time.Time) bool { return wall.Day() == lastDay(wall)-(n-1) }}, false
	case 2:
		return dayTest{"lw", func(wall time.Time) bool { return wall.Day() == weekdayNear(wall, lastDay(wall)) }}, false
	case 3:
		return dayTest{fmt.Sprintf("%dW", n), func(wall time.Time) bool {
			return n <= lastDay(wall) && wall.Day() == weekdayNear(wall, n)
		}}, false
	case 4:
		text, has, _ := randomField(r, 1, 31)
		return dayTest{text, func(wall time.Time) bool { return has(wall.Day()) }}, text[0] == '*'
	}
	return dayTest{"*", func(time.Time) bool { return true }}, true
}

func randomWeekday(r *rand.Rand) (dayTest, bool) {
	n := r.IntN(7)
	name := []string{"SUN", "mon", "TUE", "3", "4", "Fri", "6"}[n]
	switch k := 1 + r.IntN(5); r.IntN(8) {
	case 0:
		return dayTest{name + "L", func(wall time.Time) bool {
			return int(wall.Weekday()) == n && wall.AddDate(0, 0, 7).Month() != wall.Month()
		}}, false
	case 1:
		return dayTest{fmt.Sprintf("%s#%d", name, k), func(wall time.Time) bool {
			return int(wall.Weekday()) == n && (wall.Day()+6)/7 == k
		}}, false
	case 2:
		return dayTest{name + "-7", func(wall time.Time) bool { return wall.Weekday() == 0 || int(wall.Weekday()) >= n }}, false
	case 3:
		text, has, _ := randomField(r, 0, 6)
		return dayTest{text, func(wall time.Time) bool { return has(int(wall.Weekday())) }}, text[0] == '*'
	}
	return dayTest{"?", func(time.Time) bool { return true }}, true
}
