package pack

import (
	"cmp"
	"slices"

	"github.com/attune-automation/sensors/internal/schema"
	"github.com/attune-automation/sensors/internal/sensor"
)

var triggerKeys = []string{"ref", "label", "description", "enabled", "param_schema", "out_schema"}

// defineTriggers takes only other packs' triggers from the known ones: of its own, the folder is the whole truth.
func (l *loader) defineTriggers(known []sensor.Trigger) {
	for _, k := range known {
		if k.PackRef == l.pack.Ref {
			continue
		}
		t := &trigger{}
		t.payloads(k.OutSchema, "")
		if len(k.ParamSchema) > 0 {
			t.params, _ = schema.Compile("param_schema", k.ParamSchema) // it compiled when its own pack was applied
		}
		l.triggers[k.Ref] = t
	}
	l.define("triggers", triggerKeys, func(s section, ref string) {
		t := sensor.Trigger{
			Ref: ref, PackRef: l.pack.Ref,
			Label: s.text("label", ref), Description: s.text("description", ""), Enabled: s.enabled(),
		}
		own := &trigger{}
		t.ParamSchema, own.params = s.schema("param_schema")
		t.OutSchema, _ = s.schema("out_schema")
		own.payloads(t.OutSchema, s.doc.name)
		l.triggers[ref] = own
		l.pack.Triggers = append(l.pack.Triggers, t)
	})
	slices.SortFunc(l.pack.Triggers, func(a, b sensor.Trigger) int { return cmp.Compare(a.Ref, b.Ref) })
}
