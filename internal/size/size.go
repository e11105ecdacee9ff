// Package size reads and writes amounts of memory and data as people write them: 512MiB, 10MB, 1048576.
package size

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// The units, as numbers of bytes.
const (
	KiB int64 = 1 << 10
	MiB int64 = 1 << 20
	GiB int64 = 1 << 30
	TiB int64 = 1 << 40
)

type unit struct {
	name  string
	bytes int64
}

// units returns what Parse knows, and Format uses when it is a power of 1,024, largest first.
func units() []unit {
	return []unit{
		{"TiB", TiB}, {"GiB", GiB}, {"MiB", MiB}, {"KiB", KiB},
		{"TB", 1e12}, {"GB", 1e9}, {"MB", 1e6}, {"kB", 1e3}, {"KB", 1e3}, {"B", 1}, {"", 1},
	}
}

// Parse reads a whole number with a unit, powers of 1,024 (KiB, MiB, GiB, TiB) or of 1,000 (kB, MB, GB, TB), or of plain
// bytes. Its error goes on from the text, without quoting it: "has the unknown unit ...".
func Parse(text string) (int64, error) {
	digits := strings.TrimRight(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ ")
	name := strings.TrimSpace(text[len(digits):])
	n, err := strconv.ParseInt(digits, 10, 64)
	switch {
	case errors.Is(err, strconv.ErrRange):
		return 0, errors.New("is too large: no machine has that much")
	case err != nil || digits[0] == '+':
		return 0, errors.New("is not a size: write a whole number with its unit, such as 512MiB, 10MB or 1048576")
	}
	for _, u := range units() {
		if u.name != name {
			continue
		}
		if n > math.MaxInt64/u.bytes || n < math.MinInt64/u.bytes {
			return 0, errors.New("is too large: no machine has that much")
		}
		return n * u.bytes, nil
	}
	return 0, fmt.Errorf("has the unknown unit %q: write %sMiB, or another of B, KiB, MiB, GiB, kB, MB, GB", name, digits)
}

// Format writes bytes with the largest unit that leaves a whole number: 512MiB, 10485761B.
func Format(bytes int64) string {
	for _, u := range units() {
		if u.bytes%KiB == 0 && bytes != 0 && bytes%u.bytes == 0 {
			return strconv.FormatInt(bytes/u.bytes, 10) + u.name
		}
	}
	return strconv.FormatInt(bytes, 10) + "B"
}

// Approximate writes bytes for people, to about three digits: 14.2 MiB.
func Approximate(bytes int64) string {
	for _, u := range units() {
		if u.bytes%KiB == 0 && bytes >= u.bytes {
			return strconv.FormatFloat(float64(bytes)/float64(u.bytes), 'f', 1, 64) + " " + u.name
		}
	}
	return strconv.FormatInt(bytes, 10) + " B"
}
