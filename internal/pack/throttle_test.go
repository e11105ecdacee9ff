package pack_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/internal/pack"
)

func TestThrottleOfARule(t *testing.T) {
	t.Parallel()
	const head = `
-- pack.yaml --
ref: shop
-- triggers/order.yaml --
ref: shop.order
out_schema: {type: object, properties: {host: {type: string}}, examples: [{host: a}]}
-- rules/large.yaml --
ref: shop.large
trigger: shop.order
`
	const action = "action: {ref: a.b, params: {n: \"{{ group.count }} of {{ events.map(e, e.payload.host) }}\"}}\n"
	for text, want := range map[string]string{
		"throttle: {once_within: 15m, group_by: [payload.host]}\n" + action: "",
		"throttle:\n  at_least: 5\n  within: 7d\n" + action:                 "",
		action: `rules/large.yaml:3: action.params.n: column 4: group is known only in the action's parameters of a rule with throttle or correlate: give the rule one, or begin at payload`,
		"throttle: {once_within: 15m}\naction: {ref: a.b, params: {n: \"{{ group.cuont }}\"}}\n":                                       `rules/large.yaml:4: action.params.n: column 9: group has no field "cuont": did you mean "count"?`,
		"throttle: {once_within: 15m}\naction: {ref: a.b, params: {n: \"{{ group.by.host }}\"}}\n":                                     `rules/large.yaml:4: action.params.n: column 12: group.by has no field "host": it has none`,
		"throttle: {once_within: 15m, group_by: [host]}\naction: {ref: a.b, params: {n: \"{{ group.by['hots'] }}\"}}\n":                `rules/large.yaml:4: action.params.n: column 12: group.by has no field "hots": did you mean "host"?`,
		"throttle: {once_after: 15m, group_by: [payload.host]}\naction: {ref: a.b, params: {n: \"{{ group.by['payload.host'] }}\"}}\n": "",
		"throttle: {once_after: 15m}\naction: {ref: a.b, params: {n: \"{{ events.map(e, e.part) }}\"}}\n":                              `column 19: e has no field "part": it has created, id, payload, trigger_ref`,
		"throttle: {once_within: 15m}\ncel: group.count > 1\naction: {ref: a.b}\n":                                                     `rules/large.yaml:4: cel: column 1: group is known only in the action's parameters`,
		"throttle: 15m\naction: {ref: a.b}\n": `rules/large.yaml:3: throttle: got "15m": write throttle: {once_within: 15m, group_by: [payload.host]}`,
		"throttle:\n  once_within: 15m\n  group_by:\n    - host\n    - items[*].id\naction: {ref: a.b}\n": `rules/large.yaml:7: throttle.group_by[1]: * leads to many values`,
		"throttle:\n  within: 15m\naction: {ref: a.b}\n":                                                  `rules/large.yaml:3: throttle: once_within, once_after and at_least are all missing`,
	} {
		loaded, err := pack.LoadFS(folderOf(t, head+text), pack.Options{})
		if want == "" {
			require.NoError(t, err, text)
			require.True(t, strings.HasPrefix(string(loaded.Rules[0].Throttle), "{"), text)
			continue
		}
		require.ErrorContains(t, err, want, text)
	}
}
