package timer

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/attune-automation/sensors/internal/cron"
)

// exclusion is time in which no tick fires, by what the clocks show.
type exclusion struct {
	from, to time.Time  // dates, as midnight in UTC; to is the day after the last
	spec     *cron.Spec // or: all time that matches
}

// exclusionDocument is an exclusion as it is written, unless that is a date alone.
type exclusionDocument struct {
	Date string `json:"date"`
	From string `json:"from"`
	To   string `json:"to"`
	Cron string `json:"cron"`
}

var errExclusion = errors.New("write a date such as 2026-12-25, {from: 2026-12-24, to: 2026-12-31}, or {cron: '* * * * SAT,SUN'}")

// readExclusion reads an exclusion; the key is where its error is.
func readExclusion(raw json.RawMessage) (e exclusion, key string, err error) {
	var doc exclusionDocument
	if json.Unmarshal(raw, &doc.Date) != nil {
		if err := json.Unmarshal(raw, &doc); err != nil {
			return e, "", errExclusion
		}
		key = "date"
	}
	switch {
	case doc.Date != "" && doc.From+doc.To+doc.Cron == "":
		e.from, err = readDate(doc.Date)
		e.to = e.from.AddDate(0, 0, 1)
		return e, key, err
	case doc.From != "" && doc.To != "" && doc.Date+doc.Cron == "":
		return readDates(doc.From, doc.To)
	case doc.Cron != "" && doc.Date+doc.From+doc.To == "":
		e.spec, err = readCalendar(doc.Cron)
		return e, "cron", err
	}
	return e, "", errExclusion
}

func readDates(from, to string) (e exclusion, key string, err error) {
	if e.from, err = readDate(from); err != nil {
		return e, "from", err
	}
	if e.to, err = readDate(to); err != nil {
		return e, "to", err
	}
	if e.to.Before(e.from) {
		return e, "to", fmt.Errorf("%s is before %s: write a later date", to, from)
	}
	e.to = e.to.AddDate(0, 0, 1)
	return e, "", nil
}

func readDate(text string) (time.Time, error) {
	date, err := time.Parse(dateOnly, text)
	if err != nil {
		return date, fmt.Errorf("got %q: write a date such as 2026-12-25", text)
	}
	return date, nil
}

func readCalendar(text string) (*cron.Spec, error) {
	spec, err := cron.Parse(text)
	switch {
	case err != nil:
		return nil, fmt.Errorf("%q: %w", text, err)
	case spec.Interval() > 0:
		return nil, fmt.Errorf("%q is no time that clocks show: write five or six fields", text)
	}
	return spec, nil
}

// excludedUntil says whether a tick is excluded, and until when all of the time is.
func (s Schedule) excludedUntil(tick time.Time) (until time.Time, excluded bool) {
	for _, e := range s.excluded {
		if end, hit := e.until(tick, s.location); hit && end.After(until) {
			until, excluded = end, true
		}
	}
	return until, excluded
}

func (e exclusion) until(tick time.Time, location *time.Location) (time.Time, bool) {
	zone := cron.Zone{Location: location}
	if e.spec != nil {
		return e.spec.Until(tick, zone)
	}
	year, month, day := tick.In(location).Date()
	date := time.Date(year, month, day, 0, 0, 0, 0, time.UTC)
	if date.Before(e.from) || !date.Before(e.to) {
		return time.Time{}, false
	}
	end, _ := zone.At(e.to)
	if !end.After(tick) { // the clocks went back over midnight
		end = tick.Add(time.Second)
	}
	return end, true
}
