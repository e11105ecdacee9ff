// Package timer is the runtime core.timer: sensors that are due at instants that their config says, by cron expressions,
// intervals and single moments, in any number and in any time zone.
//
// All but the Runner is pure: what is due follows from the config, the cursor and the time. The cursor says up to when
// everything is handled, so a tick that was missed, because nobody polled in the meantime, is known by being older than
// that a poll can be late, whatever the reason was.
package timer

import (
	"hash/fnv"
	"strconv"
	"time"

	"github.com/attune-automation/sensors/internal/cron"
)

// CatchUp says what becomes of ticks that were missed.
type CatchUp string

// What may become of ticks that were missed.
const (
	CatchUpAll  CatchUp = "all"  // each fires
	CatchUpLast CatchUp = "last" // the last of each schedule fires
	CatchUpNone CatchUp = "none" // none fires
)

// Timer is what the config of a sensor says, defaults applied. It is immutable.
type Timer struct {
	Schedules     []Schedule
	CatchUp       CatchUp
	CatchUpWindow time.Duration // a tick that was missed longer ago does not fire
	Jitter        time.Duration // each tick fires up to so much later, by sensor and tick
}

// due returns when the tick of a sensor is to fire: at its instant, or by a share of the jitter later that is the same
// wherever and whenever it is computed.
func (t *Timer) due(ref string, tick time.Time) time.Time {
	if t.Jitter <= 0 {
		return tick
	}
	h := fnv.New64a()
	h.Write([]byte(ref + "@" + strconv.FormatInt(tick.Unix(), 10))) //nolint:errcheck // a hash never fails to write
	const share = 1 << 20                                           // FNV's high bits hardly differ between ticks: fold them
	sum := h.Sum64()
	sum ^= sum >> 32
	return tick.Add(time.Duration(float64(t.Jitter) * float64(sum%share) / share)).Truncate(time.Millisecond)
}

// series is instants in order.
type series interface {
	// Next returns the first of them after the given one; false if there is none.
	Next(after time.Time) (time.Time, bool)
}

// Schedule is one series of ticks of a timer.
type Schedule struct {
	Name     string // as the config names it, or else its expression
	Timezone string // IANA name
	Once     bool   // it has a single tick

	series   series
	id       string // the same for as long as the ticks are, see Parse
	location *time.Location
	start    time.Time // no tick before it; zero: any
	end      time.Time // no tick after it; zero: any
	excluded []exclusion
}

// cronSeries is the instants of a cron expression in a zone.
type cronSeries struct {
	spec *cron.Spec
	zone cron.Zone
}

// Next returns the first instant after the given one.
func (c cronSeries) Next(after time.Time) (time.Time, bool) { return c.spec.Next(after, c.zone) }

// moment is a single instant.
type moment time.Time

// Next returns the instant if it is after the given one.
func (m moment) Next(after time.Time) (time.Time, bool) {
	return time.Time(m), time.Time(m).After(after)
}

// maxExclusions bounds how many stretches of excluded time a search goes through before it gives up.
const maxExclusions = 50_000

// Next returns the first tick after the given instant; false if there is none, or if none was found between all that is
// excluded.
func (s Schedule) Next(after time.Time) (time.Time, bool) {
	if !s.start.IsZero() && after.Before(s.start) {
		after = s.start.Add(-1)
	}
	for range maxExclusions {
		tick, ok := s.series.Next(after)
		if !ok || !s.end.IsZero() && tick.After(s.end) {
			return time.Time{}, false
		}
		until, excluded := s.excludedUntil(tick)
		if !excluded {
			return tick, true
		}
		after = until.Add(-1)
	}
	return time.Time{}, false
}

// last returns the last tick after one instant and not after another; false if there is none.
func (s Schedule) last(after, until time.Time) (tick time.Time, ok bool) {
	next := func(t time.Time) (time.Time, bool) {
		n, ok := s.Next(t)
		return n, ok && !n.After(until)
	}
	if tick, ok = next(after); !ok {
		return tick, false
	}
	high := until // no tick is after it
	for {
		following, ok := next(tick)
		if !ok || following.After(high) {
			return tick, true
		}
		tick = following
		middle := tick.Add(high.Sub(tick) / 2)
		if following, ok = next(middle); ok && !following.After(high) {
			tick = following
		} else {
			high = middle
		}
	}
}
