package throttle

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/attune-automation/sensors/internal/condition"
	"github.com/attune-automation/sensors/internal/typo"
)

// Problem is one thing that is wrong with a throttle.
type Problem struct {
	Path    string // such as .group_by[0]
	Message string // what is wrong, and what to do
}

// Problems is everything that is wrong with a throttle. It is an error.
type Problems []Problem

// Error lists the problems, one a line.
func (p Problems) Error() string {
	lines := make([]string, len(p))
	for i, problem := range p {
		lines[i] = problem.Path + ": " + problem.Message
	}
	return strings.Join(lines, "\n")
}

func (p *Problems) report(path, format string, args ...any) {
	*p = append(*p, Problem{path, fmt.Sprintf(format, args...)})
}

var keys = []string{"once_within", "once_after", "at_least", "within", "group_by"}

const shape = "write {once_within: 15m}, {once_after: 5m} or {at_least: 5, within: 10m}, and group_by if not all matches are one group"

// Parse reads the throttle of a rule: {"once_within": "15m", "group_by": ["payload.host"]}. Nothing, or null, is none. The
// error is Problems.
func Parse(raw json.RawMessage) (*Throttle, error) {
	if len(raw) == 0 || string(raw) == "null" {
		return nil, nil
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(raw, &members); err != nil || members == nil {
		return nil, Problems{{"", "want keys and values: " + shape}}
	}
	var p Problems
	for _, key := range slices.Sorted(maps.Keys(members)) {
		if !slices.Contains(keys, key) {
			p.report("."+key, "unknown key: %s", suggest(key))
		}
	}
	t := p.kind(members)
	t.By = ParseGroupBy(members["group_by"], ".group_by", &p)
	if len(p) > 0 {
		return nil, p
	}
	return t, nil
}

func suggest(key string) string {
	if near := typo.Closest(key, keys); near != "" {
		return fmt.Sprintf("did you mean %q?", near)
	}
	return "a throttle has " + strings.Join(keys, ", ")
}

func (p *Problems) kind(members map[string]json.RawMessage) *Throttle {
	t := &Throttle{}
	for _, kind := range []Kind{OnceWithin, OnceAfter, AtLeast} {
		switch _, there := members[string(kind)]; {
		case there && t.Kind != "":
			p.report("."+string(kind), "%s is there too: keep one of them", t.Kind)
		case there:
			t.Kind = kind
		}
	}
	within, isThere := members["within"]
	switch t.Kind {
	case "":
		p.report("", "once_within, once_after and at_least are all missing: %s", shape)
	case AtLeast:
		t.Count = p.count(members[string(AtLeast)])
		if !isThere {
			p.report("", "within is missing: write how long a time the matches may be apart, such as within: 10m")
			return t
		}
		t.Span = p.span(".within", within)
	default:
		t.Span = p.span("."+string(t.Kind), members[string(t.Kind)])
		if isThere {
			p.report(".within", "is for at_least: leave it out, %s has its time already", t.Kind)
		}
	}
	return t
}

func (p *Problems) count(raw json.RawMessage) int {
	n, err := strconv.Atoi(string(raw))
	if err != nil || n < MinCount || n > MaxCount {
		p.report(".at_least", "got %s: write a whole number from %d to %d", shorten(raw), MinCount, MaxCount)
	}
	return n
}

func (p *Problems) span(path string, raw json.RawMessage) time.Duration {
	return ParseSpan(raw, path, p)
}

// ParseSpan reads how long something takes, and reports at the path what is wrong with it.
func ParseSpan(raw json.RawMessage, path string, p *Problems) time.Duration {
	const remedy = "write a duration such as 90s, 15m, 1h30m or 7d"
	var text string
	if err := json.Unmarshal(raw, &text); err != nil || text == "" {
		p.report(path, "got %s: %s", shorten(raw), remedy)
		return 0
	}
	d, err := condition.ParseDuration(text)
	switch {
	case err != nil:
		p.report(path, "%v", err)
	case d < MinSpan || d > MaxSpan:
		p.report(path, "%s is out of bounds: write a duration from %s to %s", text, Text(MinSpan), Text(MaxSpan))
	case d%time.Millisecond != 0:
		p.report(path, "%s is finer than a millisecond: write whole milliseconds", text)
	}
	return d
}

// shorten shows a JSON value in a message.
func shorten(raw json.RawMessage) string {
	const most = 40
	if runes := []rune(string(raw)); len(runes) > most {
		return string(runes[:most]) + "..."
	}
	return string(raw)
}
