package pack

import (
	"go.yaml.in/yaml/v3"

	"github.com/attune-automation/sensors/internal/sensor"
)

const (
	actionRemedy   = "write action: {ref: PACK.NAME, params: {...}}, or action: {temporal: {...}}"
	temporalRemedy = "write temporal: {operation: start, workflow: TYPE, task_queue: QUEUE}"
)

// act reads what a match of the rule orders.
func (l *loader) act(s section, r *sensor.Rule) {
	n, ok := s.value("action")
	switch {
	case !ok:
		s.report("action", "missing: %s", actionRemedy)
		return
	case n.Kind != yaml.MappingNode:
		s.report("action", "got %s: %s", describe(n), actionRemedy)
		return
	}
	action := newSection(s.doc, n, below(s.path, "action"), "ref", "params", "temporal")
	if _, temporal := action.value("temporal"); temporal {
		action.temporal(r)
		return
	}
	r.ActionRef = action.required("ref", "write the ref of the action, PACK.NAME")
	if err := sensor.CheckRef(r.ActionRef); err != nil && r.ActionRef != "" {
		action.report("ref", "%v", err)
	}
	r.ActionParams = action.object("params", "{}")
	if r.ActionRef == sensor.ActionTemporal && r.ActionParams != nil {
		action.checkTemporal("params", r.ActionParams)
	}
}

// temporal reads an action that this service carries out itself.
func (s section) temporal(r *sensor.Rule) {
	for _, key := range []string{"ref", "params"} {
		if _, ok := s.value(key); ok {
			s.report(key, "temporal is there too: keep one of them")
		}
	}
	r.ActionRef = sensor.ActionTemporal
	if r.ActionParams = s.object("temporal", "{}"); r.ActionParams != nil {
		s.checkTemporal("temporal", r.ActionParams)
	}
}

func (s section) checkTemporal(key string, params []byte) {
	if _, err := sensor.ParseTemporalAction(params); err != nil {
		s.report(key, "%v: %s", err, temporalRemedy)
	}
}
