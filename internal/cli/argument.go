package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"
)

// read returns what an argument stands for: itself, the content of a file for @FILE, or the standard input for -.
func (s *session) read(name, argument string) ([]byte, error) {
	if argument == "-" {
		text, err := io.ReadAll(s.env.Stdin)
		if err != nil {
			return nil, fmt.Errorf("%s: reading the standard input: %w", name, err)
		}
		return text, nil
	}
	file, ok := strings.CutPrefix(argument, "@")
	if !ok {
		return []byte(argument), nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return text, nil
}

// readJSON is read for an argument that must be JSON.
func (s *session) readJSON(name, argument string) (json.RawMessage, error) {
	text, err := s.read(name, argument)
	if err != nil {
		return nil, err
	}
	var raw json.RawMessage
	if err := json.Unmarshal(text, &raw); err != nil {
		return nil, fmt.Errorf("%s is not JSON: %w: write JSON in single quotes, @FILE, or - for the standard input", name, err)
	}
	return raw, nil
}

// since is the value of --since: an RFC 3339 time, or how long ago.
type since struct{ time time.Time }

// String returns the time, or nothing.
func (v *since) String() string { return moment(v.time) }

// Type names the flag's type for cobra.
func (v *since) Type() string { return "time" }

// Set takes a time or a duration.
func (v *since) Set(text string) error {
	if ago, err := time.ParseDuration(text); err == nil && ago >= 0 {
		v.time = time.Now().Add(-ago)
		return nil
	}
	if days, err := strconv.ParseUint(strings.TrimSuffix(text, "d"), 10, 16); err == nil && strings.HasSuffix(text, "d") {
		v.time = time.Now().Add(-time.Duration(days) * 24 * time.Hour)
		return nil
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return errors.New("write a time such as 2026-01-31T08:00:00Z, or how long ago, such as 15m, 24h or 7d")
	}
	v.time = t
	return nil
}

// limit is the value of --limit.
type limit int

// String returns the number.
func (l *limit) String() string { return strconv.Itoa(int(*l)) }

// Type names the flag's type for cobra.
func (l *limit) Type() string { return "number" }

// Set takes a number of at least 1.
func (l *limit) Set(text string) error {
	n, err := strconv.ParseInt(text, 10, 32)
	if err != nil || n < 1 {
		return errors.New("write a whole number of at least 1")
	}
	*l = limit(n)
	return nil
}

// cut returns the first rows; all of them if there is no limit.
func cut[R any](rows []R, l limit) []R {
	if l > 0 && len(rows) > int(l) {
		return rows[:l]
	}
	return rows
}
