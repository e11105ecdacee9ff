package rule_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/internal/expression"
	"github.com/attune-automation/sensors/internal/rule"
	"github.com/attune-automation/sensors/internal/sensor"
)

const failedSchema = `{"type": "object", "required": ["sensor_ref"], "properties": {"sensor_ref": {"type": "string"}}}`

// What only the events of sensors have is said to be missing where it is, or may be; and what is said to do instead does.
func TestCheckOfEventsWithoutASensor(t *testing.T) {
	t.Parallel()
	const (
		service = " is never there, as the service emits the event itself and not a sensor: write payload.sensor_ref, which is the ref of the sensor that the event is about, or "
		emitted = " may be missing, as no sensor of the pack has the trigger, and an event of `starter emit` has no sensor: write "
	)
	for template, remedy := range map[string]string{
		`event.source_ref`:                                    `event.?source_ref.orValue(...)`,
		`"of " + event.source_ref`:                            `event.?source_ref.orValue(...)`,
		`sensor.ref`:                                          `sensor.?ref.orValue(...)`,
		`sensor["ref"]`:                                       `sensor[?"ref"].orValue(...)`,
		`sensor.config.repository`:                            `sensor.?config.orValue(...)`,
		`config.sensor.label`:                                 `config.sensor.?label.orValue(...)`,
		`event.?source_ref.orValue("")`:                       "",
		`"of " + event.?source_ref.orValue("none")`:           "",
		`sensor.?ref.orValue("") + "!"`:                       "",
		`sensor[?"ref"].orValue("")`:                          "",
		`config.sensor.?label.orValue("")`:                    "",
		`sensor.?config.repository.orValue("")`:               "",
		`sensor != null ? sensor.ref : "none"`:                "",
		`sensor == null ? "none" : sensor.ref`:                "",
		`has(event.source_ref) ? event.source_ref + "!" : ""`: "",
		`has(sensor.ref) ? sensor.ref : ""`:                   "",
		`payload.sensor_ref`:                                  "",
		`sensor`:                                              "",
		`event`:                                               "",
		`trigger.ref + string(event.id)`:                      "",
	} {
		for source, said := range map[expression.Source]string{expression.FromSensor: "", expression.FromAnywhere: emitted, expression.FromService: service} {
			wrong, odd := checkFrom(t, source, sensor.Rule{}, template)
			switch {
			case remedy == "" || said == "":
				require.Nil(t, wrong, template)
				require.Nil(t, odd, template)
			case source == expression.FromService:
				require.Nil(t, odd, template)
				require.ErrorContains(t, wrong, said+remedy, template)
			default:
				require.Nil(t, wrong, template)
				require.ErrorContains(t, odd, said+remedy, template)
			}
		}
		compiled := compiledWith(t, sensor.Rule{}, template)
		_, reason, err := compiled.Params(t.Context(), emittedEvent(t))
		require.NoError(t, err)
		require.Equal(t, remedy == "", reason == "", "%s: %s", template, reason)
	}
}

// A condition that only events of sensors satisfy is enough.
func TestConditionsOnTheSensor(t *testing.T) {
	t.Parallel()
	for name, r := range map[string]sensor.Rule{
		"clause":         {Conditions: json.RawMessage(`[{"field": "sensor.ref", "operator": "equals", "value": "shop.git"}, {"field": "event.source_ref", "operator": "exists"}]`)},
		"its type":       {Conditions: json.RawMessage(`[{"field": "sensor", "operator": "one_of_types", "value": ["object"]}, {"field": "event.source_ref", "operator": "starts_with", "value": "shop."}]`)},
		"expression":     {CEL: `sensor != null && has(event.source_ref)`},
		"has, for short": {CEL: `has(sensor.ref) && has(event.source_ref)`},
	} {
		wrong, odd := checkFrom(t, expression.FromAnywhere, r, `sensor.ref + event.source_ref`)
		require.Nil(t, wrong, name)
		require.Nil(t, odd, name)
		matched, err := compiledWith(t, r, `sensor.ref`).Match(t.Context(), emittedEvent(t))
		require.NoError(t, err)
		require.False(t, matched, name)
	}
	_, odd := checkFrom(t, expression.FromAnywhere, sensor.Rule{Conditions: json.RawMessage(`[{"not": {"field": "sensor.ref", "operator": "equals", "value": "shop.git"}}]`)}, `sensor.ref`)
	require.ErrorContains(t, odd, "sensor.ref may be missing", "what an event without a sensor satisfies says nothing")
	_, odd = checkFrom(t, expression.FromAnywhere, sensor.Rule{CEL: `sensor.ref == "shop.git"`}, `1`)
	require.ErrorContains(t, odd, "no sensor, and then the expression does not hold: write sensor.?ref.orValue(...)")
	wrong, _ := checkFrom(t, expression.FromService, sensor.Rule{CEL: `event.source_ref == "shop.git"`}, `1`)
	require.ErrorContains(t, wrong, "cel: line 1, column 6: event.source_ref is never there")
}

func compiledWith(t *testing.T, r sensor.Rule, template string) *rule.Compiled {
	t.Helper()
	var err error
	r.ActionParams, err = json.Marshal(map[string]string{"x": "{{ " + template + " }}"})
	require.NoError(t, err)
	if r.Conditions == nil {
		r.Conditions = json.RawMessage(`[]`)
	}
	compiled, err := rule.Compile(&r)
	require.NoError(t, err)
	return compiled
}

func checkFrom(t *testing.T, source expression.Source, r sensor.Rule, template string) (wrong, odd *rule.Invalid) {
	t.Helper()
	return compiledWith(t, r, template).Check(expression.NewSchema(json.RawMessage(failedSchema)).From(source))
}

// emittedEvent is an event as `starter emit` makes one.
func emittedEvent(t *testing.T) *rule.Document {
	t.Helper()
	snapshot, err := sensor.TakeSnapshot(sensor.Trigger{Ref: "shop.t", Label: "T"}, nil)
	require.NoError(t, err)
	doc, err := rule.NewReader(nil).Read(&sensor.Event{ID: 1, TriggerRef: "shop.t", Config: snapshot, Payload: json.RawMessage(`{"sensor_ref": "shop.git"}`)})
	require.NoError(t, err)
	return doc
}
