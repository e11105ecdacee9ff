// Package cron says when a cron expression is due, in every time zone and across every change of its clocks.
//
// An expression has five fields, or six with seconds first:
//
//	second (0-59)  minute (0-59)  hour (0-23)  day of month (1-31)  month (1-12, JAN-DEC)  day of week (0-7, SUN-SAT)
//
// A field is a list of values, ranges (a-b), steps (*/n, a-b/n, a/n: from a on) and *. A range whose end is before its
// start goes on from the beginning: FRI-MON, 22-2. Days of the month may also be L (the last), L-n (n days before it),
// nW (the weekday, Monday to Friday, nearest to day n within the month), LW and L-nW; days of the week may be dL (the
// last d of the month) and d#n (the n-th). ? is * in the fields of days. @yearly, @annually, @monthly, @weekly, @daily,
// @midnight and @hourly stand for the usual five fields, and @every D for multiples of D since 1970.
//
// As in Vixie's cron, a day is due when either of the two fields of days matches if both are given, that is, if neither
// begins with *; otherwise when both match.
//
// The clocks of a zone skip some local times and repeat others. A job with fixed hours whose time is skipped is due
// once, right after the gap, and one whose time is repeated is due the first time; Zone can say otherwise. A job whose
// hours are *, or have a step, is due whenever the clock shows a time that matches: every real hour once.
//
// No library for Go does this. For 02:30 in Berlin, robfig/cron 3.0, gronx 1.20 and cronexpr 1.1 leave out the day of the
// gap and netresearch/go-cron 0.9 runs half an hour after it; all but gronx run twice where the hour is repeated, and
// gronx loses the second hour of hourly jobs. None runs on the day without a midnight in São Paulo, and robfig/cron does
// not come back from the day that Samoa left out. None takes a policy. Hence a package of our own, which tests compare in
// every zone with a search that looks at each minute.
package cron

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// maxText bounds the length of an expression, in bytes.
const maxText = 1000

// Spec is a parsed cron expression. It is immutable.
type Spec struct {
	text    string
	every   int64 // @every, in seconds; nothing else is set then
	clock   clock
	days    days
	follows bool // it is due whenever the clock shows a time that matches
	coarse  bool // it has no field of seconds
}

// nicknames are the expressions that a name stands for.
var nicknames = map[string]string{
	"@yearly":   "0 0 1 1 *",
	"@annually": "0 0 1 1 *",
	"@monthly":  "0 0 1 * *",
	"@weekly":   "0 0 * * 0",
	"@daily":    "0 0 * * *",
	"@midnight": "0 0 * * *",
	"@hourly":   "0 * * * *",
}

// Parse reads an expression. One that would never be due, such as the 30th of February, is an error. Errors name the
// field, the value and what to write instead.
func Parse(text string) (*Spec, error) {
	if len(text) > maxText {
		return nil, fmt.Errorf("%d bytes long: write at most %d", len(text), maxText)
	}
	fields := strings.Fields(text)
	s := &Spec{text: strings.Join(fields, " ")}
	if len(fields) > 0 && strings.HasPrefix(fields[0], "@") {
		return s.parseNickname(strings.ToLower(fields[0]), fields[1:])
	}
	return s.parseFields(fields)
}

func (s *Spec) parseNickname(name string, rest []string) (*Spec, error) {
	if name == "@every" {
		every, err := ParseEvery(strings.Join(rest, ""))
		if err != nil {
			return nil, fmt.Errorf("@every: %w", err)
		}
		s.every = int64(every / time.Second)
		return s, nil
	}
	fields, ok := nicknames[name]
	switch {
	case name == "@reboot":
		return nil, errors.New("@reboot is no time: write @hourly, @daily, @every 15m, or five or six fields")
	case !ok:
		return nil, fmt.Errorf("unknown name %q: write one of @yearly, @monthly, @weekly, @daily, @hourly, @every", name)
	case len(rest) > 0:
		return nil, fmt.Errorf("%q after %s: %s stands alone", strings.Join(rest, " "), name, name)
	}
	return s.parseFields(strings.Fields(fields))
}

func (s *Spec) parseFields(fields []string) (*Spec, error) {
	switch {
	case len(fields) == 0:
		return nil, errors.New("empty: write five fields (minute, hour, day of month, month, day of week), or six with seconds first")
	case strings.HasPrefix(fields[0], "TZ=") || strings.HasPrefix(fields[0], "CRON_TZ="):
		return nil, fmt.Errorf("%s: the time zone is no part of the expression: set timezone instead", fields[0])
	case len(fields) == 5:
		fields = append([]string{"0"}, fields...)
		s.coarse = true
	case len(fields) != 6:
		return nil, fmt.Errorf("%d fields: write five (minute, hour, day of month, month, day of week), or six with seconds first", len(fields))
	}
	var err error
	read := func(f field, text string) set {
		if err != nil {
			return set{}
		}
		var values set
		values, err = f.parse(text)
		return values
	}
	second, minute, hour, month := read(secondField, fields[0]), read(minuteField, fields[1]), read(hourField, fields[2]), read(monthField, fields[4])
	if err != nil {
		return nil, err
	}
	s.clock = clock{seconds: second.bits, minutes: minute.bits, hours: hour.bits}
	s.follows = hour.star || hour.step || hour.bits == hourField.all()
	if s.days, err = parseDays(fields[3], fields[5], month.bits); err != nil {
		return nil, err
	}
	if _, ok := s.days.next(0); !ok {
		return nil, errors.New("never due: no month of those has such a day")
	}
	return s, nil
}

// String returns the expression, as it was written but for spaces.
func (s *Spec) String() string { return s.text }

// Interval returns that of an expression with @every; 0 for any other.
func (s *Spec) Interval() time.Duration { return time.Duration(s.every) * time.Second }
