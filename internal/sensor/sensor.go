// Package sensor holds the words that every other package speaks: packs, triggers, sensors, rules, and what comes of
// them, batches, events and enforcements. It is pure: plain types, their validation and the errors that they share.
package sensor

import (
	"cmp"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"strconv"
	"time"
)

// The runtimes that run sensor code.
const (
	RuntimePython = "core.python3"
	RuntimeNode   = "core.nodejs"
	RuntimeExec   = "core.exec"
)

// TriggerSensorFailed is the trigger of the system event that tells that a sensor failed for good.
const TriggerSensorFailed = "core.sensor_failed"

// Sensor is the stored definition of one sensor.
type Sensor struct {
	ID          int64
	Ref         string
	PackRef     string
	PackDigest  string // the pack's code, SHA-256 in hex
	Label       string
	Description string
	Runtime     string
	Entrypoint  string // slash-separated path below the pack's folder
	TriggerRef  string
	Enabled     bool // of the sensor and of its trigger
	Stopped     bool // by an operator
	ParamSchema json.RawMessage
	Config      json.RawMessage
	Version     int64 // grows with every change of the definition or of the pack's code

	// Zero values and nil mean the worker's default; see Settings.
	PollInterval       time.Duration
	Timeout            time.Duration
	MaxRestartAttempts int
	RestartOnError     *bool
}

// Active says whether the sensor is meant to run.
func (s Sensor) Active() bool { return s.Enabled && !s.Stopped }

// Settings are the worker's defaults for what a sensor's file may leave out.
type Settings struct {
	PollInterval       time.Duration
	Timeout            time.Duration
	MaxRestartAttempts int
	RestartOnError     bool
	RestartBackoff     time.Duration // before the second attempt; doubles with each further one
	MaxRestartBackoff  time.Duration
}

// Spec is what the workflow of a sensor needs to know of it, defaults applied.
type Spec struct {
	Ref               string
	Runtime           string
	TriggerRef        string
	Version           int64
	PollInterval      time.Duration
	Timeout           time.Duration
	MaxAttempts       int // consecutive failures that make the sensor failed, at least 1
	RestartBackoff    time.Duration
	MaxRestartBackoff time.Duration
}

// Fingerprint changes whenever anything in the spec does, be it by a new definition or by new defaults.
func (s Spec) Fingerprint() string {
	h := fnv.New64a()
	fmt.Fprintf(h, "%+v", s)
	return strconv.FormatUint(h.Sum64(), 36)
}

// Spec applies the worker's defaults to the definition.
func (s Sensor) Spec(defaults Settings) Spec {
	attempts := cmp.Or(s.MaxRestartAttempts, defaults.MaxRestartAttempts, 1)
	restart := defaults.RestartOnError
	if s.RestartOnError != nil {
		restart = *s.RestartOnError
	}
	if !restart {
		attempts = 1
	}
	return Spec{
		Ref:               s.Ref,
		Runtime:           s.Runtime,
		TriggerRef:        s.TriggerRef,
		Version:           s.Version,
		PollInterval:      cmp.Or(s.PollInterval, defaults.PollInterval),
		Timeout:           cmp.Or(s.Timeout, defaults.Timeout),
		MaxAttempts:       attempts,
		RestartBackoff:    defaults.RestartBackoff,
		MaxRestartBackoff: defaults.MaxRestartBackoff,
	}
}

// Trigger is a named kind of event.
type Trigger struct {
	ID          int64
	Ref         string
	PackRef     string
	Label       string
	Description string
	Enabled     bool
	ParamSchema json.RawMessage // JSON Schema of the config of its sensors; nil: any
	OutSchema   json.RawMessage // JSON Schema of the payload; nil: any
	Ruleset     int64           // counts the changes of its rules
}

// Rule is trigger + condition + action.
type Rule struct {
	ID           int64
	Ref          string
	PackRef      string
	Label        string
	Description  string
	TriggerRef   string
	Condition    string          // "all" or "any"
	Conditions   json.RawMessage // list of clauses, see package condition
	ActionRef    string
	ActionParams json.RawMessage
	Enabled      bool
	Ruleset      int64 // the trigger's ruleset when this rule last changed
}

// Ruleset is the enabled rules of one trigger at one moment, by ref.
type Ruleset struct {
	TriggerRef string
	Version    int64
	Rules      []Rule
}
