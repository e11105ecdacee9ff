package cron

import "time"

// horizon is the last second that can be due: years have four digits.
var horizon = time.Date(9999, time.December, 31, 23, 59, 59, 0, time.UTC).Unix()

// within returns the instant if it is not beyond the horizon.
func within(unix int64) (time.Time, bool) {
	if unix > horizon {
		return time.Time{}, false
	}
	return time.Unix(unix, 0).UTC(), true
}

// Next returns the first instant after the given one at which the expression is due in the zone, in UTC; false if there
// is none before the year 10000.
func (s *Spec) Next(after time.Time, z Zone) (time.Time, bool) {
	if s.every > 0 {
		return Every{Interval: time.Duration(s.every) * time.Second}.Next(after)
	}
	from := after.Unix() + 1
	for from <= horizon {
		span := z.span(from)
		if unix, ok := s.nextIn(span, from, z); ok {
			return within(unix)
		}
		if span.end == forever {
			break
		}
		// From then on the clocks show no less than this, and what they show is due at most that much earlier.
		wall, ok := s.nextWall(span.end - maxOffset)
		if !ok {
			break
		}
		from = max(span.end, z.span(wall-maxOffset).start)
	}
	return time.Time{}, false
}

// nextIn returns the first instant in the span that is due, not before from.
func (s *Spec) nextIn(in span, from int64, z Zone) (int64, bool) {
	if in.start >= from && !s.follows && z.Gap != GapSkip && s.skipped(in, z) {
		return in.start, true
	}
	wall := max(from, in.start) + in.offset
	for {
		next, ok := s.nextWall(wall)
		if !ok || next >= in.wallEnd() {
			return 0, false
		}
		if s.follows {
			return next - in.offset, true
		}
		if wall = z.admit(in, next); wall == next {
			return next - in.offset, true
		}
	}
}

// admit returns the wall time if the span is the right one for it. If the clocks show it in another, which is the right
// one, admit returns the first that follows for which that may not be so.
func (z Zone) admit(in span, wall int64) int64 {
	switch z.Repeat {
	case RepeatBoth:
	case RepeatSecond:
		if other, ok := z.later(in, wall); ok {
			return other.wallEnd()
		}
	case RepeatFirst:
		fallthrough
	default:
		if other, ok := z.earlier(in, wall); ok {
			return other.wallEnd()
		}
	}
	return wall
}

// skipped says whether the clocks skipped a wall time that matches when the span began.
func (s *Spec) skipped(in span, z Zone) bool {
	if in.start == never {
		return false
	}
	wall, end := z.span(in.start-1).wallEnd(), in.start+in.offset
	for wall < end {
		next, ok := s.nextWall(wall)
		if !ok || next >= end {
			return false
		}
		other, ok := z.earlier(in, next)
		if !ok {
			other, ok = z.later(in, next)
		}
		if !ok {
			return true
		}
		wall = other.wallEnd()
	}
	return false
}

// Until says until when the clocks of the zone go on showing times that match, from the given instant on: at least until
// then. It is false if they do not show one now. Without a field of seconds, a minute that matches does so from its
// beginning to its end.
func (s *Spec) Until(at time.Time, z Zone) (end time.Time, matches bool) {
	whole, in := *s, z.span(at.Unix())
	if s.coarse {
		whole.clock.seconds = allSixty
	}
	wall := at.Unix() + in.offset
	off, ok := whole.nextOffWall(wall)
	switch {
	case s.every > 0 || ok && off == wall:
		return at, false
	case ok && off < in.wallEnd():
		return time.Unix(off-in.offset, 0).UTC(), true
	}
	return time.Unix(min(in.end, horizon+1), 0).UTC(), true
}
