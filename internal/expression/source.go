package expression

import (
	"fmt"
	"maps"

	"cel.dev/cel-go/common/ast"
)

// Source is where the events come from that a rule gets. The event of a sensor has event.source_ref, and sensor is not null;
// any other has neither.
type Source int

const (
	// FromSensor is an event that a sensor brings.
	FromSensor Source = iota
	// FromAnywhere is one that mostly somebody emits, since nobody knows of a sensor for it.
	FromAnywhere
	// FromService is one that only the service itself emits, about a sensor that failed.
	FromService
)

// From returns the schema for events from there.
func (s *Schema) From(source Source) *Schema {
	from := *s
	from.source = source
	return &from
}

// limit leaves out of what is known of events what one from there may not have.
func (source Source) limit(names map[string]*shape) {
	if source == FromSensor {
		return
	}
	less := func(s *shape) *shape {
		l := *s
		l.source, l.either = source, true
		if l.kinds |= isNull; source == FromService {
			l = *sure(isNull)
			l.source = source
		}
		return &l
	}
	with := func(s *shape, name string, field *shape) *shape {
		w := *s
		w.fields = maps.Clone(s.fields)
		w.fields[name] = field
		return &w
	}
	names["sensor"] = less(names["sensor"])
	names["config"] = with(names["config"], "sensor", names["sensor"])
	ref := *names["event"].fields["source_ref"]
	ref.source = source
	if source == FromService {
		ref.kinds = 0
	}
	event := with(names["event"], "source_ref", &ref)
	event.required = maps.Clone(event.required)
	delete(event.required, "source_ref")
	names["event"] = event
}

// sourceless notes an access to what an event has of its sensor, and may not have.
func (a *analysis) sourceless(e ast.Expr, source Source) {
	text := write(a.ast, e)
	if source == FromService {
		a.note(risk{at: e, level: certain, about: text, lack: lackField,
			what: fmt.Sprintf("%s is never there, as the service emits the event itself and not a sensor", text),
			fix:  fmt.Sprintf("write payload.sensor_ref, which is the ref of the sensor that the event is about, or %s", withDefault(text))})
		return
	}
	a.note(risk{at: e, level: content, about: text, lack: lackField,
		what: fmt.Sprintf("%s may be missing, as no sensor of the pack has the trigger, and an event of `starter emit` has no sensor", text),
		fix:  "write " + withDefault(text)})
}
