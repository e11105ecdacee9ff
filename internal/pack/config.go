package pack

import (
	"errors"
	"slices"

	"github.com/attune-automation/sensors/internal/schema"
	"github.com/attune-automation/sensors/internal/secret"
	"github.com/attune-automation/sensors/internal/sensor"
)

// configure reads the sensor's config and checks it against its own schema and those of its triggers.
func (l *loader) configure(s section, def *sensor.Sensor) {
	own, params := s.schema("param_schema")
	def.ParamSchema = own
	if def.Config == nil {
		return
	}
	references, ok := s.references(def)
	if !ok {
		return // what is malformed could break schemas that its correction does not
	}
	c := configCheck{section: s, config: def.Config, references: references, seen: map[string]bool{}}
	c.check("", params)
	for _, ref := range def.TriggerRefs {
		if t := l.triggers[ref]; t != nil {
			c.check("by param_schema of trigger "+ref+": ", t.params)
		}
	}
}

// references returns what the config refers to. What is malformed it reports, each at its own line.
func (s section) references(def *sensor.Sensor) (found []secret.Reference, ok bool) {
	found, err := secret.References(def.Config)
	problems, malformed := errors.AsType[secret.Problems](err)
	if err != nil && !malformed {
		s.report("config", "%v", err)
	}
	for _, p := range problems {
		s.reportAt(p.Path, "%s", p.Message)
	}
	return found, err == nil
}

// configCheck checks one config against several schemas, which may find the same.
type configCheck struct {
	section
	config     []byte
	references []secret.Reference
	seen       map[string]bool
}

func (c configCheck) check(origin string, params *schema.Schema) {
	if params == nil {
		return
	}
	err := params.CheckOpen("config", c.config, c.refers)
	if err == nil || c.seen[err.Error()] {
		return
	}
	c.seen[err.Error()] = true
	c.violations(origin, err)
}

// refers says whether the string at a path has the value of a secret in it, which nobody knows yet.
func (c configCheck) refers(path []string) bool {
	return slices.ContainsFunc(c.references, func(r secret.Reference) bool { return slices.Equal(r.Path, path) })
}
