package pack

import (
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/attune-automation/sensors/internal/size"
)

// The bounds of quantities, as those of the settings that they replace.
const (
	day         = 24 * time.Hour
	minDuration = 100 * time.Millisecond
	maxInterval = 365 * day
	maxTimeout  = day
	minTTL      = time.Minute
	maxTTL      = 10 * 365 * day
	minCPU      = time.Second
	maxCPU      = day

	minMemory = 16 * size.MiB
	minOutput = size.KiB
	maxSize   = size.TiB

	minOpenFiles = 16
	maxOpenFiles = 1_000_000
	maxProcesses = 100_000
	maxAttempts  = 1<<31 - 1
	maxPriority  = 1_000_000
)

// count returns a whole number from least to most; 0 if the key is absent.
func (s section) count(key string, least, most int) int {
	n, ok := s.value(key)
	if !ok {
		return 0
	}
	v, err := strconv.ParseInt(n.Value, 10, 64)
	switch {
	case n.Kind != yaml.ScalarNode || n.Style != 0 || err != nil || v > maxAttempts || v < int64(least) && most == maxAttempts:
		s.report(key, "got %s: write a whole number of at least %d", describe(n), least)
	case v < int64(least) || v > int64(most):
		s.report(key, "%s is out of bounds: write a whole number from %d to %d", n.Value, least, most)
	default:
		return int(v)
	}
	return 0
}

// duration returns a duration of whole milliseconds between least and most; 0 if the key is absent.
func (s section) duration(key string, least, most time.Duration) time.Duration {
	n, ok := s.value(key)
	if !ok {
		return 0
	}
	d, err := time.ParseDuration(n.Value)
	switch {
	case n.Kind == yaml.ScalarNode && decimal.MatchString(n.Value):
		s.report(key, "%s has no unit: write a duration such as 30s, 5m or 1h30m", n.Value)
	case n.Kind != yaml.ScalarNode || err != nil:
		s.report(key, "got %s: write a duration such as 30s, 5m or 1h30m", describe(n))
	case d < least || d > most:
		s.report(key, "%s is out of bounds: write a duration from %s to %.0fh", n.Value,
			strings.Replace(least.String(), "m0s", "m", 1), most.Hours())
	case d%time.Millisecond != 0:
		s.report(key, "%s is finer than a millisecond: write whole milliseconds", n.Value)
	default:
		return d
	}
	return 0
}

// size returns a number of bytes between least and most; 0 if the key is absent.
func (s section) size(key string, least, most int64) int64 {
	n, ok := s.value(key)
	if !ok {
		return 0
	}
	if n.Kind != yaml.ScalarNode {
		s.report(key, "got %s: write a size such as 512MiB", describe(n))
		return 0
	}
	v, err := size.Parse(n.Value)
	switch {
	case err != nil:
		s.report(key, "%s %v", describe(n), err)
	case v < least || v > most:
		s.report(key, "%s is out of bounds: write a size from %s to %s", n.Value, size.Format(least), size.Format(most))
	default:
		return v
	}
	return 0
}
