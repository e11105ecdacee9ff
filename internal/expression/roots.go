package expression

import (
	"cmp"
	"maps"
	"slices"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"

	"github.com/attune-automation/sensors/internal/sensor"
)

// partField is the field of an event that names which part of a correlation it is.
const partField = "part"

// waived is a value of which nothing is to be said.
func waived() *shape {
	s := unknown()
	s.waived = true
	return s
}

// object is the shape of an object that has these fields.
func object(fields map[string]*shape) *shape {
	s := sure(isMap)
	s.fields, s.required, s.closed = fields, map[string]bool{}, true
	for name := range fields {
		s.required[name] = true
	}
	return s
}

// known are the shapes of what is the same for every event of a rule, by the names that expressions begin at.
func known(r Rule) map[string]*shape {
	text := sure(isString)
	moment := sure(isString)
	moment.format = "date-time"
	id := sure(isInt)
	id.least = 0
	about := object(map[string]*shape{"ref": text, "label": text})
	source := object(map[string]*shape{"ref": text, "label": text, "runtime": text, "entrypoint": text, "version": sure(isInt), "config": waived()})
	event := object(map[string]*shape{"id": id, "trigger_ref": text, "source_ref": text, "created": moment, "occurred_at": moment})
	delete(event.required, "occurred_at")
	names := map[string]*shape{
		"event": event, "trigger": about, "sensor": source, ruleName: object(map[string]*shape{"ref": text, "label": text}),
		"config": object(map[string]*shape{"trigger": about, "sensor": source}),
	}
	if !r.Groups {
		return names
	}
	by := waived()
	if r.GroupBy != nil {
		fields := map[string]*shape{}
		for _, field := range r.GroupBy {
			fields[field] = waived()
		}
		by = object(fields)
	}
	count := sure(isInt)
	count.least, count.most = float64(max(r.Least, 1)), float64(r.Most)
	if r.Most == 0 {
		count.most = anything(isInt).most
	}
	names[groupName] = object(map[string]*shape{"id": id, "by": by, "count": count, "since": moment, "until": moment})
	names[eventsName] = r.events(&Schema{}, nil)
	return names
}

// events are the events that a match stands for: how many there are, and of what payload.
func (r Rule) events(s *Schema, payload *shape) *shape {
	text := sure(isString)
	moment := sure(isString)
	moment.format = "date-time"
	fields := map[string]*shape{"id": sure(isInt), "trigger_ref": text, "created": moment, "payload": payload}
	list := sure(isList)
	list.fewest, list.sized = min(max(r.Least, 1), sensor.MaxGroupEvents), true
	if list.many = sensor.MaxGroupEvents; r.Most > 0 {
		list.many = min(r.Most, sensor.MaxGroupEvents)
	}
	if r.Parts {
		part := sure(isString)
		fields[partField] = part
		fields["payload"] = nil
		if s.parts != nil {
			var any *shape
			byPart := map[string]*shape{}
			for name, p := range s.parts {
				if p.payload == nil {
					p = &Schema{payload: meet(unknown(), anything(isMap))}
				}
				byPart[name], any = p.payload, join(p.payload, any)
			}
			fields["payload"] = any
			list.items = object(fields)
			list.items.parts = byPart
			return list
		}
	}
	list.items = object(fields)
	return list
}

// filteredPart returns the part of a correlation whose events a loop looks for, and no others: e.part == "first".
func filteredPart(c ast.ComprehensionExpr) string {
	step := c.LoopStep()
	if step.Kind() != ast.CallKind || step.AsCall().FunctionName() != operators.Conditional {
		return ""
	}
	test := step.AsCall().Args()[0]
	if test.Kind() != ast.CallKind || test.AsCall().FunctionName() != operators.Equals {
		return ""
	}
	for i, side := range test.AsCall().Args() {
		p := pathOf(side)
		if name, literal := literalText(test.AsCall().Args()[1-i]); literal && p != nil && p.root == c.IterVar() && slices.Equal(p.steps, []any{partField}) {
			return name
		}
	}
	return ""
}

// WithParts returns the schema of the event that a correlation's enforcement is of, with those of the events of each part.
func (s *Schema) WithParts(parts map[string]*Schema) *Schema {
	with := *s
	with.parts = maps.Clone(parts)
	return &with
}

// Either returns what is known of payloads that are of any of the schemas.
func Either(schemas ...*Schema) *Schema {
	var any *shape
	for _, s := range schemas {
		any = join(cmp.Or(s.payload, unknown()), any)
	}
	return &Schema{payload: any}
}
