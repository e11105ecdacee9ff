package cron

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// maxEvery is the longest interval.
const maxEvery = 100 * 366 * 24 * time.Hour

// units are those of an interval.
var units = map[string]time.Duration{
	"s": time.Second, "sec": time.Second,
	"m": time.Minute, "min": time.Minute,
	"h": time.Hour, "d": 24 * time.Hour, "w": 7 * 24 * time.Hour,
}

// ParseEvery reads an interval of whole seconds: numbers with the units s, m (or min), h, d and w, such as 90s, 15m,
// 1h30m or 2d. It is at least a second and at most a hundred years. A day is 24 hours, whatever the clocks do.
func ParseEvery(text string) (time.Duration, error) {
	d, err := parseUnits(text)
	switch {
	case err != nil:
		return 0, err
	case d < time.Second:
		return 0, fmt.Errorf("%q is too short: write at least 1s", text)
	case d > maxEvery:
		return 0, fmt.Errorf("%q is too long: write at most 36600d", text)
	}
	return d, nil
}

// errUnits says what an interval looks like.
var errUnits = errors.New("write numbers with the units s, m, h or d, such as 90s, 15m, 1h30m or 2d")

func parseUnits(text string) (total time.Duration, err error) {
	rest := text
	if rest == "" {
		return 0, fmt.Errorf("empty: %w", errUnits)
	}
	for rest != "" {
		digits := rest[:len(rest)-len(strings.TrimLeft(rest, "0123456789"))]
		rest = rest[len(digits):]
		unit := rest[:len(rest)-len(strings.TrimLeft(rest, "abcdefghijklmnopqrstuvwxyz"))]
		rest = rest[len(unit):]
		n, err := strconv.ParseInt(digits, 10, 64)
		size, known := units[unit]
		if err != nil || !known {
			return 0, fmt.Errorf("got %q: %w", text, errUnits)
		}
		if n > int64(maxEvery/size) {
			n = int64(maxEvery/size) + 1
		}
		total = min(total+time.Duration(n)*size, maxEvery+time.Second)
	}
	return total, nil
}

// Every is a series of instants, an interval apart.
type Every struct {
	Interval time.Duration // whole seconds, at least one
	Anchor   time.Time     // one of the instants, as any other would do; zero: 1970-01-01T00:00:00Z
}

// Next returns the first instant after the given one.
func (e Every) Next(after time.Time) (time.Time, bool) {
	var phase int64
	interval := int64(e.Interval / time.Second)
	if !e.Anchor.IsZero() {
		phase = modulo(e.Anchor.Unix(), interval)
	}
	since := after.Unix() - phase
	return within(since - modulo(since, interval) + interval + phase)
}

func modulo(a, b int64) int64 { return (a%b + b) % b }
