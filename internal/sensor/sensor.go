// Package sensor holds the words that every other package speaks: packs, triggers, sensors, rules, and what comes of
// them, batches, events and enforcements. It is pure: plain types, their validation and the errors that they share.
package sensor

import (
	"cmp"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"strconv"
	"strings"
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
	TriggerRefs []string // all triggers that its events may be of; the first is TriggerRef
	Enabled     bool     // of the sensor and of its trigger
	Stopped     bool     // by an operator
	Completed   bool     // at this very version it has brought all that it ever will
	ParamSchema json.RawMessage
	Config      json.RawMessage
	Version     int64 // grows with every change of the definition or of the pack's code

	// Zero values and nil mean the worker's default; see Settings.
	PollInterval       time.Duration
	Timeout            time.Duration
	MaxRestartAttempts int
	RestartOnError     *bool
	DedupeTTL          time.Duration // how long an event's key suppresses others

	Mode    Mode
	Queue   string      // of its polls; empty: that of its runtime, see PollQueue
	Sandbox SandboxMode // empty: auto
	Network string      // NetworkNone, or empty: that of the worker
	Warm    *bool       // whether its process stays up between polls; nil: it does
	Limits  Limits
}

// Mode says how a sensor's code works.
type Mode string

// The modes of a sensor.
const (
	ModePoll   Mode = "poll"   // it is run again and again, and ends each time; the empty Mode means the same
	ModeStream Mode = "stream" // it is run once and goes on for ever
)

// SandboxMode is how a sensor wants its code to be contained.
type SandboxMode string

// The sandboxes that a sensor, or a worker's configuration, can ask for.
const (
	SandboxAuto  SandboxMode = "auto"  // the best that works
	SandboxBwrap SandboxMode = "bwrap" // bubblewrap, or not at all
	SandboxNone  SandboxMode = "none"  // limits and a clean end only
)

// NetworkNone keeps a sensor's code off the network.
const NetworkNone = "none"

// Limits bound what the processes of a sensor take. Zero values mean the worker's default.
type Limits struct {
	CPU       time.Duration `json:"cpu,omitempty"`        // time of the processor in one poll; not of a stream
	Memory    int64         `json:"memory,omitempty"`     // bytes, of all processes together
	OpenFiles int           `json:"open_files,omitempty"` // of one process
	Processes int           `json:"processes,omitempty"`  // at one time
	Output    int64         `json:"output,omitempty"`     // bytes of log in one poll; what is beyond is dropped, which the log says
}

// PollQueue names the queue of the sensor's polls: its own, or that of its runtime. Local ones have none.
func (s Sensor) PollQueue() string {
	if s.Local() {
		return ""
	}
	return cmp.Or(s.Queue, strings.TrimPrefix(s.Runtime, "core."))
}

// Streams says whether the sensor's code is run once and goes on for ever.
func (s Sensor) Streams() bool { return s.Mode == ModeStream }

// Active says whether the sensor is meant to run.
func (s Sensor) Active() bool { return s.Enabled && !s.Stopped && !s.Completed }

// Settings are the worker's defaults for what a sensor's file may leave out.
type Settings struct {
	PollInterval       time.Duration
	Timeout            time.Duration
	MaxRestartAttempts int
	RestartOnError     bool
	RestartBackoff     time.Duration // before the second attempt; doubles with each further one
	MaxRestartBackoff  time.Duration
	DedupeTTL          time.Duration
}

// Spec is what the workflow of a sensor needs to know of it, defaults applied.
type Spec struct {
	Ref               string
	Runtime           string
	TriggerRef        string
	Version           int64
	Stream            bool   // its code goes on for ever
	Local             bool   // its polls are short and need no queue, see Sensor.Local
	Queue             string // of its polls, see Sensor.PollQueue; empty: none
	PollInterval      time.Duration
	Timeout           time.Duration // of a poll; 0: it is a stream
	MaxAttempts       int           // consecutive failures that make the sensor failed, at least 1
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
	timeout := cmp.Or(s.Timeout, defaults.Timeout)
	if s.Streams() {
		timeout = 0
	}
	return Spec{
		Stream:            s.Streams(),
		Local:             s.Local(),
		Queue:             s.PollQueue(),
		Ref:               s.Ref,
		Runtime:           s.Runtime,
		TriggerRef:        s.TriggerRef,
		Version:           s.Version,
		PollInterval:      cmp.Or(s.PollInterval, s.rest(), defaults.PollInterval),
		Timeout:           timeout,
		MaxAttempts:       attempts,
		RestartBackoff:    defaults.RestartBackoff,
		MaxRestartBackoff: defaults.MaxRestartBackoff,
	}
}

// webhookInterval is how often a webhook is polled that nothing wakes, in case a signal got lost.
const webhookInterval = time.Minute

// rest is the interval of what is polled when something comes; 0: the sensor is not.
func (s Sensor) rest() time.Duration {
	if s.Runtime == RuntimeWebhook {
		return webhookInterval
	}
	return 0
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
	CEL          string          // expression that must hold, too, see package expression; empty: none
	ActionRef    string
	ActionParams json.RawMessage
	Enabled      bool
	Tripped      *time.Time // since when it is not evaluated because of what that took; nil: it is evaluated
	TripReason   string     // what its evaluation took; empty: it is not tripped
	Ruleset      int64      // the trigger's ruleset when this rule last changed
	Version      int64      // grows with every change of the definition, and when it is tripped or reset

	Shadow     bool            // its matches are recorded and order nothing
	Priority   int             // of the enforcements of one event, those of a higher priority come first
	ValidFrom  *time.Time      // of the events that it can match, see Event.At; nil: no limit
	ValidUntil *time.Time      // exclusive; nil: no limit
	Active     json.RawMessage // list of windows, see package window; nil or empty: at all times

	Throttle    json.RawMessage // how often it may order something, see package throttle; nil: each match does
	Correlation json.RawMessage // what else has to come, or must not; nil: each match orders
}

// Groups says whether the rule groups its matches: an enforcement of it may stand for many.
func (r *Rule) Groups() bool { return len(r.Throttle) > 0 || len(r.Correlation) > 0 }

// InForce says whether the rule is evaluated on events.
func (r *Rule) InForce() bool { return r.Enabled && r.Tripped == nil }

// Ruleset is the rules in force of one trigger at one moment, in the order of their enforcements: by priority, the highest
// first, then by ref.
type Ruleset struct {
	TriggerRef string
	Version    int64
	Rules      []Rule
}

// RulesetChange is what has become of a trigger's ruleset since an earlier version.
type RulesetChange struct {
	Version int64
	Rules   []Rule   // those in force that are new or changed
	Gone    []string // refs of rules that are in force no more: deleted, disabled, tripped, or of another trigger
}
