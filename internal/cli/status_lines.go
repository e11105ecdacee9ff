package cli

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/attune-automation/sensors/internal/fleet"
	"github.com/attune-automation/sensors/internal/sensor"
	"github.com/attune-automation/sensors/workflows"
)

// definition is a sensor as its pack defines it; only where it says so itself, what has a default.
type definition struct {
	Label              string          `json:"label"`
	Description        string          `json:"description,omitempty"`
	PackRef            string          `json:"pack_ref"`
	TriggerRef         string          `json:"trigger_ref"`
	TriggerRefs        []string        `json:"trigger_refs,omitempty"` // all of them, where there are several
	Runtime            string          `json:"runtime"`
	Entrypoint         string          `json:"entrypoint"`
	Enabled            bool            `json:"enabled"` // and its trigger
	Stopped            bool            `json:"stopped"` // by an operator
	Version            int64           `json:"version"`
	Config             json.RawMessage `json:"config"`
	PollInterval       string          `json:"poll_interval,omitempty"`
	Timeout            string          `json:"timeout,omitempty"`
	MaxRestartAttempts int             `json:"max_restart_attempts,omitempty"`
	RestartOnError     *bool           `json:"restart_on_error,omitempty"`
	Mode               string          `json:"mode"` // poll or stream
	Queue              string          `json:"queue,omitempty"`
	DedupeTTL          string          `json:"dedupe_ttl,omitempty"`
	Sandbox            string          `json:"sandbox,omitempty"`
	Network            string          `json:"network,omitempty"`
	Warm               *bool           `json:"warm,omitempty"`
	Limits             sensor.Limits   `json:"limits,omitzero"`
}

func newDefinition(def sensor.Sensor) definition {
	d := definition{
		Label: def.Label, Description: def.Description, PackRef: def.PackRef, TriggerRef: def.TriggerRef,
		Runtime: def.Runtime, Entrypoint: def.Entrypoint, Enabled: def.Enabled, Stopped: def.Stopped,
		Version: def.Version, Config: def.Config, PollInterval: duration(def.PollInterval),
		Timeout: duration(def.Timeout), MaxRestartAttempts: def.MaxRestartAttempts, RestartOnError: def.RestartOnError,
		Mode: string(sensor.ModePoll), Queue: def.Queue, DedupeTTL: duration(def.DedupeTTL),
		Sandbox: string(def.Sandbox), Network: def.Network, Warm: def.Warm, Limits: def.Limits,
	}
	if def.Streams() {
		d.Mode = string(sensor.ModeStream)
	}
	if len(def.TriggerRefs) > 1 {
		d.TriggerRefs = def.TriggerRefs
	}
	return d
}

// lines are what people read of a sensor's status.
func (s sensorStatus) lines() []line {
	d := s.Definition
	triggers := d.TriggerRef
	if len(d.TriggerRefs) > 0 {
		triggers = strings.Join(d.TriggerRefs, ", ")
	}
	lines := []line{
		{"sensor", s.Ref},
		{"label", d.Label},
		{"state", s.State},
		{"note", s.Note},
		{"trigger", triggers},
		{"runtime", d.Runtime + " " + d.Entrypoint},
		{"mode", d.Mode},
		{"config", string(d.Config)},
		{"version", strconv.FormatInt(d.Version, 10)},
		{"cursor", string(s.Cursor)},
		{"queue", s.Queue.String()},
	}
	if s.Live == nil {
		lines = append(lines, line{"poll interval", d.PollInterval})
	} else {
		lines = append(lines, liveLines(*s.Live)...)
	}
	for _, step := range s.Steps {
		lines = append(lines, line{"in hand", describeStep(step)})
	}
	return lines
}

// liveLines are what a sensor's workflow says of it.
func liveLines(l workflows.Status) []line {
	lines := []line{
		{"poll interval", l.PollInterval},
		{"failures in a row", fmt.Sprintf("%d of %d", l.FailureCount, l.MaxAttempts)},
		{"started", moment(l.StartedAt)},
		{"last poll", moment(l.LastPoll)},
		{"next poll", moment(l.NextPoll)},
		{"last events", moment(l.LastEvents)},
	}
	if l.Stream && !l.PollingSince.IsZero() {
		lines = append(lines, line{"streaming since", moment(l.PollingSince)})
	}
	if l.Waiting != "" {
		lines = append(lines, line{"waiting since", moment(l.WaitingSince)}, line{"waiting for", l.Waiting})
	}
	if l.LastSkip != "" {
		lines = append(lines, line{"last skip", moment(l.LastSkipAt) + " " + l.LastSkip})
	}
	if l.Host != "" {
		lines = append(lines, line{"host", l.Host}, line{"sandbox", l.Sandbox}, line{"process", describeProcess(l)})
	}
	return append(lines,
		line{"since its start", fmt.Sprintf(
			"%d polls, %d batches, %d events, %d enforcements, %d refused payloads, %d suppressed payloads, %d recoveries",
			l.Polls, l.Batches, l.Events, l.Enforcements, l.Rejected, l.Suppressed, l.Recoveries)},
		line{"last error at", moment(l.LastErrorAt)},
		line{"last error", l.LastError},
	)
}

// describeProcess says what the last poll ran in; nothing if that is not known.
func describeProcess(l workflows.Status) string {
	if l.Memory == 0 {
		return ""
	}
	kind := "cold, started for the poll"
	if l.Warm {
		kind = "warm, of an earlier poll"
	}
	return fmt.Sprintf("%s, %.1f MiB at most", kind, float64(l.Memory)/(1<<20))
}

// describeStep says how far a step is that the engine has ordered.
func describeStep(s fleet.Step) string {
	text := fmt.Sprintf("%s %s", s.Name, s.State)
	if s.Worker != "" && s.State == "running" {
		text += fmt.Sprintf(" since %s on %s", moment(s.Since), s.Worker)
	}
	if s.Attempt > 1 {
		text += fmt.Sprintf(", attempt %d", s.Attempt)
	}
	if !s.Next.IsZero() && s.State != "running" {
		text += ", due at " + moment(s.Next)
	}
	if s.Failure != "" {
		text += ", failed last with: " + s.Failure
	}
	return text
}

// duration writes a duration of a definition; nothing for the default.
func duration(d time.Duration) string {
	if d == 0 {
		return ""
	}
	return d.String()
}
