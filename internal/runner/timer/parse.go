package timer

import (
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/attune-automation/sensors/internal/cron"
	"github.com/attune-automation/sensors/internal/schema"
	"github.com/attune-automation/sensors/internal/sensor"
)

// The defaults and bounds of what a config says.
const (
	defaultWindow = time.Hour
	maxWindow     = 366 * 24 * time.Hour
	maxJitter     = 24 * time.Hour
)

//go:embed config.schema.json
var configSchema []byte

var compiledSchema = sync.OnceValues(func() (*schema.Schema, error) { return schema.Compile("config", configSchema) })

// document is a config as it is written.
type document struct {
	scheduleDocument
	Schedules     []scheduleDocument `json:"schedules"`
	CatchUp       CatchUp            `json:"catch_up"`
	CatchUpWindow any                `json:"catch_up_window"`
	Jitter        any                `json:"jitter"`
}

// Parse reads a config. The error is sensor.ConfigProblems, with all that is wrong. A schedule without any tick is one of
// them.
func Parse(config json.RawMessage) (*Timer, error) {
	doc, err := read(config)
	broken, known := errors.AsType[sensor.ConfigProblems](err)
	if err != nil && !known {
		return nil, err
	}
	var p problems
	t := &Timer{CatchUp: doc.CatchUp, CatchUpWindow: defaultWindow}
	if t.CatchUp == "" {
		t.CatchUp = CatchUpLast
	}
	if doc.CatchUpWindow != nil {
		t.CatchUpWindow = p.duration(doc.CatchUpWindow, maxWindow, "catch_up_window")
	}
	if doc.Jitter != nil {
		t.Jitter = p.duration(doc.Jitter, maxJitter, "jitter")
	}
	t.Schedules = p.schedules(doc)
	if all := broken.And(sensor.ConfigProblems(p)); len(all) > 0 {
		return nil, all
	}
	return t, nil
}

// Past returns what of a config is over by now, so that it will never be due, or not any more: more likely a slip in the
// year than a wish. A config that Parse refuses has none.
func Past(config json.RawMessage, now time.Time) sensor.ConfigProblems {
	t, err := Parse(config)
	if err != nil {
		return nil
	}
	doc, err := read(config)
	if err != nil {
		return nil
	}
	var p problems
	for i, s := range t.Schedules {
		var path []string
		own := doc.scheduleDocument
		if doc.Schedules != nil {
			path, own = []string{"schedules", strconv.Itoa(i)}, doc.Schedules[i]
		}
		if _, due := s.Next(now); due {
			continue
		}
		key, text := "at", own.At
		switch {
		case s.Once:
		case own.End != "":
			key, text = "end", own.End
		default: // that of the config as a whole, or what start and exclude leave of it
			path, key, text = nil, "end", doc.End
		}
		if text != "" {
			message := text + " is over: it will not be due any more"
			if _, missed := s.Next(now.Add(-t.CatchUpWindow - 1)); missed {
				message += "; a tick of the last catch_up_window may still fire"
			}
			p.addOnce(message, append(path, key)...)
		}
	}
	return sensor.ConfigProblems(p)
}

// read decodes a config. What is wrong with it is sensor.ConfigProblems, and the rest is decoded.
func read(config json.RawMessage) (doc document, err error) {
	s, err := compiledSchema()
	if err != nil {
		return doc, err
	}
	err = s.Decode(config, &doc)
	return doc, err
}

// problems collects what is wrong.
type problems sensor.ConfigProblems

func (p *problems) add(message string, path ...string) {
	*p = append(*p, sensor.ConfigProblem{Path: path, Message: message})
}

// addOnce adds a problem with a place that has none yet.
func (p *problems) addOnce(message string, path ...string) {
	if !slices.ContainsFunc(*p, func(known sensor.ConfigProblem) bool { return slices.Equal(known.Path, path) }) {
		p.add(message, path...)
	}
}

// duration reads a text such as 90s or 1d.
func (p *problems) duration(value any, most time.Duration, path ...string) time.Duration {
	text, ok := value.(string)
	if !ok {
		p.add(fmt.Sprintf("%v has no unit: write a duration such as %vs or 15m", value, value), path...)
		return 0
	}
	d, err := cron.ParseEvery(text)
	if err == nil && d > most {
		err = fmt.Errorf("%q is too long: write at most %.0fh", text, most.Hours())
	}
	if err != nil {
		p.add(err.Error(), path...)
	}
	return d
}

// schedules reads the list of schedules, or the only one, which is beside the settings.
func (p *problems) schedules(doc document) []Schedule {
	if doc.Schedules == nil {
		return []Schedule{p.schedule(doc.scheduleDocument, scheduleDocument{})}
	}
	for _, kind := range doc.kinds() {
		p.add("schedules is there too: move this into the list", kind)
	}
	if doc.Anchor != "" {
		p.add("it belongs to one interval: move it into the list", "anchor")
	}
	all := make([]Schedule, len(doc.Schedules))
	names := map[string]bool{}
	for i, own := range doc.Schedules {
		path := []string{"schedules", strconv.Itoa(i)}
		all[i] = p.schedule(own, doc.scheduleDocument, path...)
		if names[own.Name] && own.Name != "" {
			p.add(fmt.Sprintf("%q is the name of another one: choose another name", own.Name), append(path, "name")...)
		}
		names[own.Name] = true
	}
	return all
}
