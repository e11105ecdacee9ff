package workflows

import (
	"fmt"
	"hash/fnv"
	"time"

	"github.com/attune-automation/sensors/internal/sensor"
)

// nextPoll returns the first moment after now on the sensor's own grid: every interval, shifted by a phase that the ref
// decides, so that a fleet does not poll all at once. A poll that overran its interval skips the moments it missed.
func nextPoll(now time.Time, interval time.Duration, ref string) time.Time {
	phase := time.Duration(hash(ref) % uint64(interval))
	since := time.Duration(now.Add(-phase).UnixNano() % int64(interval))
	return now.Add(interval - since)
}

// backoff returns how long to wait before the given attempt, counted from 1: nothing before the first, then the
// sensor's back-off doubling up to its limit, less up to a quarter by ref and attempt.
func backoff(spec sensor.Spec, attempt int) time.Duration {
	if attempt <= 1 || spec.RestartBackoff <= 0 {
		return 0
	}
	d := spec.RestartBackoff
	for i := 2; i < attempt && d < spec.MaxRestartBackoff; i++ {
		d *= 2
	}
	d = min(d, max(spec.MaxRestartBackoff, spec.RestartBackoff))
	return d - time.Duration(hash(fmt.Sprintf("%s/%d", spec.Ref, attempt))%uint64(d/4+1))
}

// Bounds of lookAgain.
const (
	minLook = time.Second
	maxLook = 30 * time.Second
)

// lookAgain returns when to try again to run code that waits for something: after the given time, and the longer it
// has waited the more seldom. 0 means at once, but never without any pause.
func lookAgain(after, waited time.Duration) time.Duration {
	if after > 0 {
		after = max(after, min(waited/10, maxLook))
	}
	return max(after, minLook)
}

// The length of a history at which a run continues as new: between 500 and 1,000 events, different for each sensor so
// that a fleet started together does not turn over together.
const (
	minHistory    = 500
	historySpread = 500
)

// streamFactor is how many times longer the history of a stream may be.
const streamFactor = 8

func historyLimit(ref string) int { return minHistory + int(hash(ref)%historySpread) }

func hash(s string) uint64 {
	h := fnv.New64a()
	h.Write([]byte(s)) //nolint:errcheck // a hash never fails to write
	return h.Sum64()
}

func clock(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }
