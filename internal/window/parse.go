package window

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/attune-automation/sensors/internal/cron"
)

// Problem is one thing that is wrong with a list of windows.
type Problem struct {
	Path    string // such as [0].days
	Message string // what is wrong, and what to do
}

// Problems is everything that is wrong with a list of windows. It is an error.
type Problems []Problem

// Error lists the problems, one a line.
func (p Problems) Error() string {
	lines := make([]string, len(p))
	for i, problem := range p {
		lines[i] = problem.Path + ": " + problem.Message
	}
	return strings.Join(lines, "\n")
}

// keys are those of a window.
var keys = []string{"days", "from", "to", "timezone"}

// Parse reads a JSON list of windows: [{"days": "mon-fri", "from": "09:00", "to": "17:00", "timezone": "Europe/Berlin"}].
// All keys may be left out: all days, from 00:00 to 24:00, UTC. A window whose end is before its beginning ends on the
// next day. The error is Problems.
func Parse(raw json.RawMessage) (Windows, error) {
	var p parser
	if len(raw) == 0 {
		return Windows{}, nil
	}
	var list []json.RawMessage
	if err := json.Unmarshal(raw, &list); err != nil || list == nil {
		return Windows{}, Problems{{"", "want a list of windows: write [{days: mon-fri, from: \"09:00\", to: \"17:00\", timezone: Europe/Berlin}]"}}
	}
	if len(list) > MaxWindows {
		return Windows{}, Problems{{"", fmt.Sprintf("%d windows: at most %d are allowed", len(list), MaxWindows)}}
	}
	var windows Windows
	for i, item := range list {
		windows.list = append(windows.list, p.window(fmt.Sprintf("[%d]", i), item))
	}
	if len(p.problems) > 0 {
		return Windows{}, p.problems
	}
	return windows, nil
}

// parser collects what is wrong.
type parser struct{ problems Problems }

func (p *parser) report(path, format string, args ...any) {
	p.problems = append(p.problems, Problem{path, fmt.Sprintf(format, args...)})
}

func (p *parser) window(path string, raw json.RawMessage) window {
	fields, err := members(raw)
	if err != nil {
		p.report(path, "want a window: write {days: mon-fri, from: \"09:00\", to: \"17:00\", timezone: Europe/Berlin}")
		return window{}
	}
	if len(fields) == 0 {
		p.report(path, "is empty: write days, from, to or timezone, or remove it")
	}
	values := map[string]string{"days": "sun-sat", "from": "00:00", "to": "24:00", "timezone": "UTC"}
	for _, f := range fields {
		text, ok := f.text()
		switch {
		case !slices.Contains(keys, f.key):
			p.report(path+"."+f.key, "unknown key: a window has %s", strings.Join(keys, ", "))
		case !ok:
			p.report(path+"."+f.key, "want a text, got %s: %s", abbreviate(string(f.value)), remedies[f.key])
		default:
			values[f.key] = text
		}
	}
	w := window{
		days: p.days(path+".days", values["days"]),
		from: p.clock(path+".from", values["from"]), to: p.clock(path+".to", values["to"]),
		zone: p.zone(path+".timezone", values["timezone"]),
	}
	if w.from >= 0 && w.from == w.to || w.from == minutesOfDay {
		p.report(path+".to", "a window from %s to %s is empty: write from 00:00 to 24:00 for a whole day", values["from"], values["to"])
	}
	w.text = fmt.Sprintf("%s %s-%s %s", values["days"], values["from"], values["to"], values["timezone"])
	return w
}

// remedies say what to write for a key that has no text.
var remedies = map[string]string{
	"days": daysRemedy, "from": clockRemedy, "to": clockRemedy, "timezone": zoneRemedy,
}

// member is a key of an object with its value.
type member struct {
	key   string
	value json.RawMessage
}

// text returns the value, which must be a text. Days may also be a list of them.
func (m member) text() (string, bool) {
	if m.key == "days" {
		var list []string
		if err := json.Unmarshal(m.value, &list); err == nil && list != nil {
			return strings.Join(list, ","), true
		}
	}
	var text *string
	if err := json.Unmarshal(m.value, &text); err != nil || text == nil {
		return "", false
	}
	return *text, true
}

// members returns the keys of an object in their order.
func members(raw json.RawMessage) ([]member, error) {
	decoder := json.NewDecoder(bytes.NewReader(raw))
	token, err := decoder.Token()
	if err != nil || token != json.Delim('{') {
		return nil, fmt.Errorf("want an object, got %v: %w", token, io.ErrUnexpectedEOF)
	}
	var list []member
	for decoder.More() {
		token, err := decoder.Token()
		if err != nil {
			return nil, err
		}
		var value json.RawMessage
		if err := decoder.Decode(&value); err != nil {
			return nil, err
		}
		list = append(list, member{token.(string), value})
	}
	return list, nil
}

const clockRemedy = `write a time of day such as "09:00", in quotes`

// clock returns minutes from the beginning of the day, and -1 for what is no time.
func (p *parser) clock(path, text string) int {
	hours, minutes, ok := strings.Cut(text, ":")
	h, errHours := strconv.ParseUint(hours, 10, 8)
	m, errMinutes := strconv.ParseUint(minutes, 10, 8)
	if !ok || errHours != nil || errMinutes != nil || len(hours) > 2 || len(minutes) != 2 || m > 59 || h*60+m > minutesOfDay {
		p.report(path, "%s is no time of day: %s", abbreviate(text), clockRemedy)
		return -1
	}
	return int(h*60 + m)
}

const zoneRemedy = "write a name of the IANA database, such as Europe/Berlin or UTC"

// zone takes IANA names alone, as timers do: Local is another one on each host.
func (p *parser) zone(path, name string) *time.Location {
	zone, err := cron.LoadLocation(name)
	if err != nil {
		p.report(path, "unknown time zone %s: %s", abbreviate(name), zoneRemedy)
		return time.UTC
	}
	return zone
}

const daysRemedy = "write days such as mon-fri, or sat,sun"

var dayNames = []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}

// days reads days and ranges of days, which may go over the end of the week.
func (p *parser) days(path, text string) (days [7]bool) {
	for item := range strings.SplitSeq(text, ",") {
		first, last, span := strings.Cut(strings.TrimSpace(item), "-")
		from, to := weekday(first), weekday(last)
		if !span {
			to = from
		}
		if from < 0 || to < 0 {
			p.report(path, "%s is no day of the week: %s", abbreviate(item), daysRemedy)
			return days
		}
		for day := from; ; day = (day + 1) % 7 {
			days[day] = true
			if day == to {
				break
			}
		}
	}
	return days
}

// weekday knows days by their first three letters and by their whole name; -1: it is none.
func weekday(name string) int {
	name = strings.ToLower(strings.TrimSpace(name))
	for i, short := range dayNames {
		if name == short || name == strings.ToLower(time.Weekday(i).String()) {
			return i
		}
	}
	return -1
}

// abbreviate quotes a text for a message.
func abbreviate(text string) string {
	const most = 40
	if runes := []rune(text); len(runes) > most {
		text = string(runes[:most]) + "..."
	}
	return strconv.Quote(text)
}
