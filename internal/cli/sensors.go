package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/attune-automation/sensors/internal/fleet"
	"github.com/attune-automation/sensors/internal/sensor"
	"github.com/attune-automation/sensors/workflows"
)

// States of sensors that do not run. One that waits may run or not.
const (
	stateDisabled = "disabled"                     // in its pack, or its trigger is
	stateWaiting  = string(workflows.StateWaiting) // also: it is to run, and the manager has not started it yet
)

var states = []string{
	string(workflows.StateRunning), string(workflows.StatePaused), string(workflows.StateBackingOff),
	string(workflows.StateFailed), string(workflows.StateStopped), string(workflows.StateCompleted), stateDisabled, stateWaiting,
}

// sensorRow is a sensor in a listing.
type sensorRow struct {
	Ref        string    `json:"ref"`
	State      string    `json:"state"`
	Since      time.Time `json:"since,omitzero"` // in this state, however many runs ago that began
	Runtime    string    `json:"runtime"`
	Queue      string    `json:"queue,omitempty"` // of its polls
	Note       string    `json:"note,omitempty"`  // what is in its way
	TriggerRef string    `json:"trigger_ref"`
	PackRef    string    `json:"pack_ref"`
	Label      string    `json:"label"`
	Version    int64     `json:"version"`
}

// sensorFilter selects sensors. Empty fields select everything.
type sensorFilter struct{ state, pack, trigger, runtime string }

func (f sensorFilter) selects(r sensorRow) bool {
	return (f.state == "" || f.state == r.State) && (f.pack == "" || f.pack == r.PackRef) &&
		(f.trigger == "" || f.trigger == r.TriggerRef) && (f.runtime == "" || f.runtime == r.Runtime)
}

func newSensors(s *session) *cobra.Command {
	var filter sensorFilter
	var most limit
	c := &cobra.Command{
		Use:   "sensors",
		Short: "List the sensors and how they are",
		Long: `List the sensors and how they are: running, paused, backing_off (after a failure), failed (for good), stopped (by an
operator), completed (it has brought all that it ever will), disabled (in the pack's files), or waiting (for a place, for
a worker that takes its polls, or for what its code depends on).`,
		Example: `  starter sensors
  starter sensors --state failed
  starter sensors --pack examples --runtime core.python3 -o json`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if filter.state != "" && !slices.Contains(states, filter.state) {
				return fmt.Errorf("--state %q: write one of %s", filter.state, strings.Join(states, ", "))
			}
			rows, err := s.sensorRows(c.Context())
			if err != nil {
				return err
			}
			rows = slices.DeleteFunc(rows, func(r sensorRow) bool { return !filter.selects(r) })
			return listSensors(s, cut(rows, most))
		},
	}
	flags := c.Flags()
	flags.StringVar(&filter.state, "state", "", "only those in this `STATE`")
	flags.StringVar(&filter.pack, "pack", "", "only those of this `PACK`")
	flags.StringVar(&filter.trigger, "trigger", "", "only those of the trigger with this `REF`")
	flags.StringVar(&filter.runtime, "runtime", "", "only those of the runtime with this `REF`")
	flags.Var(&most, "limit", "at most this many (default all)")
	complete(c, "state", states...)
	complete(c, "runtime", sensor.Runtimes()...)
	s.completeRefFlag(c, "trigger", triggerRefs)
	return c
}

func (s *session) sensorRows(ctx context.Context) ([]sensorRow, error) {
	db, err := s.store(ctx)
	if err != nil {
		return nil, err
	}
	f, err := s.fleet(ctx)
	if err != nil {
		return nil, err
	}
	sensors, err := db.Sensors(ctx)
	if err != nil {
		return nil, err
	}
	all, err := f.Live(ctx)
	if err != nil {
		return nil, err
	}
	rows := make([]sensorRow, len(sensors))
	for i, def := range sensors {
		live := all[def.Ref]
		state, current := stateOf(def, live)
		rows[i] = sensorRow{
			Ref: def.Ref, State: state, Runtime: def.Runtime, Queue: def.PollQueue(), TriggerRef: def.TriggerRef,
			PackRef: def.PackRef, Label: def.Label, Version: def.Version,
		}
		if current {
			rows[i].Since = live.Since
		}
	}
	cfg, err := s.config()
	if err != nil {
		return nil, err
	}
	return rows, annotate(ctx, f, sensors, all, rows, notStarted(all, cfg.Sensor.MaxConcurrentSensors))
}

// notStarted says why a sensor that should run does not, when so many may run at once.
func notStarted(all map[string]fleet.Live, most int) string {
	running := 0
	for _, live := range all {
		if live.State != workflows.StateFailed {
			running++
		}
	}
	if running < most {
		return "not started yet"
	}
	return fmt.Sprintf("not started: %d sensors run, and sensor.max_concurrent_sensors allows no more", running)
}

// annotate says what is in the way of sensors that should run: it asks once for each queue whether a worker listens.
func annotate(ctx context.Context, f *fleet.Fleet, sensors []sensor.Sensor, all map[string]fleet.Live, rows []sensorRow,
	notStarted string,
) error {
	listens := map[string]bool{}
	for i, def := range sensors {
		row := &rows[i]
		if !def.Active() || row.State == string(workflows.StateFailed) {
			continue
		}
		if _, known := listens[row.Queue]; !known && !def.Local() {
			heard, err := f.Listens(ctx, row.Queue)
			if err != nil {
				return err
			}
			listens[row.Queue] = heard
		}
		switch {
		case !listens[row.Queue] && !def.Local():
			row.Note = unserved(row.Queue)
		case row.State != stateWaiting:
		case all[def.Ref].State == workflows.StateWaiting:
			row.Note = "`starter status` says what for"
		default:
			row.Note = notStarted
		}
	}
	return nil
}

// stateOf says how a sensor is by its definition and by what the engine lists of it; current is whether that is the
// engine's word. A sensor that failed is failed only until its definition changes, for then it is started again.
func stateOf(def sensor.Sensor, live fleet.Live) (state string, current bool) {
	failed := live.State == workflows.StateFailed
	switch {
	case live.State != "" && !failed:
		return string(live.State), true
	case !def.Enabled:
		return stateDisabled, false
	case def.Stopped:
		return string(workflows.StateStopped), false
	case def.Completed:
		return string(workflows.StateCompleted), false
	case failed && live.Version == def.Version:
		return string(live.State), true
	}
	return stateWaiting, false
}

func listSensors(s *session, rows []sensorRow) error {
	return list(s, rows,
		column[sensorRow]{"SENSOR", func(r sensorRow) string { return r.Ref }},
		column[sensorRow]{"STATE", func(r sensorRow) string { return r.State }},
		column[sensorRow]{"SINCE", func(r sensorRow) string { return moment(r.Since) }},
		column[sensorRow]{"RUNTIME", func(r sensorRow) string { return r.Runtime }},
		column[sensorRow]{"TRIGGER", func(r sensorRow) string { return r.TriggerRef }},
		column[sensorRow]{"LABEL", func(r sensorRow) string { return r.Label }},
		column[sensorRow]{"NOTE", func(r sensorRow) string { return r.Note }},
	)
}
