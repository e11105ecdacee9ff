package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/attune-automation/sensors/internal/fixture"
	"github.com/attune-automation/sensors/internal/schema"
	"github.com/attune-automation/sensors/internal/secret"
)

// override puts config and cursor of the fixture and of the flags in the place of the target's own.
func (s *session) override(t *target, flags trial, given fixture.Fixture) error {
	if flags.cursor == "-" && flags.config == "-" {
		return errors.New("--cursor and --config cannot both be the standard input: write one as @FILE")
	}
	if given.Sensor != "" && given.Sensor != t.sensor.Ref {
		return fmt.Errorf("the fixture is one of sensor %s, not of %s: choose another", given.Sensor, t.sensor.Ref)
	}
	if flags.expect != "" || flags.replay != "" {
		t.cursor = given.Cursor
	}
	if flags.cursor != "" {
		var err error
		if t.cursor, err = s.readJSON("--cursor", flags.cursor); err != nil {
			return err
		}
	}
	if err := schema.CheckPayload(t.cursor); t.cursor != nil && err != nil {
		return fmt.Errorf("the cursor to start from cannot be stored: %w", err)
	}
	if string(t.cursor) == "null" {
		t.cursor = nil
	}
	return s.overrideConfig(t, flags, given)
}

func (s *session) overrideConfig(t *target, flags trial, given fixture.Fixture) error {
	if given.Config != nil {
		t.sensor.Config = given.Config
	}
	if flags.config != "" {
		raw, err := s.readJSON("--config", flags.config)
		if err != nil {
			return err
		}
		if t.sensor.Config, err = merge(t.sensor.Config, raw); err != nil {
			return fmt.Errorf("--config: %w", err)
		}
	}
	if flags.config == "" && given.Config == nil {
		return nil
	}
	return t.checkConfig()
}

// merge returns a config with the keys of another in the place of its own.
func merge(config, over json.RawMessage) (json.RawMessage, error) {
	all, keys := map[string]json.RawMessage{}, map[string]json.RawMessage(nil)
	if err := json.Unmarshal(over, &keys); err != nil || keys == nil {
		return nil, errors.New("write an object, such as {\"limit\": 5}")
	}
	if len(config) > 0 {
		if err := json.Unmarshal(config, &all); err != nil {
			return nil, err
		}
	}
	maps.Copy(all, keys)
	return json.Marshal(all)
}

// checkConfig checks a config that did not come with the pack by the schemas that those of the pack are checked by.
func (t *target) checkConfig() error {
	if err := schema.CheckPayload(t.sensor.Config); err != nil {
		return fmt.Errorf("config: %w", err)
	}
	references, err := secret.References(t.sensor.Config)
	if err != nil {
		return err
	}
	open := func(path []string) bool {
		return slices.ContainsFunc(references, func(r secret.Reference) bool { return slices.Equal(r.Path, path) })
	}
	schemas := []json.RawMessage{t.sensor.ParamSchema}
	for _, ref := range t.sensor.TriggerRefs {
		schemas = append(schemas, t.triggers[ref].ParamSchema)
	}
	for _, raw := range schemas {
		if len(raw) == 0 {
			continue
		}
		compiled, err := schema.Compile("param_schema", raw)
		if err != nil {
			return err
		}
		if err := compiled.CheckOpen("config", t.sensor.Config, open); err != nil {
			return err
		}
	}
	return nil
}
