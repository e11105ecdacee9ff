package schema

import (
	"encoding/json"
	"errors"

	"github.com/attune-automation/sensors/internal/sensor"
)

// Decode decodes the config of a sensor into doc, once it is what the schema wants. What is wrong with the config is
// sensor.ConfigProblems.
func (s *Schema) Decode(config json.RawMessage, doc any) error {
	err := CheckPayload(config)
	if err == nil {
		err = s.Check("config", config)
	}
	if violations, ok := errors.AsType[Violations](err); ok {
		problems := make(sensor.ConfigProblems, len(violations))
		for i, v := range violations {
			problems[i] = sensor.ConfigProblem{Path: v.Path[1:], Message: v.Message}
		}
		return problems
	}
	if err == nil {
		err = json.Unmarshal(config, doc)
	}
	if err != nil {
		return sensor.ConfigProblems{{Message: err.Error()}}
	}
	return nil
}
