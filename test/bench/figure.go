package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"slices"
	"strconv"
)

// figures is where the figures of all benchmarks are kept, by name.
const figures = ".dev/bench.json"

// record adds a figure to the file, in one step.
func record(name string, value float64) error {
	all := map[string]float64{}
	text, err := os.ReadFile(figures)
	if err == nil {
		err = json.Unmarshal(text, &all)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("reading the figures so far: %w", err)
	}
	all[name] = value
	if text, err = json.MarshalIndent(all, "", "  "); err != nil {
		return fmt.Errorf("recording %s: %w", name, err)
	}
	if err := os.WriteFile(figures+".new", append(text, '\n'), 0o644); err != nil {
		return fmt.Errorf("recording %s: %w", name, err)
	}
	return os.Rename(figures+".new", figures)
}

// significant writes a number with three significant digits, or all that stand before the point.
func significant(v float64) string {
	digits := 2
	if v != 0 {
		digits -= int(math.Floor(math.Log10(math.Abs(v))))
	}
	return strconv.FormatFloat(v, 'f', max(digits, 0), 64)
}

// quantile returns the smallest of the values that is at least as large as the given share of them.
func quantile(values []float64, share float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[max(int(math.Ceil(share*float64(len(sorted))))-1, 0)]
}

func median(values []float64) float64 { return quantile(values, 0.5) }
