package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/attune-automation/sensors/internal/config"
	"github.com/attune-automation/sensors/internal/fleet"
	"github.com/attune-automation/sensors/internal/sensor"
	"github.com/attune-automation/sensors/internal/store"
	"github.com/attune-automation/sensors/workflows"
)

func newStartSensor(s *session) *cobra.Command {
	return &cobra.Command{
		Use:   "start-sensor REF",
		Short: "Start a sensor, also one that was stopped or has failed",
		Long: `Start a sensor, also one that was stopped or has failed. It runs as the workflow sensor:REF until it is stopped;
workers take it up, now or once there are any. To start one that runs changes nothing.`,
		Example:           `  starter start-sensor examples.git_commits`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: s.completeSensor(),
		RunE: func(c *cobra.Command, args []string) error {
			o, err := s.operator(c.Context())
			if err != nil {
				return err
			}
			return o.start(c.Context(), args[0])
		},
	}
}

// operator is what the commands that start and stop sensors need.
type operator struct {
	*session
	config config.Config
	store  *store.Store
	fleet  *fleet.Fleet
}

func (s *session) operator(ctx context.Context) (*operator, error) {
	cfg, err := s.config(keyDatabase)
	if err != nil {
		return nil, err
	}
	db, err := s.store(ctx)
	if err != nil {
		return nil, err
	}
	f, err := s.fleet(ctx)
	if err != nil {
		return nil, err
	}
	return &operator{session: s, config: cfg, store: db, fleet: f}, nil
}

// startable returns the sensor if its definition lets it run.
func (o *operator) startable(ctx context.Context, ref string) (sensor.Sensor, error) {
	def, err := o.store.Sensor(ctx, ref)
	if err != nil {
		return def, unknownSensor(ctx, o.store, ref, err)
	}
	if def.Enabled {
		return def, nil
	}
	trigger, err := o.store.Trigger(ctx, def.TriggerRef)
	if err != nil {
		return def, err
	}
	if !trigger.Enabled {
		return def, fmt.Errorf("trigger %q of sensor %q is disabled: set enabled: true in its file and apply pack %q again",
			trigger.Ref, ref, trigger.PackRef)
	}
	return def, fmt.Errorf("sensor %q is disabled: set enabled: true in its file and apply pack %q again", ref, def.PackRef)
}

func (o *operator) start(ctx context.Context, ref string) error {
	def, err := o.startable(ctx, ref)
	if err != nil {
		return err
	}
	return o.launch(ctx, def)
}

// launch takes back an operator's stop and starts the sensor, if there is a place.
func (o *operator) launch(ctx context.Context, def sensor.Sensor) error {
	running, err := o.fleet.Running(ctx)
	if err != nil {
		return err
	}
	most := o.config.Sensor.MaxConcurrentSensors
	if _, runs := running[def.Ref]; !runs && len(running) >= most {
		return fmt.Errorf("%d sensors run already, and sensor.max_concurrent_sensors (ATTUNE__SENSOR__MAX_CONCURRENT_SENSORS) "+
			"allows %d: raise it, or stop another sensor", len(running), most)
	}
	if err := o.store.SetStopped(ctx, def.Ref, false); err != nil {
		return err
	}
	started, err := o.fleet.Launch(ctx, def.Spec(o.config.SensorSettings()))
	if err != nil {
		return err
	}
	o.say("sensor %s %s", def.Ref, map[bool]string{true: "is started", false: "runs already"}[started])
	o.say("Temporal's Web UI shows it as workflow %s in namespace %s", workflows.SensorID(def.Ref), o.config.Temporal.Namespace)
	return o.report(change{Ref: def.Ref, State: string(workflows.StateRunning), Changed: started})
}

// change is what a command did to a sensor, for programs.
type change struct {
	Ref     string `json:"ref"`
	State   string `json:"state"`
	Changed bool   `json:"changed"`
}

// report writes v for programs; people have read it as sentences.
func (s *session) report(v any) error {
	if s.format == formatTable {
		return nil
	}
	return s.format.encode(s.env.Stdout, v)
}
