package pack

import (
	"slices"

	"github.com/attune-automation/sensors/internal/correlation"
	"github.com/attune-automation/sensors/internal/expression"
	"github.com/attune-automation/sensors/internal/sensor"
)

// source says where the events of a trigger come from, as far as the pack tells: of another pack's trigger, its sensors are
// not known, and it is taken to have some.
func (l *loader) source(trigger string) expression.Source {
	brings := func(s sensor.Sensor) bool { return slices.Contains(s.TriggerRefs, trigger) }
	switch {
	case slices.ContainsFunc(l.pack.Sensors, brings):
		return expression.FromSensor
	case trigger == sensor.TriggerSensorFailed:
		return expression.FromService
	case sensor.PackOf(trigger) == l.pack.Ref:
		return expression.FromAnywhere
	}
	return expression.FromSensor
}

// lastSource says where the event comes from that a correlation's enforcement is of.
func (l *loader) lastSource(d *correlation.Definition) expression.Source {
	if i := d.Subject(); i >= 0 {
		return l.source(d.Parts[i].Trigger)
	}
	source := l.source(d.Parts[0].Trigger)
	for _, p := range d.Parts[1:d.Required()] {
		if l.source(p.Trigger) != source {
			return expression.FromAnywhere // of some part, there may be no sensor
		}
	}
	return source
}
