package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
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
	Note       string            `json:"note,omitempty"` // what is in its way, or why Live is missing
	Definition definition        `json:"definition"`
	Cursor     json.RawMessage   `json:"cursor"`          // null: it begins at the beginning
	Queue      queueStatus       `json:"queue"`           // of its polls
	Steps      []fleet.Step      `json:"steps,omitempty"` // that the engine has ordered and that are not done
	Live       *workflows.Status `json:"live"`            // null: its workflow did not answer, or there is none
}

// queueStatus is a queue of polls, and who listens on it.
type queueStatus struct {
	Name    string           `json:"name"`
	Workers []fleet.Listener `json:"workers"`
}

// String says who listens.
func (q queueStatus) String() string {
	if q.Name == "" {
		return "none: any worker that runs workflows polls it"
	}
	if len(q.Workers) == 0 {
		return q.Name + ", " + unserved(q.Name)
	}
	names := make([]string, len(q.Workers))
	for i, w := range q.Workers {
		names[i] = w.Identity
	}
	return fmt.Sprintf("%s, listened on by %s", q.Name, strings.Join(names, ", "))
}

// unserved says that nobody listens on a queue.
func unserved(queue string) string { return "no worker listens on queue " + queue }

// obstacle says what keeps a sensor from being polled; empty: nothing that is known.
func (s sensorStatus) obstacle(def sensor.Sensor) string {
	switch {
	case !s.Live.Running || !def.Active():
		return ""
	case len(s.Queue.Workers) == 0 && !def.Local():
		return fmt.Sprintf("%s: start one with --queues %s", unserved(s.Queue.Name), s.Queue.Name)
	}
	return s.Live.Waiting
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
	status := sensorStatus{
		Ref: ref, Definition: newDefinition(def), Cursor: orNull(cursor), Queue: queueStatus{Name: def.PollQueue()},
	}
	if !def.Local() {
		if status.Queue.Workers, err = o.fleet.Listeners(ctx, def.PollQueue()); err != nil {
			return sensorStatus{}, err
		}
	}
	if status.Steps, err = o.fleet.Steps(ctx, ref); err != nil {
		return sensorStatus{}, err
	}
	live, err := o.ask(ctx, ref)
	switch {
	case err == nil:
		status.Live = &live
		status.State, _ = stateOf(def, listed(live))
		status.Note = status.obstacle(def)
	case errors.Is(err, fleet.ErrNotRunning):
		status.Note = "it has not run lately"
		if status.State, _ = stateOf(def, fleet.Live{}); status.State == stateWaiting {
			all, err := o.fleet.Live(ctx)
			if err != nil {
				return sensorStatus{}, err
			}
			status.Note = notStarted(all, o.config.Sensor.MaxConcurrentSensors)
		}
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
