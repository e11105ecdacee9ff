package pack_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/internal/pack"
	"github.com/attune-automation/sensors/internal/sensor"
)

// Whether a rule may take it that its events are of a sensor depends on its trigger, and on the pack's sensors.
func TestEventsWithoutASensor(t *testing.T) {
	t.Parallel()
	const (
		head = `
-- pack.yaml --
ref: shop
-- triggers/deployed.yaml --
ref: shop.deployed
out_schema: {type: object}
-- triggers/pushed.yaml --
ref: shop.pushed
out_schema: {type: object}
-- sensors/git.yaml --
ref: shop.git
runtime: core.python3
entrypoint: git.py
triggers: [shop.pushed]
-- git.py --
pass
-- rules/tell.yaml --
ref: shop.tell
`
		action = `
action: {ref: a.b, params: {of: "{{ event.source_ref }}"}}
`
		emitted = "event.source_ref may be missing, as no sensor of the pack has the trigger, and an event of `starter emit` has no sensor"
		service = "event.source_ref is never there, as the service emits the event itself and not a sensor"
		then    = `
correlate: {within: 1h, group_by: [event.trigger_ref], then: [{name: second, trigger: shop.PART}]}`
		and = `
correlate: {within: 1h, group_by: [event.trigger_ref], and: [{name: second, trigger: shop.PART}]}`
	)
	for name, c := range map[string]struct{ rule, problem, warning string }{
		"a sensor's":                  {rule: "trigger: shop.pushed" + action},
		"nobody's":                    {rule: "trigger: shop.deployed" + action, warning: "action.params.of: column 9: " + emitted},
		"nobody's, with a default":    {rule: "trigger: shop.deployed" + strings.Replace(action, "event.source_ref", "event.?source_ref.orValue('nobody')", 1)},
		"nobody's, in its expression": {rule: "trigger: shop.deployed\ncel: event.source_ref == 'shop.git'\naction: {ref: a.b}", warning: "cel: column 6: " + emitted},
		"another pack's":              {rule: "trigger: core.timer" + action},
		"the service's":               {rule: "trigger: core.sensor_failed" + action, problem: service},
		"the last one's":              {rule: "trigger: shop.deployed" + strings.Replace(then, "PART", "pushed", 1) + action},
		"the last one's, nobody's":    {rule: "trigger: shop.pushed" + strings.Replace(then, "PART", "deployed", 1) + action, warning: emitted},
		"either's":                    {rule: "trigger: shop.pushed" + strings.Replace(and, "PART", "deployed", 1) + action, warning: emitted},
		"of a part":                   {rule: "trigger: shop.pushed" + strings.NewReplacer("PART}", "deployed, cel: \"event.source_ref != ''\"}").Replace(then) + "\naction: {ref: a.b}", warning: "correlate.then[0].cel: column 6: " + emitted},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var warnings pack.Problems
			_, err := pack.LoadFS(folderOf(t, head+c.rule), pack.Options{
				Known: append(known(), sensor.Trigger{Ref: "core.timer", PackRef: "core", Enabled: true}), Warn: func(p pack.Problem) { warnings = append(warnings, p) },
			})
			if c.problem != "" {
				require.ErrorContains(t, err, c.problem)
				return
			}
			require.NoError(t, err)
			if c.warning == "" {
				require.Empty(t, warnings)
				return
			}
			require.Len(t, warnings, 1)
			require.Contains(t, warnings.Error(), c.warning)
		})
	}
}
