package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/attune-automation/sensors/internal/fleet"
	"github.com/attune-automation/sensors/internal/sensor"
	"github.com/attune-automation/sensors/workflows"
)

// answerTimeout is how long a sensor's workflow may take to say how it is.
const answerTimeout = 5 * time.Second

// sensorStatus is all that is known of a sensor.
type sensorStatus struct {
	Ref        string            `json:"ref"`
	State      string            `json:"state"`
	Note       string            `json:"note,omitempty"` // why Live is missing
	Definition definition        `json:"definition"`
	Cursor     json.RawMessage   `json:"cursor"` // null: it begins at the beginning
	Live       *workflows.Status `json:"live"`   // null: its workflow did not answer, or there is none
}

// definition is a sensor as its pack defines it; durations and attempts only where it says so itself.
type definition struct {
	Label              string          `json:"label"`
	Description        string          `json:"description,omitempty"`
	PackRef            string          `json:"pack_ref"`
	TriggerRef         string          `json:"trigger_ref"`
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
}

func newStatus(s *session) *cobra.Command {
	return &cobra.Command{
		Use:   "status REF",
		Short: "Show how a sensor is: its state, last error, counts, cursor and definition",
		Example: `  starter status examples.git_commits
  starter status examples.git_commits -o json | jq .live.last_error`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: s.completeSensor(),
		RunE: func(c *cobra.Command, args []string) error {
			o, err := s.operator(c.Context())
			if err != nil {
				return err
			}
			status, err := o.status(c.Context(), args[0])
			if err != nil {
				return err
			}
			return show(s, status, status.lines()...)
		},
	}
}

func (o *operator) status(ctx context.Context, ref string) (sensorStatus, error) {
	def, err := o.store.Sensor(ctx, ref)
	if err != nil {
		return sensorStatus{}, unknownSensor(ctx, o.store, ref, err)
	}
	cursor, _, err := o.store.Cursor(ctx, ref)
	if err != nil {
		return sensorStatus{}, err
	}
	status := sensorStatus{Ref: ref, Definition: newDefinition(def), Cursor: orNull(cursor)}
	live, err := o.ask(ctx, ref)
	switch {
	case err == nil:
		status.Live = &live
		status.State, _ = stateOf(def, listed(live))
	case errors.Is(err, fleet.ErrNotRunning):
		status.Note = "it has not run lately"
		status.State, _ = stateOf(def, fleet.Live{})
	case ctx.Err() != nil:
		return sensorStatus{}, ctx.Err()
	default:
		all, err := o.fleet.Live(ctx)
		if err != nil {
			return sensorStatus{}, err
		}
		status.Note = "its workflow does not answer: see that a worker runs"
		status.State, _ = stateOf(def, all[ref])
	}
	return status, nil
}

func (o *operator) ask(ctx context.Context, ref string) (workflows.Status, error) {
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	return o.fleet.Status(ctx, ref)
}

// listed is what the engine's lists say of a sensor that answers so: nothing if it was stopped.
func listed(s workflows.Status) fleet.Live {
	if !s.Running && !s.Failed {
		return fleet.Live{}
	}
	return fleet.Live{Ref: s.Ref, State: s.State, Version: s.Version}
}

func newDefinition(def sensor.Sensor) definition {
	return definition{
		Label: def.Label, Description: def.Description, PackRef: def.PackRef, TriggerRef: def.TriggerRef,
		Runtime: def.Runtime, Entrypoint: def.Entrypoint, Enabled: def.Enabled, Stopped: def.Stopped,
		Version: def.Version, Config: def.Config, PollInterval: duration(def.PollInterval),
		Timeout: duration(def.Timeout), MaxRestartAttempts: def.MaxRestartAttempts, RestartOnError: def.RestartOnError,
	}
}

func (s sensorStatus) lines() []line {
	d := s.Definition
	lines := []line{
		{"sensor", s.Ref},
		{"label", d.Label},
		{"state", s.State},
		{"note", s.Note},
		{"trigger", d.TriggerRef},
		{"runtime", d.Runtime + " " + d.Entrypoint},
		{"config", string(d.Config)},
		{"version", strconv.FormatInt(d.Version, 10)},
		{"cursor", string(s.Cursor)},
	}
	if s.Live == nil {
		return append(lines, line{"poll interval", d.PollInterval})
	}
	l := *s.Live
	return append(lines,
		line{"poll interval", l.PollInterval},
		line{"failures in a row", fmt.Sprintf("%d of %d", l.FailureCount, l.MaxAttempts)},
		line{"started", moment(l.StartedAt)},
		line{"last poll", moment(l.LastPoll)},
		line{"next poll", moment(l.NextPoll)},
		line{"last events", moment(l.LastEvents)},
		line{"since its start", fmt.Sprintf("%d polls, %d batches, %d events, %d enforcements, %d refused payloads, %d recoveries",
			l.Polls, l.Batches, l.Events, l.Enforcements, l.Rejected, l.Recoveries)},
		line{"last error at", moment(l.LastErrorAt)},
		line{"last error", l.LastError},
	)
}

// duration writes a duration of a definition; nothing for the default.
func duration(d time.Duration) string {
	if d == 0 {
		return ""
	}
	return d.String()
}
