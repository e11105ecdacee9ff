package pack

import (
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/attune-automation/sensors/internal/runner/filewatch"
	"github.com/attune-automation/sensors/internal/runner/timer"
	"github.com/attune-automation/sensors/internal/runner/webhook"
	"github.com/attune-automation/sensors/internal/sensor"
)

// builtin is a runtime that is the worker's own: its sensors are their config.
type builtin struct {
	trigger func(config json.RawMessage) string                // that events are of when the sensor's file names none
	check   func(config json.RawMessage) error                 // nil, or sensor.ConfigProblems
	odd     func(config json.RawMessage) sensor.ConfigProblems // what is probably a slip; nil: nothing is
	keys    []string                                           // of a sensor's file that mean something to it, besides codeless
}

// codeless are the keys of a sensor's file that do not depend on what runs it.
var codeless = []string{
	"ref", "label", "description", "runtime", "trigger", "enabled", "max_restart_attempts", "restart_on_error", "param_schema",
	"config",
}

// builtins are the runtimes that are the worker's own.
var builtins = map[string]builtin{
	sensor.RuntimeFileWatch: {
		trigger: filewatch.Trigger, keys: []string{"poll_interval", "timeout", "queue"},
		check: func(config json.RawMessage) error { _, err := filewatch.Parse(config); return err },
	},
	sensor.RuntimeTimer: {
		trigger: fixed("core.timer"),
		check:   func(config json.RawMessage) error { _, err := timer.Parse(config); return err },
		odd:     func(config json.RawMessage) sensor.ConfigProblems { return timer.Past(config, time.Now()) },
	},
	sensor.RuntimeWebhook: {
		trigger: fixed("core.webhook"), keys: []string{"poll_interval"},
		check: func(config json.RawMessage) error { _, err := webhook.Parse(config); return err },
	},
}

// fixed is the trigger of a built-in that has only one.
func fixed(ref string) func(json.RawMessage) string {
	return func(json.RawMessage) string { return ref }
}

// defaultTrigger returns the trigger of a sensor whose file names none; empty: it has to.
func (b builtin) defaultTrigger(config json.RawMessage) string {
	if b.trigger == nil {
		return ""
	}
	return b.trigger(config)
}

// checkBuiltin reports what a sensor's file says that its runtime does not heed, and what is wrong with its config.
func (l *loader) checkBuiltin(s section, def sensor.Sensor, own builtin) {
	for i := 0; i+1 < len(s.node.Content); i += 2 {
		key := s.node.Content[i].Value
		if slices.Contains(sensorKeys, key) && !slices.Contains(codeless, key) && !slices.Contains(own.keys, key) {
			s.report(key, "%s has no use for it: leave it out", def.Runtime)
		}
	}
	if def.Config == nil || own.check == nil {
		return
	}
	err := own.check(def.Config)
	problems, known := errors.AsType[sensor.ConfigProblems](err)
	if err != nil && !known {
		s.report("config", "%v", err)
	}
	for _, p := range problems {
		s.reportAt(append([]string{"config"}, p.Path...), "%s", p.Message)
	}
	if own.odd == nil || err != nil {
		return
	}
	for _, p := range own.odd(def.Config) {
		path := append([]string{"config"}, p.Path...)
		l.warnAbout(s)(s.doc.line(path), path, "%s", p.Message)
	}
}

// checkWebhooks reports webhooks of the pack that want the same requests, each in its own file.
func (l *loader) checkWebhooks(files map[string]section) {
	table := webhook.TableOf(l.pack.Sensors)
	for ref, s := range files {
		conflict, found := errors.AsType[*webhook.Conflict](table.Conflict(ref))
		if found && conflict.OtherRef != ref {
			s.reportAt([]string{"config", "path"}, "%v", conflict)
		}
	}
}
