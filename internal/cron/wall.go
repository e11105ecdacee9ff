package cron

import "math/bits"

const daySeconds = 24 * 60 * 60

// clock is the times of the day that an expression is due at: each is a bit a value.
type clock struct{ seconds, minutes, hours uint64 }

// allSixty is all seconds, or all minutes.
const allSixty = 1<<60 - 1

// due says whether a time of the day, in seconds, is due.
func (c clock) due(at int) bool {
	return (c.hours>>(at/3600))&(c.minutes>>(at/60%60))&(c.seconds>>(at%60))&1 == 1
}

// next returns the first time of the day, in seconds, that is due at or after the given one.
func (c clock) next(from int) (int, bool) {
	h, m, s := from/3600, from/60%60, from%60
	if c.hours>>h&1 == 1 {
		if c.minutes>>m&1 == 1 {
			if s, ok := from64(c.seconds, s); ok {
				return h*3600 + m*60 + s, true
			}
		}
		if m, ok := from64(c.minutes, m+1); ok {
			return h*3600 + m*60 + bits.TrailingZeros64(c.seconds), true
		}
	}
	h, ok := from64(c.hours, h+1)
	return h*3600 + bits.TrailingZeros64(c.minutes)*60 + bits.TrailingZeros64(c.seconds), ok
}

// nextOff returns the first time of the day, in seconds, that is not due at or after the given one.
func (c clock) nextOff(from int) (int, bool) {
	for t := from; t < daySeconds; {
		switch {
		case !c.due(t):
			return t, true
		case c.seconds != allSixty:
			t++
		case c.minutes != allSixty:
			t += 60 - t%60
		default:
			t += 3600 - t%3600
		}
	}
	return 0, false
}

// from64 returns the first bit that is set, at or after the given one.
func from64(set uint64, from int) (int, bool) {
	set = set >> from << from
	return bits.TrailingZeros64(set), set != 0
}

// A wall time is what a clock and a calendar show, in seconds since they showed 1970-01-01 00:00:00.

// nextWall returns the first wall time that matches, at or after the given one.
func (s *Spec) nextWall(from int64) (int64, bool) {
	time := modulo(from, daySeconds)
	from = (from - time) / daySeconds
	day, ok := s.days.next(from)
	if !ok {
		return 0, false
	}
	if day > from {
		time = 0
	}
	at, ok := s.clock.next(int(time))
	if !ok {
		if day, ok = s.days.next(day + 1); !ok {
			return 0, false
		}
		at, _ = s.clock.next(0)
	}
	return day*daySeconds + int64(at), true
}

// nextOffWall returns the first wall time that does not match, at or after the given one; false if there is none.
func (s *Spec) nextOffWall(from int64) (int64, bool) {
	time := modulo(from, daySeconds)
	day := (from - time) / daySeconds
	for s.days.due(day) {
		if at, ok := s.clock.nextOff(int(time)); ok {
			return day*daySeconds + int64(at), true
		}
		if _, ok := s.clock.nextOff(0); !ok { // whole days match
			off, ok := s.days.nextOff(day + 1)
			return off * daySeconds, ok
		}
		day, time = day+1, 0
	}
	return day*daySeconds + time, true
}
