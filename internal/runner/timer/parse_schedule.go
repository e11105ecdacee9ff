package timer

import (
	"cmp"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"slices"
	"strconv"
	"time"

	"github.com/attune-automation/sensors/internal/cron"
)

// scheduleDocument is a schedule as it is written.
type scheduleDocument struct {
	Name     string            `json:"name"`
	Cron     string            `json:"cron"`
	Every    any               `json:"every"`
	Interval any               `json:"interval"` // another word for every
	Anchor   string            `json:"anchor"`
	At       string            `json:"at"`
	Timezone string            `json:"timezone"`
	Gap      cron.Gap          `json:"dst_gap"`
	Repeat   cron.Repeat       `json:"dst_repeat"`
	Start    string            `json:"start"`
	End      string            `json:"end"`
	Exclude  []json.RawMessage `json:"exclude"`
}

// kinds returns the keys that say when the schedule is due, of which there may be one.
func (d scheduleDocument) kinds() (kinds []string) {
	for _, kind := range []struct {
		key   string
		there bool
	}{{"cron", d.Cron != ""}, {"every", d.Every != nil}, {"interval", d.Interval != nil}, {"at", d.At != ""}} {
		if kind.there {
			kinds = append(kinds, kind.key)
		}
	}
	return kinds
}

// within adds what the config says for all schedules.
func (d scheduleDocument) within(all scheduleDocument) scheduleDocument {
	d.Timezone = cmp.Or(d.Timezone, all.Timezone)
	d.Gap, d.Repeat = cmp.Or(d.Gap, all.Gap), cmp.Or(d.Repeat, all.Repeat)
	d.Start, d.End = cmp.Or(d.Start, all.Start), cmp.Or(d.End, all.End)
	if d.Exclude == nil {
		d.Exclude = all.Exclude
	}
	return d
}

// scheduleReader reads one schedule.
type scheduleReader struct {
	problems *problems
	path     []string         // of the schedule
	own      scheduleDocument // without what the config says for all schedules
	doc      scheduleDocument
	zone     cron.Zone
	failed   bool
}

// schedule reads a schedule, to which the config adds what it says for all.
func (p *problems) schedule(own, all scheduleDocument, path ...string) Schedule {
	r := scheduleReader{problems: p, path: path, own: own, doc: own.within(all)}
	return r.read()
}

// fail notes what is wrong with a key, where that is written, and once.
func (r *scheduleReader) fail(message, key string, below ...string) {
	r.failed = true
	shared := map[string]bool{
		"timezone": r.own.Timezone == "", "start": r.own.Start == "", "end": r.own.End == "", "exclude": r.own.Exclude == nil,
	}
	path := slices.Concat(r.path, []string{key}, below)
	if shared[key] {
		path = path[len(r.path):]
	}
	r.problems.addOnce(message, path...)
}

func (r *scheduleReader) read() Schedule {
	s := Schedule{Timezone: cmp.Or(r.doc.Timezone, "UTC")}
	location, err := cron.LoadLocation(s.Timezone)
	if err != nil {
		r.fail(err.Error(), "timezone")
		return s
	}
	s.location, r.zone = location, cron.Zone{Location: location, Gap: r.doc.Gap, Repeat: r.doc.Repeat}
	s.start = r.instant("start", r.doc.Start, false)
	s.end = r.instant("end", r.doc.End, true)
	if !s.start.IsZero() && !s.end.IsZero() && s.end.Before(s.start) {
		r.fail(fmt.Sprintf("%s is before start, %s: write a later one", r.doc.End, r.doc.Start), "end")
	}
	s.excluded = r.exclusions()
	text := r.series(&s)
	s.Name = cmp.Or(r.own.Name, text)
	if r.failed {
		return s
	}
	s.id = r.identity(text, s)
	if _, ok := s.Next(time.Unix(-1, 0)); !ok {
		r.fail("never due: nothing is left of it by start, end, exclude and dst_gap", r.own.kinds()[0])
	}
	return s
}

// identity returns what tells the schedule from others: a change of start, end or exclude does not make it a new one.
func (r *scheduleReader) identity(text string, s Schedule) string {
	h := fnv.New64a()
	fmt.Fprintf(h, "%q", []string{ //nolint:errcheck // a hash never fails to write
		text, s.Timezone, string(cmp.Or(r.doc.Gap, cron.GapRunAfter)), string(cmp.Or(r.doc.Repeat, cron.RepeatFirst)), r.own.Anchor,
	})
	return strconv.FormatUint(h.Sum64(), 36)
}

// series reads when the schedule is due, and returns how that is written.
func (r *scheduleReader) series(s *Schedule) string {
	kinds := r.own.kinds()
	if len(kinds) != 1 {
		r.failed = true
		if len(kinds) == 0 {
			r.problems.add("says not when it is due: write one of cron, every and at", r.path...)
		} else {
			r.problems.add(fmt.Sprintf("%s is there too: a schedule has one of them; write several schedules", kinds[0]), append(slices.Clone(r.path), kinds[1])...)
		}
		return ""
	}
	if r.own.Anchor != "" && r.own.Every == nil && r.own.Interval == nil {
		r.fail("it belongs to every: leave it out", "anchor")
	}
	switch kinds[0] {
	case "cron":
		return r.cron(s)
	case "at":
		return r.at(s)
	default:
		return r.every(s, kinds[0])
	}
}

func (r *scheduleReader) cron(s *Schedule) string {
	spec, err := cron.Parse(r.own.Cron)
	if err != nil {
		r.fail(fmt.Sprintf("%q: %v", r.own.Cron, err), "cron")
		return ""
	}
	s.series = cronSeries{spec: spec, zone: r.zone}
	return spec.String()
}

func (r *scheduleReader) at(s *Schedule) string {
	at := r.moment("at", r.own.At)
	s.series, s.Once = moment(at), true
	if !r.failed && s.start.IsZero() && s.end.IsZero() && s.excluded == nil && at.Unix() < 0 {
		r.fail(fmt.Sprintf("%s is before 1970: write a later time", r.own.At), "at")
	}
	return at.UTC().Format(time.RFC3339)
}

func (r *scheduleReader) every(s *Schedule, key string) string {
	value := cmp.Or(r.own.Every, r.own.Interval)
	text, ok := value.(string)
	if !ok {
		r.fail(fmt.Sprintf("%v has no unit: write an interval such as %vs or 15m", value, value), key)
		return ""
	}
	interval, err := cron.ParseEvery(text)
	if err != nil {
		r.fail(err.Error(), key)
		return ""
	}
	s.series = cron.Every{Interval: interval, Anchor: r.instant("anchor", r.own.Anchor, false)}
	return "every " + interval.String()
}

// The forms of instants that a config may have.
var (
	local = []string{"2006-01-02T15:04:05", "2006-01-02T15:04", "2006-01-02 15:04:05", "2006-01-02 15:04"}
	zoned = []string{time.RFC3339, "2006-01-02T15:04Z07:00", "2006-01-02 15:04:05Z07:00"}
)

const dateOnly = time.DateOnly

// instant reads a date or a moment; nothing for nothing. A date is its first second, or its last.
func (r *scheduleReader) instant(key, text string, last bool) time.Time {
	if text == "" {
		return time.Time{}
	}
	date, err := time.Parse(dateOnly, text)
	if err != nil {
		return r.moment(key, text)
	}
	if last {
		end, _ := cron.Zone{Location: r.zone.Location}.At(date.AddDate(0, 0, 1))
		return end.Add(-time.Second)
	}
	begin, _ := cron.Zone{Location: r.zone.Location}.At(date)
	return begin
}

// moment reads a date with a time, of the schedule's zone unless it has an offset.
func (r *scheduleReader) moment(key, text string) time.Time {
	for _, form := range zoned {
		if t, err := time.Parse(form, text); err == nil && t.Nanosecond() == 0 {
			return t.UTC()
		}
	}
	for _, form := range local {
		wall, err := time.Parse(form, text)
		if err != nil || wall.Nanosecond() != 0 {
			continue
		}
		at, ok := r.zone.At(wall)
		if !ok {
			r.fail(fmt.Sprintf("the clocks of %s skip %s, and dst_gap is skip: write another time", r.zone.Location, text), key)
		}
		return at
	}
	r.fail(fmt.Sprintf("got %q: write whole seconds, such as 2026-12-01T09:00:00Z, or 2026-12-01T09:00 in the schedule's timezone", text), key)
	return time.Time{}
}

// exclusions reads the dates and times at which the schedule is not due.
func (r *scheduleReader) exclusions() (all []exclusion) {
	for i, raw := range r.doc.Exclude {
		e, key, err := readExclusion(raw)
		if err != nil {
			below := []string{strconv.Itoa(i)}
			if key != "" {
				below = append(below, key)
			}
			r.fail(err.Error(), "exclude", below...)
			continue
		}
		all = append(all, e)
	}
	return all
}
