package schema

import (
	"encoding/json"
	"errors"
	"slices"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"

	"github.com/attune-automation/sensors/internal/sensor"
)

// Decode decodes the config of a sensor into doc. What is wrong with the config is sensor.ConfigProblems; then doc has what
// could be decoded all the same, so that the rest of it can be looked at, too.
func (s *Schema) Decode(config json.RawMessage, doc any) error {
	if err := CheckPayload(config); err != nil {
		return sensor.ConfigProblems{{Message: err.Error()}}
	}
	value, err := decode(config)
	if err == nil {
		err = s.compiled.Validate(value)
	}
	decoding := json.Unmarshal(config, doc)
	if invalid, ok := errors.AsType[*jsonschema.ValidationError](err); ok {
		var problems sensor.ConfigProblems
		for _, v := range collectWritten("config", invalid) {
			problems = append(problems, sensor.ConfigProblem{Path: v.Path[1:], Message: v.Message})
		}
		return problems
	}
	if err == nil {
		err = decoding
	}
	if err != nil {
		return sensor.ConfigProblems{{Message: err.Error()}}
	}
	return nil
}

// remedy says how to write a value so that it is of a type, for those who write YAML.
func remedy(k *kind.Type) string {
	switch want := k.Want; {
	case k.Got == "null":
		return ": write a value, or leave the key out"
	case slices.Contains(want, "string"):
		return ": write text, in quotes if it looks like a number, a date, true or false"
	case slices.Contains(want, "number"), slices.Contains(want, "integer"):
		return ": write the number without quotes and unit"
	case slices.Contains(want, "boolean"):
		return ": write true or false without quotes"
	case slices.Contains(want, "array"):
		return ": write a list, such as [a, b]"
	case slices.Contains(want, "object"):
		return ": write keys and values below it"
	}
	return ""
}
