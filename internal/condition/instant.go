package condition

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// timeLayouts are what a time may look like besides RFC 3339, with any number of digits after the seconds. Without a zone
// it is UTC.
var timeLayouts = []string{time.RFC3339, "2006-01-02T15:04:05Z0700", "2006-01-02T15:04:05", "2006-01-02T15:04Z07:00", "2006-01-02"}

// parseTime reads a time. A blank or a small t may stand for the T, and a small z for the Z.
func parseTime(text string) (time.Time, bool) {
	const shortest, longest = len("2006-01-02"), 40
	if len(text) < shortest || len(text) > longest || text[0] < '0' || text[0] > '9' {
		return time.Time{}, false
	}
	if len(text) > shortest && (text[shortest] == ' ' || text[shortest] == 't') {
		text = text[:shortest] + "T" + text[shortest+1:]
	}
	if before, found := strings.CutSuffix(text, "z"); found {
		text = before + "Z"
	}
	for _, layout := range timeLayouts {
		if t, err := time.Parse(layout, text); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
}

// instant is the time that the value is: a text, or a number of seconds since 1970.
func (v Value) instant() (time.Time, bool) {
	switch v.kind() {
	case kindString:
		return parseTime(v.str())
	case kindNumber:
		return parseNumber(v.raw()).instant()
	default:
		return time.Time{}, false
	}
}

// instant reads the number as seconds since 1970, to the nanosecond; it is none after the year 9999 or so.
func (n number) instant() (time.Time, bool) {
	const mostDigits = 12
	if n.exponent > mostDigits {
		return time.Time{}, false
	}
	digits := n.head + n.tail
	whole := int(max(n.exponent, 0))
	if n.exponent < 0 {
		digits = strings.Repeat("0", int(min(-n.exponent, 9))) + digits
	}
	digits += strings.Repeat("0", max(whole+9-len(digits), 0))
	seconds, _ := strconv.ParseInt("0"+digits[:whole], 10, 64)
	nanoseconds, _ := strconv.ParseInt("0"+digits[whole:whole+9], 10, 64)
	if n.negative {
		seconds, nanoseconds = -seconds, -nanoseconds
	}
	return time.Unix(seconds, nanoseconds).UTC(), true
}

// durationUnits are the units of a duration.
var durationUnits = map[string]time.Duration{
	"ms": time.Millisecond, "s": time.Second, "m": time.Minute, "h": time.Hour, "d": 24 * time.Hour, "w": 7 * 24 * time.Hour,
}

const durationShape = "write one such as 90s, 15m, 1h30m, 7d or 2w"

// parseDuration reads numbers with units in a row, such as 1h30m. A day has 24 hours.
func parseDuration(text string) (time.Duration, error) {
	bad := fmt.Errorf("%s is not a duration: %s", abbreviate(text), durationShape)
	rest, total := text, time.Duration(0)
	for rest != "" || text == "" {
		digits := len(rest) - len(strings.TrimLeft(rest, "0123456789."))
		unit := rest[digits:]
		if i := strings.IndexAny(unit, "0123456789."); i >= 0 {
			unit = unit[:i]
		}
		scale, known := durationUnits[unit]
		count, err := strconv.ParseFloat(rest[:digits], 64)
		if !known || err != nil {
			return 0, bad
		}
		const longest = 100 * 365 * 24 * time.Hour
		if count*float64(scale) > float64(longest-total) {
			return 0, fmt.Errorf("%s is longer than 100 years", abbreviate(text))
		}
		total += time.Duration(count * float64(scale))
		rest = rest[digits+len(unit):]
	}
	return total, nil
}
