package cron

import (
	"fmt"
	"math/bits"
	"strings"
	"time"
)

// days are the days that an expression is due on. Bit 0 of a set of days of a month is the first.
type days struct {
	months     uint64    // bit 1: January
	dates      uint32    // days of the month
	before     uint32    // bit n: n days before the last of the month
	near       uint32    // the weekday nearest to a day
	nearBefore uint32    // the weekday nearest to n days before the last
	weekdays   uint32    // bit 0: Sunday
	last       uint32    // bit 0: the last Sunday of the month
	nth        [6]uint32 // bit 0 of nth[n]: the n-th Sunday
	either     bool      // a match of one field is enough
}

// parseDays reads the fields of days.
func parseDays(dates, weekdays string, months uint64) (days, error) {
	dates, weekdays = strings.ReplaceAll(dates, "?", "*"), strings.ReplaceAll(weekdays, "?", "*")
	d := days{months: months, either: dates[0] != '*' && weekdays[0] != '*'}
	for item := range strings.SplitSeq(dates, ",") {
		if err := d.addDate(item); err != nil {
			return days{}, err
		}
	}
	for item := range strings.SplitSeq(weekdays, ",") {
		if err := d.addWeekday(item); err != nil {
			return days{}, err
		}
	}
	return d, nil
}

// addDate adds an item of the field of days of the month.
func (d *days) addDate(item string) error {
	upper := strings.ToUpper(item)
	day, near := strings.CutSuffix(upper, "W")
	switch {
	case strings.HasPrefix(day, "L"):
		n, err := beforeLast(item, day[1:])
		if near {
			d.nearBefore |= 1 << n
		} else {
			d.before |= 1 << n
		}
		return err
	case near:
		n, err := dayField.value(day)
		if err != nil {
			return fmt.Errorf("%w, L, or one of them with W", err)
		}
		d.near |= 1 << (n - 1)
		return nil
	}
	s := set{}
	if err := dayField.add(&s, item); err != nil {
		return err
	}
	d.dates |= uint32(s.bits >> 1) //nolint:gosec // days of a month are 31 bits
	return nil
}

// beforeLast reads what follows L: nothing, or - and a number of days.
func beforeLast(item, text string) (int, error) {
	if text == "" {
		return 0, nil
	}
	number, ok := strings.CutPrefix(text, "-")
	n, err := field{name: dayField.name, max: 30}.value(number)
	if !ok || err != nil {
		return 0, fmt.Errorf("%s: got %q: write L for the last day, L-3 for three days before it, or LW for the last weekday", dayField.name, item)
	}
	return n, nil
}

// addWeekday adds an item of the field of days of the week.
func (d *days) addWeekday(item string) error {
	day, number, nth := strings.Cut(item, "#")
	if nth {
		weekday, err := weekdayField.value(day)
		if err != nil {
			return err
		}
		n, err := field{name: weekdayField.name + " after #", min: 1, max: 5}.value(number)
		if err != nil {
			return err
		}
		d.nth[n] |= 1 << (weekday % 7)
		return nil
	}
	if day, last := cutLast(item); last {
		if day == "" {
			return fmt.Errorf("%s: L alone says no day: write FRIL or 5L for the last Friday of the month", weekdayField.name)
		}
		weekday, err := weekdayField.value(day)
		if err != nil {
			return err
		}
		d.last |= 1 << (weekday % 7)
		return nil
	}
	s := set{}
	if err := weekdayField.add(&s, item); err != nil {
		return err
	}
	d.weekdays |= uint32(s.bits) //nolint:gosec // days of a week are 7 bits
	return nil
}

func cutLast(item string) (day string, last bool) {
	if day, last = strings.CutSuffix(item, "L"); !last {
		day, last = strings.CutSuffix(item, "l")
	}
	return day, last
}

// searched is how many months are searched for a day: after 400 years the calendar begins anew.
const searched = 400*12 + 1

// next returns the first day that is due, of the given one and those that follow. Days count from 1970-01-01.
func (d *days) next(day int64) (int64, bool) { return d.search(day, 0) }

// nextOff returns the first day that is not due, of the given one and those that follow.
func (d *days) nextOff(day int64) (int64, bool) { return d.search(day, ^uint32(0)) }

// due says whether a day is due.
func (d *days) due(day int64) bool {
	year, month, date := time.Unix(day*daySeconds, 0).UTC().Date()
	due := d.in(int(month), monthLength(year, int(month)), day-int64(date-1))
	return due>>(date-1)&1 == 1
}

// search returns the first day whose bit differs from that in the mask.
func (d *days) search(day int64, mask uint32) (int64, bool) {
	year, month, date := time.Unix(day*daySeconds, 0).UTC().Date()
	first, m := day-int64(date-1), int(month)
	before := uint32(1)<<(date-1) - 1
	for range searched {
		length := monthLength(year, m)
		due := d.in(m, length, first)
		if found := (due ^ mask) &^ before & (1<<length - 1); found != 0 {
			return first + int64(bits.TrailingZeros32(found)), true
		}
		first, before = first+int64(length), 0
		if m++; m > 12 {
			year, m = year+1, 1
		}
	}
	return 0, false
}

// in returns the days that are due in a month of the given length, whose first day is the given one.
func (d *days) in(month, length int, first int64) uint32 {
	if d.months>>month&1 == 0 {
		return 0
	}
	opens := int(modulo(first+4, 7)) // 1970-01-01 was a Thursday
	dates, weekdays := d.datesIn(length, opens), d.weekdaysIn(length, opens)
	if d.either {
		return dates | weekdays
	}
	return dates & weekdays
}

// datesIn applies the field of days of the month to a month that begins with the given weekday.
func (d *days) datesIn(length, opens int) uint32 {
	due := d.dates & (1<<length - 1)
	if d.before|d.near|d.nearBefore == 0 {
		return due
	}
	near := d.near & (1<<length - 1)
	for n := range length {
		day := 1 << (length - 1 - n)
		if d.before>>n&1 == 1 {
			due |= uint32(day) //nolint:gosec // one of 31 bits
		}
		if d.nearBefore>>n&1 == 1 {
			near |= uint32(day) //nolint:gosec // one of 31 bits
		}
	}
	for ; near != 0; near &= near - 1 {
		due |= 1 << nearestWeekday(bits.TrailingZeros32(near), length, opens)
	}
	return due
}

// nearestWeekday returns the day from Monday to Friday that is nearest to the given one and in the same month. Days
// count from 0.
func nearestWeekday(day, length, opens int) int {
	switch time.Weekday((opens + day) % 7) {
	case time.Saturday:
		if day == 0 {
			return 2
		}
		return day - 1
	case time.Sunday:
		if day == length-1 {
			return day - 2
		}
		return day + 1
	default:
		return day
	}
}

// weekdaysIn applies the field of days of the week to a month that begins with the given weekday.
func (d *days) weekdaysIn(length, opens int) uint32 {
	due := weekly(d.weekdays, opens)
	for n := 1; n < len(d.nth); n++ {
		if d.nth[n] != 0 {
			due |= weekly(d.nth[n], opens) & (week << (7 * (n - 1)))
		}
	}
	if d.last != 0 {
		due |= weekly(d.last, opens) &^ (1<<(length-7) - 1)
	}
	return due & (1<<length - 1)
}

// week is a set of seven days.
const week = 1<<7 - 1

// weekly returns the days of those weekdays, in a month that begins with the given one.
func weekly(weekdays uint32, opens int) uint32 {
	turned := (weekdays>>opens | weekdays<<(7-opens)) & week
	return turned | turned<<7 | turned<<14 | turned<<21 | turned<<28
}

func monthLength(year, month int) int {
	switch {
	case month == 2 && year%4 == 0 && (year%100 != 0 || year%400 == 0):
		return 29
	case month == 2:
		return 28
	case month == 4 || month == 6 || month == 9 || month == 11:
		return 30
	}
	return 31
}
